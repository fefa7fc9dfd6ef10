"""The ``calendar`` of a pack's manifest: local holidays and make-up days, office hours by season."""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rules.calendar import CalendarSettings, OfficeHours, Season
from rules.problems import Mark, Problem
from rules.yaml_reader import Fields

_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_KEYS = ("holidays", "workdays", "office_hours", "seasons", "covers_to", "clauses")
#: A local holiday is days, not months; a longer range is most likely a mistyped year.
_LONGEST = 31


def read_calendar(fields: Fields, inherited: CalendarSettings, problems: list[Problem]) -> CalendarSettings:
    """The pack's own settings over the inherited ones: days and clauses add up, the rest replaces.

    A day that the pack itself names goes before the same day of a parent, whichever way it was.
    """
    zone = fields.text("time_zone", required=False, default=inherited.time_zone)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _wrong(problems, fields.mark("time_zone"), f"没有时区“{zone}”")
        zone = inherited.time_zone
    node = fields.get("calendar")
    inner = Fields(node, "日历", problems, allowed=_KEYS) if node else None
    holidays = _days(inner, "holidays", problems) if inner else {}
    workdays = _days(inner, "workdays", problems) if inner else {}
    for day in sorted(set(holidays) & set(workdays)):
        if inner:
            _wrong(problems, inner.mark("workdays"), f"{day} 既写在 holidays 又写在 workdays")
    hours = _office_hours(inner, problems) if inner else ()
    seasons = _seasons(inner, problems) if inner else ()
    if inner and seasons and not (hours or inherited.office_hours):
        _wrong(problems, inner.mark("seasons"), "写了 seasons，还要用 office_hours 写明其余日子的办公时间")
    # The inherited seasons belong to the inherited hours.
    kept = () if hours else inherited.seasons
    return CalendarSettings(
        holidays={day: name for day, name in inherited.holidays.items() if day not in workdays} | holidays,
        workdays={day: name for day, name in inherited.workdays.items() if day not in holidays} | workdays,
        office_hours=hours or inherited.office_hours,
        seasons=seasons or kept,
        covers_to=(inner.day("covers_to") if inner else None) or inherited.covers_to,
        clauses=tuple(dict.fromkeys((*inherited.clauses, *(inner.texts("clauses") if inner else ())))),
        time_zone=zone,
    )


def _wrong(problems: list[Problem], mark: Mark, problem: str) -> None:
    problems.append(Problem("E3020", mark, {"problem": problem}))


def _days(fields: Fields, key: str, problems: list[Problem]) -> dict[date, str]:
    """``[{day: 2026-08-15, name: 那达慕}, {from: 2026-08-15, to: 2026-08-17, name: …}]``, both ends included."""
    days: dict[date, str] = {}
    for item in fields.items(key):
        inner = Fields(item, "放假或上班的日子", problems, allowed=("day", "from", "to", "name"))
        name = inner.text("name")
        ranged = "from" in inner.values or "to" in inner.values
        first = inner.day("from" if ranged else "day", required=True)
        last = inner.day("to", required=True) if ranged else first
        if first is None or last is None or not inner.ok:
            continue
        if "day" in inner.values and ranged:
            _wrong(problems, item.mark, "day 与 from、to 只写一样")
        elif not timedelta() <= last - first < timedelta(days=_LONGEST):
            _wrong(problems, item.mark, f"{first} 到 {last} 不是由早到晚、{_LONGEST} 天以内的日子")
        else:
            days |= {first + timedelta(days=offset): name for offset in range((last - first).days + 1)}
    return days


def _office_hours(fields: Fields, problems: list[Problem]) -> OfficeHours:
    """``[["08:30", "12:00"], ["13:30", "17:30"]]``: each opening before its closing, one after the other."""
    spans: list[tuple[time, time]] = []
    for item in fields.items("office_hours"):
        parts = [part.value for part in item.value] if isinstance(item.value, list) else []
        if len(parts) != 2 or not all(isinstance(part, str) and _HOUR.fullmatch(part) for part in parts):
            _wrong(problems, item.mark, '办公时间写成 ["08:30", "12:00"]')
            return ()
        opening, closing = (time.fromisoformat(str(part)) for part in parts)
        if closing <= opening or (spans and opening < spans[-1][1]):
            _wrong(problems, item.mark, "办公时间应由早到晚，不能重叠")
            return ()
        spans.append((opening, closing))
    return tuple(spans)


def _seasons(fields: Fields, problems: list[Problem]) -> tuple[Season, ...]:
    """``[{from: "05-01", to: "09-30", office_hours: […]}]``, every year, both ends included."""
    seasons: list[Season] = []
    for item in fields.items("seasons"):
        inner = Fields(item, "季节作息", problems, allowed=("from", "to", "office_hours"))
        first, last = (_month_day(inner, key, problems) for key in ("from", "to"))
        hours = _office_hours(inner, problems)
        if not hours and inner.ok:
            _wrong(problems, item.mark, "季节作息缺少 office_hours")
        if first is None or last is None or not hours:
            continue
        season = Season(first, last, hours)
        # 2024 has every day that a year can have.
        year = [date(2024, 1, 1) + timedelta(days=offset) for offset in range(366)]
        if any(season.covers(day) and other.covers(day) for other in seasons for day in year):
            _wrong(problems, item.mark, "季节作息的日子与前面的重叠")
        seasons.append(season)
    return tuple(seasons)


def _month_day(fields: Fields, key: str, problems: list[Problem]) -> tuple[int, int] | None:
    text = fields.text(key)
    try:
        day = date.fromisoformat(f"2024-{text}")
    except ValueError:
        if text:
            _wrong(problems, fields.mark(key), f'“{text}”不是 "05-01" 这样的月和日')
        return None
    return day.month, day.day
