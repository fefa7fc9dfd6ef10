"""The working-time calendar: which days are working days, how far that is known, and the office hours.

The national holidays and make-up days (调休) come from ``chinesecalendar``; its coverage end is read from its tables, not
written here. An imported year (:mod:`rules.calendar_import`) goes before them, and what a pack says of its own place
(local holidays and make-up days, 放假办法 第四条) goes before both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

from chinese_calendar import constants

from intake.errors import ZhipaiError

_WEEKDAYS = "一二三四五六日"
#: Opening and closing times of one day, one after the other.
OfficeHours = tuple[tuple[time, time], ...]


@dataclass(frozen=True, slots=True)
class Season:
    """Office hours of a part of every year (夏令作息); both ends belong to it, as (month, day).

    A season that ends before it begins runs over the turn of the year.
    """

    first: tuple[int, int]
    last: tuple[int, int]
    hours: OfficeHours

    def covers(self, day: date) -> bool:
        at = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= at <= self.last
        return self.first <= at or at <= self.last


@dataclass(frozen=True)
class CalendarSettings:
    """What a pack says of its calendar.

    ``holidays`` and ``workdays`` (day → reason) go before the national tables. ``office_hours`` are those of the whole
    year, but for the ``seasons``. ``covers_to`` extends the coverage: its author vouches that the days up to it are
    complete. ``clauses`` are those the counting rests on.
    """

    holidays: Mapping[date, str] = field(default_factory=dict)
    workdays: Mapping[date, str] = field(default_factory=dict)
    office_hours: OfficeHours = ()
    covers_to: date | None = None
    clauses: tuple[str, ...] = ()
    time_zone: str = "Asia/Shanghai"
    seasons: tuple[Season, ...] = ()

    def to_data(self) -> dict[str, object]:
        return {
            "holidays": {day.isoformat(): name for day, name in self.holidays.items()},
            "workdays": {day.isoformat(): name for day, name in self.workdays.items()},
            "office_hours": _hours_data(self.office_hours),
            "seasons": [[one.first, one.last, _hours_data(one.hours)] for one in self.seasons],
            "covers_to": str(self.covers_to),
            "clauses": sorted(self.clauses),
            "time_zone": self.time_zone,
        }


def _hours_data(hours: OfficeHours) -> list[list[str]]:
    return [[str(start), str(end)] for start, end in hours]


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day that is not what its weekday says: ``workday`` for 调休上班, else a holiday. ``source`` says who says so."""

    day: date
    workday: bool
    name: str
    source: str

    @property
    def why(self) -> str:
        """As a count of days explains it: 国庆节, 国庆节调休上班."""
        return f"{self.name}调休上班" if self.workday and "上班" not in self.name else self.name


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """The holidays and make-up days of one year, complete, as the notice of that year has them."""

    year: int
    days: tuple[SpecialDay, ...]


@cache
def _national() -> tuple[dict[date, SpecialDay], date, date]:
    """The special days by date, and the first and last day covered. The library covers whole years."""
    chinese = {holiday.value: holiday.chinese for holiday in constants.Holiday}
    source = f"chinesecalendar {version('chinesecalendar')}"
    table = {day: SpecialDay(day, False, chinese[name], source) for day, name in constants.holidays.items()}
    table |= {day: SpecialDay(day, True, chinese[name], source) for day, name in constants.workdays.items()}
    return table, date(min(constants.holidays).year, 1, 1), date(max(constants.holidays).year, 12, 31)


class WorkCalendar:
    """Working days and office hours. Immutable; ``id`` is its content hash.

    Parameters
    ----------
    settings : CalendarSettings or None
        Those of a pack.
    extra : sequence of CalendarYear
        Imported years. A year that the library has too replaces the library's; a year after a gap is left out, because
        the days in between are not known.

    Examples
    --------
    >>> calendar = WorkCalendar()
    >>> calendar.is_workday(date(2026, 10, 10)), calendar.why(date(2026, 10, 10))  # a Saturday
    (True, '国庆节调休上班')
    """

    def __init__(self, settings: CalendarSettings | None = None, *, extra: Sequence[CalendarYear] = ()):
        self.settings = settings or CalendarSettings()
        self.zone = ZoneInfo(self.settings.time_zone)
        self.office_hours = self.settings.office_hours
        national, self.coverage_start, library_end = _national()
        end: date = max(library_end, self.settings.covers_to or library_end)
        self._special = dict(national)
        for one in sorted(extra, key=lambda year: year.year):
            if end + timedelta(days=1) < date(one.year, 1, 1):
                break
            end = max(end, date(one.year, 12, 31))
            self._special = {day: special for day, special in self._special.items() if day.year != one.year}
            self._special |= {special.day: special for special in one.days}
        for workday, days in ((True, self.settings.workdays), (False, self.settings.holidays)):
            self._special |= {day: SpecialDay(day, workday, name, "规则包") for day, name in days.items()}
        self.coverage_end = end

    @cached_property
    def id(self) -> str:
        """``calendar-`` and 16 hex digits over the days, the office hours and the coverage."""
        content = {
            "days": [[str(day), one.workday, one.name] for day, one in sorted(self._special.items())],
            "coverage": [str(self.coverage_start), str(self.coverage_end)],
            "settings": self.settings.to_data(),
        }
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return "calendar-" + hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_data(self) -> dict[str, Any]:
        """The days and the coverage, as :meth:`from_data` takes them; the settings are those of a pack."""
        return {
            "days": [[str(day), one.workday, one.name, one.source] for day, one in sorted(self._special.items())],
            "coverage": [str(self.coverage_start), str(self.coverage_end)],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any], settings: CalendarSettings) -> WorkCalendar:
        """A calendar of another day, with the days it had then and the ``id`` that follows from them."""
        calendar = cls(settings)
        calendar.coverage_start, calendar.coverage_end = map(date.fromisoformat, data["coverage"])
        days = (
            SpecialDay(date.fromisoformat(day), workday, name, source) for day, workday, name, source in data["days"]
        )
        calendar._special = {one.day: one for one in days}
        return calendar

    def covers(self, day: date) -> bool:
        return self.coverage_start <= day and day <= self.coverage_end

    def special_days(self, year: int) -> tuple[SpecialDay, ...]:
        """The holidays and make-up days of a year, in their order."""
        return tuple(one for day, one in sorted(self._special.items()) if day.year == year)

    def hours_on(self, day: date) -> OfficeHours:
        """The office hours of a day, if it is a working day."""
        return next((season.hours for season in self.settings.seasons if season.covers(day)), self.office_hours)

    def _look(self, day: date) -> tuple[bool, str]:
        if not self.covers(day):
            raise ZhipaiError("E3206", {"start": self.coverage_start, "end": self.coverage_end, "day": day})
        special = self._special.get(day)
        if special is not None:
            return special.workday, special.why
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
