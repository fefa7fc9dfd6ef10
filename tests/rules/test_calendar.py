"""The working-time calendar: 调休, local days, the end of the coverage."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from chinese_calendar import constants

from intake.errors import ZhipaiError
from rules import CalendarSettings, WorkCalendar, load_pack
from rules.calendar import CalendarYear, Season, SpecialDay


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


# ---- what a pack says of its own place ------------------------------------------------------------------------------

LOCAL = """
calendar:
  office_hours: [["08:30", "12:00"], ["13:30", "17:30"]]
  seasons:
    - {from: "06-01", to: "08-31", office_hours: [["08:00", "11:30"], ["15:00", "18:00"]]}
  holidays:
    - {from: 2026-08-13, to: 2026-08-14, name: 那达慕}
    - {day: 2026-09-11, name: 地方纪念日}
  workdays:
    - {day: 2026-08-16, name: 那达慕}
"""
MANIFEST = "name: town\ntitle: 某镇\njurisdiction: 某镇\n"


def calendar_of(write_pack, text, **files) -> WorkCalendar:
    return WorkCalendar(load_pack(write_pack(pack=MANIFEST + text, **files)).calendar)


def test_a_pack_brings_local_holidays_make_up_days_and_seasonal_hours(write_pack):
    calendar = calendar_of(write_pack, LOCAL)
    assert [calendar.is_workday(date(2026, 8, day)) for day in (12, 13, 14, 15, 16)] == [
        True,
        False,
        False,
        False,
        True,
    ]
    assert calendar.why(date(2026, 8, 16)) == "那达慕调休上班"
    assert calendar.hours_on(date(2026, 5, 31))[-1][1] == time(17, 30)
    assert calendar.hours_on(date(2026, 6, 1))[-1][1] == time(18, 0)
    assert calendar.hours_on(date(2026, 8, 31))[-1][1] == time(18, 0)
    assert calendar.hours_on(date(2026, 9, 1))[-1][1] == time(17, 30)


def test_local_days_go_before_an_imported_year():
    year = CalendarYear(2026, (SpecialDay(date(2026, 8, 14), True, "某日", "某通知"),))
    local = WorkCalendar(CalendarSettings(holidays={date(2026, 8, 14): "那达慕"}), extra=[year])
    assert not local.is_workday(date(2026, 8, 14))


def test_a_season_may_run_over_the_turn_of_the_year():
    winter = Season((11, 15), (3, 15), ((time(9), time(17)),))
    days = [date(2026, 11, 14), date(2026, 11, 15), date(2026, 1, 1), date(2026, 3, 15), date(2026, 3, 16)]
    assert [winter.covers(day) for day in days] == [False, True, True, True, False]


def test_a_child_may_turn_its_parents_holiday_into_a_working_day(write_pack, tmp_path):
    write_pack(folder="parent", pack=MANIFEST.replace("town", "parent") + LOCAL)
    folder = write_pack(
        pack=MANIFEST + "extends: parent\ncalendar:\n  workdays: [{day: 2026-08-13, name: 照常}]\n", clauses="[]"
    )
    calendar = WorkCalendar(load_pack(folder, root=tmp_path).calendar)
    assert calendar.is_workday(date(2026, 8, 13)) and not calendar.is_workday(date(2026, 8, 14))
    assert calendar.hours_on(date(2026, 7, 1))[-1][1] == time(18, 0)


def test_office_hours_of_a_child_leave_its_parents_seasons_behind(write_pack, tmp_path):
    write_pack(folder="parent", pack=MANIFEST.replace("town", "parent") + LOCAL)
    hours = 'extends: parent\ncalendar:\n  office_hours: [["09:00", "17:00"]]\n'
    folder = write_pack(pack=MANIFEST + hours, clauses="[]")
    calendar = WorkCalendar(load_pack(folder, root=tmp_path).calendar)
    assert calendar.hours_on(date(2026, 7, 1)) == ((time(9), time(17)),)


@pytest.mark.parametrize(
    "text",
    [
        "holidays: [{day: 2026-08-13, name: 甲}]\n  workdays: [{day: 2026-08-13, name: 乙}]",
        "holidays: [{from: 2026-08-14, to: 2026-08-13, name: 甲}]",
        "holidays: [{from: 2026-08-14, to: 2027-08-14, name: 甲}]",
        "holidays: [{day: 2026-08-14, from: 2026-08-14, to: 2026-08-14, name: 甲}]",
        'seasons: [{from: "06-01", to: "08-31", office_hours: [["08:00", "11:30"]]}]',
        'office_hours: [["08:00", "11:30"]]\n  seasons: [{from: "06-31", to: "08-31", office_hours: [["08:00", "11:30"]]}]',
        'office_hours: [["08:00", "11:30"]]\n  seasons: [{from: "06-01", to: "08-31"}]',
        'office_hours: [["08:00", "11:30"]]\n  seasons: [{from: "06-01", to: "08-31", office_hours: [["08:00", "11:30"]]}, {from: "08-31", to: "09-01", office_hours: [["08:00", "11:30"]]}]',
    ],
)
def test_a_calendar_that_cannot_be_is_refused(write_pack, text):
    with pytest.raises(ZhipaiError) as caught:
        calendar_of(write_pack, f"calendar:\n  {text}\n")
    assert caught.value.code == "E3020"
