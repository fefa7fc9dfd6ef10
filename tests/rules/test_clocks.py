"""Clocks: one function decides every boundary. Tables for what people argue about; the oracle is beside it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from rules import CalendarSettings, WorkCalendar, is_overdue
from rules.calendar import Season
from rules.clocks import Duration, Suspension, count

ZONE = ZoneInfo("Asia/Shanghai")
HOURS = ((time(8, 30), time(12, 0)), (time(13, 30), time(17, 30)))
PLAIN, OFFICE = WorkCalendar(), WorkCalendar(CalendarSettings(office_hours=HOURS))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def pause(begin: str, end: str = "", reason: str = "挂账") -> Suspension:
    return Suspension(at(begin), at(end) if end else None, reason)


def due(amount: int, unit: str, start: str, calendar: WorkCalendar = PLAIN, **options) -> str:
    counted = count(Duration(amount, unit), at(start), calendar, **options)
    return counted if isinstance(counted, str) else counted[0].replace(tzinfo=None).isoformat()


# Columns: amount, unit, start, last second in time
TABLE = [
    (5, "工作日", "2026-05-06T09:00:00", "2026-05-12T23:59:59"),  # Saturday the 9th is a make-up working day
    (5, "工作日", "2026-05-06T00:00:00", "2026-05-12T23:59:59"),  # the first second of the day changes nothing
    (5, "工作日", "2026-05-06T23:59:59", "2026-05-12T23:59:59"),  # nor does the last
    (1, "工作日", "2026-05-08T18:00:00", "2026-05-09T23:59:59"),  # Friday evening: Saturday works
    (1, "工作日", "2026-05-15T18:00:00", "2026-05-18T23:59:59"),  # Friday evening: Monday
    (1, "工作日", "2026-05-16T12:00:00", "2026-05-18T23:59:59"),  # filed on a Saturday
    (1, "工作日", "2026-02-13T17:00:00", "2026-02-14T23:59:59"),  # before the Spring Festival, Saturday works
    (2, "工作日", "2026-02-13T17:00:00", "2026-02-24T23:59:59"),  # across the whole Spring Festival
    (5, "工作日", "2026-09-30T10:00:00", "2026-10-13T23:59:59"),  # National Day, Saturday the 10th works
    (1, "工作日", "2023-12-29T10:00:00", "2024-01-02T23:59:59"),  # across the year
    (1, "自然日", "2026-05-06T09:00:00", "2026-05-07T23:59:59"),
    (3, "自然日", "2026-05-06T09:00:00", "2026-05-09T23:59:59"),  # ends on a working Saturday: stays
    (4, "自然日", "2026-05-06T09:00:00", "2026-05-11T23:59:59"),  # ends on a Sunday: rolls on to Monday
    (1, "自然日", "2026-09-30T09:00:00", "2026-10-08T23:59:59"),  # rolls on across National Day
    (15, "自然日", "2024-02-15T09:00:00", "2024-03-01T23:59:59"),  # 29 February counts
    (24, "小时", "2026-05-09T10:30:15", "2026-05-10T10:30:15"),  # through the night, no holiday
    (24, "小时", "2026-09-30T23:59:59", "2026-10-01T23:59:59"),  # hours never roll
    (30, "分钟", "2026-05-06T23:45:00", "2026-05-07T00:15:00"),
]  # fmt: skip


@pytest.mark.parametrize(("amount", "unit", "start", "expected"), TABLE)
def test_deadline_without_office_hours(amount, unit, start, expected):
    assert due(amount, unit, start) == expected


OFFICE_TABLE = [
    (5, "工作日", "2026-05-06T09:00:00", "2026-05-12T17:30:00"),  # 第二百零三条: the end of business
    (4, "自然日", "2026-05-06T09:00:00", "2026-05-11T17:30:00"),
    (2, "工作小时", "2026-05-06T09:00:00", "2026-05-06T11:00:00"),
    (2, "工作小时", "2026-05-06T10:00:00", "2026-05-06T12:00:00"),  # exactly at the closing
    (2, "工作小时", "2026-05-06T11:00:00", "2026-05-06T14:30:00"),  # across the noon break
    (2, "工作小时", "2026-05-06T12:30:00", "2026-05-06T15:30:00"),  # begins in the break
    (2, "工作小时", "2026-05-06T16:30:00", "2026-05-07T09:30:00"),  # over night
    (2, "工作小时", "2026-05-06T17:30:00", "2026-05-07T10:30:00"),  # begins exactly at the closing
    (2, "工作小时", "2026-05-08T17:00:00", "2026-05-09T10:00:00"),  # Saturday works
    (2, "工作小时", "2026-05-15T17:00:00", "2026-05-18T10:00:00"),  # over a weekend
    (8, "工作小时", "2026-05-06T06:00:00", "2026-05-07T09:00:00"),  # 7.5 hours a day
]  # fmt: skip


@pytest.mark.parametrize(("amount", "unit", "start", "expected"), OFFICE_TABLE)
def test_deadline_with_office_hours(amount, unit, start, expected):
    assert due(amount, unit, start, OFFICE) == expected


def test_office_hours_are_not_guessed():
    assert "办公时间" in due(2, "工作小时", "2026-05-06T09:00:00")


@pytest.mark.parametrize(
    ("second", "overdue"),
    [(-1, False), (0, False), (1, True)],
)
def test_the_last_second_is_in_time_and_the_next_is_not(second, overdue):
    last = datetime(2026, 5, 12, 23, 59, 59, tzinfo=ZONE)
    assert is_overdue(last, last + timedelta(seconds=second)) is overdue
    assert is_overdue(last, last.replace(microsecond=999_999)) is False


def test_start_in_another_zone_is_read_in_the_zone_of_the_pack():
    start = datetime(2026, 5, 5, 16, 30, tzinfo=UTC)  # already the 6th in Shanghai
    counted = count(Duration(1, "工作日"), start, PLAIN)
    assert not isinstance(counted, str)
    assert counted[0] == datetime(2026, 5, 7, 23, 59, 59, tzinfo=ZONE)


@pytest.mark.parametrize("unit", ["工作日", "自然日", "工作小时"])
def test_past_the_end_of_the_calendar_nothing_is_guessed(unit):
    end = PLAIN.coverage_end
    start = datetime.combine(end, time(18, 0), ZONE)
    counted = count(Duration(2, unit), start, OFFICE)
    assert isinstance(counted, str)
    assert str(end) in counted


def test_hours_need_no_calendar():
    start = datetime.combine(PLAIN.coverage_end, time(18, 0), ZONE)
    counted = count(Duration(24, "小时"), start, PLAIN)
    assert not isinstance(counted, str)


def test_each_counted_day_says_why():
    counted = count(Duration(2, "自然日"), datetime(2026, 5, 8, 9, tzinfo=ZONE), PLAIN)
    assert not isinstance(counted, str)
    days = [(str(one.day), one.counted, one.why) for one in counted[1]]
    assert days == [
        ("2026-05-08", False, "起算当日不计"),
        ("2026-05-09", True, "劳动节调休上班"),
        ("2026-05-10", True, "周日"),
        ("2026-05-11", False, "末日休息，顺延：周一"),
    ]


MORE = [
    (1, "自然日", "2024-02-28T09:00:00", "2024-02-29T23:59:59"),  # leap day
    (1, "自然日", "2026-02-14T23:59:59", "2026-02-24T23:59:59"),  # Spring Festival 2026: rolls on over nine days
    (10, "自然日", "2026-02-14T00:00:00", "2026-02-24T23:59:59"),  # and so does the tenth day
    (1, "工作日", "2026-02-24T00:00:00", "2026-02-25T23:59:59"),
    (1, "工作日", "2026-02-27T09:00:00", "2026-02-28T23:59:59"),  # Saturday works, to make up
    (1, "小时", "2026-05-06T23:59:59", "2026-05-07T00:59:59"),
    (48, "小时", "2024-02-28T00:00:00", "2024-03-01T00:00:00"),
    (1, "自然日", "2026-12-30T09:00:00", "2026-12-31T23:59:59"),  # the last day that the calendar knows
]  # fmt: skip


@pytest.mark.parametrize(("amount", "unit", "start", "expected"), MORE)
def test_edges_of_days_and_years(amount, unit, start, expected):
    assert due(amount, unit, start) == expected


def test_one_day_past_the_last_is_told_with_the_day_on_which_the_calendar_ends():
    assert "2026-12-31" in due(1, "自然日", "2026-12-31T09:00:00")


SUSPENDED = [
    # amount, unit, start, suspension, last second in time
    (5, "工作日", "2026-05-06T09:00:00", ("2026-05-07T10:00:00", "2026-05-07T10:01:00"), "2026-05-13T23:59:59"),  # a touch
    (5, "工作日", "2026-05-06T09:00:00", ("2026-05-07T00:00:00", "2026-05-08T00:00:00"), "2026-05-13T23:59:59"),  # one day
    (5, "工作日", "2026-05-06T09:00:00", ("2026-05-06T10:00:00", "2026-05-06T18:00:00"), "2026-05-12T23:59:59"),  # first day
    (5, "工作日", "2026-05-06T09:00:00", ("2026-05-10T00:00:00", "2026-05-11T00:00:00"), "2026-05-12T23:59:59"),  # a Sunday
    (5, "工作日", "2026-05-06T09:00:00", ("2026-05-12T23:59:59", "2026-05-13T00:00:00"), "2026-05-13T23:59:59"),  # last second
    (5, "工作日", "2026-05-06T09:00:00", ("2026-05-13T00:00:00", "2026-05-20T00:00:00"), "2026-05-12T23:59:59"),  # too late
    (5, "工作日", "2026-05-06T09:00:00", ("2026-05-01T00:00:00", "2026-05-06T00:00:00"), "2026-05-12T23:59:59"),  # before
    (4, "自然日", "2026-05-06T09:00:00", ("2026-05-11T00:00:00", "2026-05-12T00:00:00"), "2026-05-12T23:59:59"),  # roll-on
    (2, "小时", "2026-05-06T09:00:00", ("2026-05-06T10:00:00", "2026-05-06T10:30:15"), "2026-05-06T11:30:15"),
    (2, "小时", "2026-05-06T09:00:00", ("2026-05-06T11:00:00", "2026-05-07T11:00:00"), "2026-05-06T11:00:00"),  # just done
    (2, "小时", "2026-05-06T09:00:00", ("2026-05-06T08:00:00", "2026-05-06T09:30:00"), "2026-05-06T11:30:00"),  # at start
]  # fmt: skip


@pytest.mark.parametrize(("amount", "unit", "start", "span", "expected"), SUSPENDED)
def test_suspended_time_does_not_count(amount, unit, start, span, expected):
    assert due(amount, unit, start, suspensions=[pause(*span)]) == expected


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (("2026-05-06T10:00:00", "2026-05-06T11:00:00"), "2026-05-06T14:30:00"),  # within the morning
        (
            ("2026-05-06T11:30:00", "2026-05-06T14:00:00"),
            "2026-05-06T14:30:00",
        ),  # an hour of office time, and the break
        (("2026-05-06T12:00:00", "2026-05-06T13:30:00"), "2026-05-06T12:00:00"),  # the break itself
        (("2026-05-06T09:00:00", "2026-05-07T00:00:00"), "2026-05-07T10:30:00"),  # the whole day
    ],
)
def test_working_hours_leave_out_exactly_the_suspended_office_time(span, expected):
    found = due(2, "工作小时", "2026-05-06T10:00:00", OFFICE, suspensions=[pause(*span)])
    assert found == expected


def test_suspensions_may_overlap_and_come_in_any_order():
    two = [pause("2026-05-06T10:00:00", "2026-05-06T12:00:00"), pause("2026-05-06T09:30:00", "2026-05-06T11:00:00")]
    assert due(1, "小时", "2026-05-06T09:00:00", suspensions=two) == "2026-05-06T12:30:00"


@pytest.mark.parametrize("unit", ["工作日", "自然日", "小时", "工作小时"])
def test_while_a_suspension_goes_on_nothing_is_guessed(unit):
    cause = due(5, unit, "2026-05-06T09:00:00", OFFICE, suspensions=[pause("2026-05-06T10:00:00", reason="检测鉴定")])
    assert "检测鉴定" in cause and "2026-05-06 10:00" in cause


def test_a_suspension_that_begins_after_the_end_leaves_it_alone_even_while_it_goes_on():
    assert due(1, "小时", "2026-05-06T09:00:00", suspensions=[pause("2026-05-06T10:00:00")]) == "2026-05-06T10:00:00"


def test_the_reason_stands_at_each_day_that_a_suspension_takes():
    counted = count(
        Duration(1, "工作日"), at("2026-05-06T09:00:00"), PLAIN,
        suspensions=[pause("2026-05-07T10:00:00", "2026-05-08T10:00:00", "检测鉴定")],
    )  # fmt: skip
    assert not isinstance(counted, str)
    days = [(str(one.day), one.counted, one.why) for one in counted[1]]
    assert days == [
        ("2026-05-06", False, "起算当日不计"),
        ("2026-05-07", False, "检测鉴定，不计入期限"),
        ("2026-05-08", False, "检测鉴定，不计入期限"),
        ("2026-05-09", True, "劳动节调休上班"),
    ]


def test_hours_are_explained_day_by_day():
    counted = count(
        Duration(24, "小时"), at("2026-05-06T23:30:00"), PLAIN,
        suspensions=[pause("2026-05-07T01:00:00", "2026-05-07T02:00:00", "停电")],
    )  # fmt: skip
    assert not isinstance(counted, str)
    assert [(str(one.day), one.counted, one.why) for one in counted[1]] == [
        ("2026-05-06", True, "连续计时 30分钟"),
        ("2026-05-07", True, "连续计时 23小时；停电，不计入期限"),
        ("2026-05-08", True, "连续计时 30分钟"),
    ]


EXTENDED = [
    (5, "工作日", "2026-05-06T09:00:00", Duration(5, "工作日"), "2026-05-19T23:59:59"),
    (4, "自然日", "2026-05-06T09:00:00", Duration(1, "自然日"), "2026-05-12T23:59:59"),  # from where the first rolled to
    (24, "小时", "2026-05-06T09:00:00", Duration(1, "工作日"), "2026-05-08T23:59:59"),
    (1, "工作日", "2026-05-06T09:00:00", Duration(2, "小时"), "2026-05-08T01:59:59"),
    (5, "工作日", "2026-09-22T09:00:00", Duration(1, "工作日"), "2026-10-08T23:59:59"),  # to 30 September, on from there
]  # fmt: skip


@pytest.mark.parametrize(("amount", "unit", "start", "extension", "expected"), EXTENDED)
def test_an_extension_counts_on_from_the_first_end(amount, unit, start, extension, expected):
    assert due(amount, unit, start, extension=extension) == expected


def test_an_extension_is_marked_in_the_count_and_the_first_end_is_not_told_twice():
    counted = count(Duration(1, "工作日"), at("2026-05-06T09:00:00"), PLAIN, extension=Duration(1, "工作日"))
    assert not isinstance(counted, str)
    assert [(str(one.day), one.why) for one in counted[1]] == [
        ("2026-05-06", "起算当日不计"),
        ("2026-05-07", "周四"),
        ("2026-05-08", "延期：周五"),
    ]


def test_an_extension_past_the_calendar_is_not_guessed():
    assert "2026-12-31" in due(1, "工作日", "2026-12-29T09:00:00", extension=Duration(5, "工作日"))


SUMMER = WorkCalendar(
    CalendarSettings(
        office_hours=HOURS, seasons=(Season((6, 1), (8, 31), ((time(8, 0), time(11, 30)), (time(15, 0), time(18, 0)))),)
    )
)


@pytest.mark.parametrize(
    ("amount", "unit", "start", "expected"),
    [
        (1, "工作日", "2026-05-29T09:00:00", "2026-06-01T18:00:00"),  # the first day of the summer hours
        (1, "工作日", "2026-08-31T09:00:00", "2026-09-01T17:30:00"),  # the first day after them
        (2, "工作小时", "2026-06-01T11:00:00", "2026-06-01T16:30:00"),
        (1, "工作小时", "2026-08-31T17:30:00", "2026-09-01T09:00:00"),  # half an hour on each side
    ],
)
def test_office_hours_change_with_the_season(amount, unit, start, expected):
    assert due(amount, unit, start, SUMMER) == expected


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (at("2026-05-06T10:00:00"), at("2026-05-06T10:00:00")),
        (at("2026-05-06T10:00:00"), at("2026-05-06T09:00:00")),
        (datetime(2026, 5, 6, 10), at("2026-05-06T12:00:00")),
        (at("2026-05-06T10:00:00"), datetime(2026, 5, 6, 12)),
    ],
)
def test_a_suspension_that_cannot_be_is_refused(begin, end):
    with pytest.raises(ZhipaiError) as caught:
        Suspension(begin, end)
    assert caught.value.code == "E3231"
