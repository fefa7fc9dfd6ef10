"""The working-time calendar: which days are working days, how far that is known, and the office hours.

The national holidays and make-up days (调休) come from ``chinesecalendar``; its coverage end is read from its tables, not
written here. A pack adds local holidays, office hours, and, until the library has the next year, that year's notice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from functools import cache, cached_property
from zoneinfo import ZoneInfo

from chinese_calendar import constants

from intake.errors import ZhipaiError

_WEEKDAYS = "一二三四五六日"


@dataclass(frozen=True)
class CalendarSettings:
    """What a pack says of its calendar.

    ``holidays`` and ``workdays`` (day → reason) go before the national tables. ``covers_to`` extends the coverage: its
    author vouches that the days up to it are complete. ``clauses`` are those the counting rests on.
    """

    holidays: Mapping[date, str] = field(default_factory=dict)
    workdays: Mapping[date, str] = field(default_factory=dict)
    office_hours: tuple[tuple[time, time], ...] = ()
    covers_to: date | None = None
    clauses: tuple[str, ...] = ()
    time_zone: str = "Asia/Shanghai"

    def to_data(self) -> dict[str, object]:
        return {
            "holidays": {day.isoformat(): name for day, name in self.holidays.items()},
            "workdays": {day.isoformat(): name for day, name in self.workdays.items()},
            "office_hours": [[str(start), str(end)] for start, end in self.office_hours],
            "covers_to": str(self.covers_to),
            "clauses": sorted(self.clauses),
            "time_zone": self.time_zone,
        }


@cache
def _national() -> tuple[dict[date, str], dict[date, str], date, date]:
    """Holidays, make-up days, first and last day covered. The library covers whole years."""
    chinese = {holiday.value: holiday.chinese for holiday in constants.Holiday}
    holidays = {day: chinese[name] for day, name in constants.holidays.items()}
    workdays = {day: f"{chinese[name]}调休上班" for day, name in constants.workdays.items()}
    return holidays, workdays, date(min(holidays).year, 1, 1), date(max(holidays).year, 12, 31)


class WorkCalendar:
    """Working days and office hours. Immutable; ``id`` is its content hash.

    Examples
    --------
    >>> calendar = WorkCalendar()
    >>> calendar.is_workday(date(2026, 10, 10)), calendar.why(date(2026, 10, 10))  # a Saturday
    (True, '国庆节调休上班')
    """

    def __init__(self, settings: CalendarSettings | None = None):
        self.settings = settings or CalendarSettings()
        self.zone = ZoneInfo(self.settings.time_zone)
        self.office_hours = self.settings.office_hours
        self._holidays, self._workdays, self.coverage_start, end = _national()
        self.coverage_end: date = max(end, self.settings.covers_to or end)

    @cached_property
    def id(self) -> str:
        """``calendar-`` and 16 hex digits over the national tables and the pack's additions."""
        content = {
            "holidays": {day.isoformat(): name for day, name in self._holidays.items()},
            "workdays": {day.isoformat(): name for day, name in self._workdays.items()},
            "settings": self.settings.to_data(),
        }
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return "calendar-" + hashlib.sha256(text.encode()).hexdigest()[:16]

    def covers(self, day: date) -> bool:
        return self.coverage_start <= day and day <= self.coverage_end

    def _look(self, day: date) -> tuple[bool, str]:
        if not self.covers(day):
            raise ZhipaiError("E3206", {"start": self.coverage_start, "end": self.coverage_end, "day": day})
        settings = self.settings
        for workday, names in (
            (False, settings.holidays),
            (True, settings.workdays),
            (True, self._workdays),
            (False, self._holidays),
        ):
            if day in names:
                return workday, names[day]
        return day.weekday() < 5, f"周{_WEEKDAYS[day.weekday()]}"

    def is_workday(self, day: date) -> bool:
        """Whether offices work on that day.

        Raises
        ------
        ZhipaiError
            E3206 for a day outside the coverage: an unknown day is never guessed.
        """
        return self._look(day)[0]

    def why(self, day: date) -> str:
        """Why the day is or is not a working day: 国庆节, 国庆节调休上班, 周六 …"""
        return self._look(day)[1]
