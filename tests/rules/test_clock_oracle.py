"""The oracle of the clocks: a naive walk, day by day or minute by minute, that shares nothing with the code under test.

Whether a day is worked comes from the public function of ``chinesecalendar`` and plain sets, not from the calendar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import CalendarSettings, WorkCalendar
from rules.calendar import Season
from rules.clocks import Duration, Suspension, count

ZONE = ZoneInfo("Asia/Shanghai")
NORMAL = ((time(8, 30), time(12, 0)), (time(13, 30), time(17, 30)))
LATE = ((time(9, 0), time(12, 30)), (time(15, 0), time(18, 30)))
SUMMER = Season((6, 1), (9, 30), LATE)
#: Over the turn of the year.
WINTER = Season((11, 15), (3, 15), LATE)
LAST = date(2026, 12, 31)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Office:
    """What the oracle knows of a place."""

    closed: frozenset[date]
    opened: frozenset[date]
    hours: tuple[tuple[time, time], ...]
    season: Season | None

    def calendar(self) -> WorkCalendar:
        return WorkCalendar(
            CalendarSettings(
                holidays=dict.fromkeys(self.closed, "地方假"),
                workdays=dict.fromkeys(self.opened - self.closed, "地方调休上班"),
                office_hours=self.hours,
                seasons=(self.season,) if self.season else (),
            )
        )

    def works(self, day: date) -> bool:
        if day in self.closed:
            return False
        return day in self.opened or bool(chinese_calendar.is_workday(day))

    def hours_on(self, day: date) -> tuple[tuple[time, time], ...]:
        if self.season is None:
            return self.hours
        (first_month, first_day), (last_month, last_day) = self.season.first, self.season.last
        after = (day.month, day.day) >= (first_month, first_day)
        before = (day.month, day.day) <= (last_month, last_day)
        wraps = (first_month, first_day) > (last_month, last_day)
        return self.season.hours if (after or before if wraps else after and before) else self.hours


def walk(amount: int, unit: str, start: datetime, office: Office, pauses: Sequence[Suspension]) -> datetime | None:
    """The last instant in time; None past the last day that is known."""
    if unit in ("自然日", "工作日"):
        return _walk_days(amount, unit, start, office, pauses)
    return _walk_minutes(amount * 60 if unit != "分钟" else amount, unit, start, office, pauses)


def _walk_days(
    amount: int, unit: str, start: datetime, office: Office, pauses: Sequence[Suspension]
) -> datetime | None:
    day, counted = start.date(), 0
    while True:
        day = day + DAY
        if day > LAST:
            return None
        # A pause that ends at midnight has left the day that begins then alone.
        if any(one.begin.date() <= day <= (one.end - timedelta(microseconds=1)).date() for one in pauses):
            continue
        if counted < amount and (unit == "自然日" or office.works(day)):
            counted += 1
        if counted == amount and office.works(day):
            hours = office.hours_on(day)
            return datetime.combine(day, hours[-1][1] if hours else time(23, 59, 59), ZONE)


def _walk_minutes(
    minutes: int, unit: str, start: datetime, office: Office, pauses: Sequence[Suspension]
) -> datetime | None:
    now, left = start, minutes
    while left > 0:
        if unit == "工作小时" and now.date() > LAST:
            return None
        runs = not any(one.begin <= now < one.end for one in pauses)
        if unit == "工作小时" and runs:
            runs = office.works(now.date()) and any(a <= now.time() < b for a, b in office.hours_on(now.date()))
        left -= runs
        now += MINUTE
    return now


def minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0, tzinfo=ZONE, fold=0)


DAYS = st.dates(date(2025, 9, 1), LAST)
STARTS = st.datetimes(datetime(2025, 9, 1), datetime(2026, 12, 28)).map(minute)
OFFICES = st.builds(
    Office,
    closed=st.frozensets(DAYS, max_size=20),
    opened=st.frozensets(DAYS, max_size=20),
    hours=st.sampled_from([NORMAL, LATE, ((time(0, 0), time(12, 0)),)]),
    season=st.sampled_from([None, SUMMER, WINTER]),
)
BARE = st.builds(
    Office, closed=st.frozensets(DAYS, max_size=20), opened=st.just(frozenset()), hours=st.just(()), season=st.none()
)


@st.composite
def courses(
    draw: st.DrawFn, units: Sequence[str], most: int
) -> tuple[Duration, datetime, list[Suspension], Duration | None]:
    start = draw(STARTS)
    pauses = []
    for _ in range(draw(st.integers(0, 3))):
        begin = start + MINUTE * draw(st.integers(-2000, 12000))
        pauses.append(Suspension(begin, begin + MINUTE * draw(st.integers(1, 4000)), "挂账"))
    amounts = st.builds(Duration, st.integers(1, most), st.sampled_from(units))
    return draw(amounts), start, pauses, draw(st.none() | amounts)


def agrees(course: tuple[Duration, datetime, list[Suspension], Duration | None], office: Office) -> None:
    value, start, pauses, extension = course
    counted = count(value, start, office.calendar(), suspensions=pauses, extension=extension)
    expected = walk(value.amount, value.unit, start, office, pauses)
    if extension is not None and expected is not None:
        expected = walk_on(extension, expected, office, pauses)
    assert (None if isinstance(counted, str) else counted[0]) == expected


def walk_on(extension: Duration, due_at: datetime, office: Office, pauses: Sequence[Suspension]) -> datetime | None:
    """From 23:59:59 the minutes of the walk begin at the full minute before; the seconds are put back after it."""
    second = due_at.second
    found = walk(extension.amount, extension.unit, due_at.replace(second=0), office, pauses)
    days = extension.unit in ("自然日", "工作日")
    return found if found is None or days or not second else found.replace(second=second)


@settings(max_examples=250, deadline=None)
@given(course=courses(["工作日", "自然日"], 40), office=OFFICES | BARE)
def test_days_agree_with_a_day_by_day_walk(course, office):
    agrees(course, office)


@settings(max_examples=100, deadline=None)
@given(course=courses(["分钟", "小时"], 60), office=OFFICES)
def test_hours_agree_with_a_minute_by_minute_walk(course, office):
    agrees(course, office)


@settings(max_examples=100, deadline=None)
@given(course=courses(["工作小时"], 16), office=OFFICES)
def test_office_hours_agree_with_a_minute_by_minute_walk(course, office):
    agrees(course, office)


@settings(max_examples=100, deadline=None)
@given(course=courses(["工作日", "自然日", "小时", "工作小时"], 12), office=OFFICES)
def test_mixed_units_agree(course, office):
    agrees(course, office)


@settings(max_examples=100, deadline=None)
@given(course=courses(["工作日", "自然日", "小时", "工作小时"], 40), office=OFFICES, later=st.integers(1, 5000))
def test_a_later_start_or_less_suspension_is_never_due_out_of_order(course, office, later):
    value, start, pauses, extension = course
    calendar = office.calendar()

    def due(moment: datetime, taken: Sequence[Suspension], more: Duration | None) -> datetime:
        counted = count(value, moment, calendar, suspensions=taken, extension=more)
        return datetime.max.replace(tzinfo=ZONE) if isinstance(counted, str) else counted[0]

    base = due(start, pauses, None)
    assert base <= due(start + MINUTE * later, pauses, None)
    assert due(start, pauses[:1], None) <= base
    assert base <= due(start, pauses, extension)


@settings(max_examples=100, deadline=None)
@given(course=courses(["工作日", "自然日"], 40), office=OFFICES)
def test_the_days_told_are_the_days_counted(course, office):
    value, start, pauses, _ = course
    counted = count(value, start, office.calendar(), suspensions=pauses)
    if isinstance(counted, str):
        return
    due_at, days = counted
    assert [one.day for one in days] == [start.date() + DAY * number for number in range(len(days))]
    assert days[-1].day == due_at.date()
    assert sum(one.counted for one in days) == value.amount
