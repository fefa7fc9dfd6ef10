"""The working-time calendar: 调休, local days, the end of the coverage."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from chinese_calendar import constants

from intake.errors import ZhipaiError
from rules import CalendarSettings, WorkCalendar


@pytest.mark.parametrize(
    ("day", "workday", "why"),
    [
        (date(2026, 5, 8), True, "周五"),
        (date(2026, 5, 9), True, "劳动节调休上班"),  # a Saturday
        (date(2026, 5, 10), False, "周日"),
        (date(2026, 10, 1), False, "国庆节"),  # a Thursday
        (date(2026, 10, 10), True, "国庆节调休上班"),  # a Saturday
        (date(2026, 2, 17), False, "春节"),
        (date(2026, 2, 28), True, "春节调休上班"),  # a Saturday
        (date(2024, 2, 29), True, "周四"),
    ],
)
def test_working_days_and_their_reasons(day, workday, why):
    calendar = WorkCalendar()
    assert calendar.is_workday(day) is workday
    assert calendar.why(day) == why


def test_coverage_end_is_read_from_the_library():
    calendar = WorkCalendar()
    assert calendar.coverage_end == date(max(constants.holidays).year, 12, 31)
    assert calendar.coverage_start == date(min(constants.holidays).year, 1, 1)
    assert isinstance(calendar.is_workday(calendar.coverage_end), bool)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_day_outside_the_coverage_is_never_guessed(side):
    calendar = WorkCalendar()
    one = timedelta(days=1)
    day = calendar.coverage_start - one if side == "before" else calendar.coverage_end + one
    with pytest.raises(ZhipaiError) as caught:
        calendar.is_workday(day)
    assert caught.value.code == "E3206"
    assert not calendar.covers(day)


def test_local_days_go_before_the_national_ones():
    local = WorkCalendar(
        CalendarSettings(holidays={date(2026, 8, 14): "那达慕"}, workdays={date(2026, 8, 16): "那达慕调休上班"})
    )
    assert (local.is_workday(date(2026, 8, 14)), local.why(date(2026, 8, 14))) == (False, "那达慕")
    assert (local.is_workday(date(2026, 8, 16)), local.why(date(2026, 8, 16))) == (True, "那达慕调休上班")
    assert WorkCalendar().is_workday(date(2026, 8, 14))


def test_a_pack_can_bring_the_next_year_before_the_library_does():
    end = WorkCalendar().coverage_end
    new_year = end + timedelta(days=1)
    calendar = WorkCalendar(CalendarSettings(holidays={new_year: "元旦"}, covers_to=end.replace(year=end.year + 1)))
    assert calendar.coverage_end.year == end.year + 1
    assert not calendar.is_workday(new_year)


def test_id_is_a_hash_of_the_content():
    assert WorkCalendar().id == WorkCalendar(CalendarSettings()).id
    assert WorkCalendar().id.startswith("calendar-")
    assert WorkCalendar(CalendarSettings(holidays={date(2026, 8, 14): "那达慕"})).id != WorkCalendar().id
