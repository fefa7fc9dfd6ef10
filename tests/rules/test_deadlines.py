"""Deadlines: one function decides every boundary. Tables for what people argue about, an oracle for the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.errors import ZhipaiError
from rules import CalendarSettings, WorkCalendar, compute_deadlines, is_overdue, load_pack
from rules.deadlines import count
from rules.limit import LimitValue

ZONE = ZoneInfo("Asia/Shanghai")
HOURS = ((time(8, 30), time(12, 0)), (time(13, 30), time(17, 30)))
PLAIN, OFFICE = WorkCalendar(), WorkCalendar(CalendarSettings(office_hours=HOURS))


def value(amount: int, unit: str) -> LimitValue:
    return LimitValue(amount, unit, "town-2020#1", date(2020, 1, 1), None)


def due(amount: int, unit: str, start: str, calendar: WorkCalendar = PLAIN) -> str:
    counted = count(value(amount, unit), datetime.fromisoformat(start).replace(tzinfo=ZONE), calendar)
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
    counted = count(value(1, "工作日"), start, PLAIN)
    assert not isinstance(counted, str)
    assert counted[0] == datetime(2026, 5, 7, 23, 59, 59, tzinfo=ZONE)


@pytest.mark.parametrize("unit", ["工作日", "自然日", "工作小时"])
def test_past_the_end_of_the_calendar_nothing_is_guessed(unit):
    end = PLAIN.coverage_end
    start = datetime.combine(end, time(18, 0), ZONE)
    counted = count(value(2, unit), start, OFFICE)
    assert isinstance(counted, str)
    assert str(end) in counted


def test_hours_need_no_calendar():
    start = datetime.combine(PLAIN.coverage_end, time(18, 0), ZONE)
    counted = count(value(24, "小时"), start, PLAIN)
    assert not isinstance(counted, str)


def test_each_counted_day_says_why():
    counted = count(value(2, "自然日"), datetime(2026, 5, 8, 9, tzinfo=ZONE), PLAIN)
    assert not isinstance(counted, str)
    days = [(str(one.day), one.counted, one.why) for one in counted[1]]
    assert days == [
        ("2026-05-08", False, "起算当日不计"),
        ("2026-05-09", True, "劳动节调休上班"),
        ("2026-05-10", True, "周日"),
        ("2026-05-11", False, "末日休息，顺延：周一"),
    ]


# ---- an oracle that walks second by second of the day, with nothing in common with the function under test ----------


def walk(amount: int, unit: str, start: datetime, calendar: WorkCalendar) -> datetime | None:
    """Day by day, by the words of the Civil Code; None past the coverage."""
    last = start.date()
    counted = 0
    while counted < amount:
        last = last + timedelta(days=1)
        if last > calendar.coverage_end:
            return None
        counted += 1 if unit == "自然日" or calendar.is_workday(last) else 0
    while not calendar.is_workday(last):
        last = last + timedelta(days=1)
        if last > calendar.coverage_end:
            return None
    closing = calendar.office_hours[-1][1] if calendar.office_hours else time(23, 59, 59)
    return datetime.combine(last, closing, ZONE)


def walk_minutes(amount: int, start: datetime, calendar: WorkCalendar) -> datetime:
    """Office hours minute by minute."""
    left, minute = amount * 60, start
    while left > 0:
        opened = calendar.is_workday(minute.date()) and any(
            opening <= minute.time() and minute.time() < closing for opening, closing in calendar.office_hours
        )
        left -= opened
        minute += timedelta(minutes=1)
    return minute


START = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2026, 12, 31, 23, 59, 59)).map(
    lambda moment: moment.replace(tzinfo=ZONE, microsecond=0, fold=0)
)


@settings(max_examples=300, deadline=None)
@given(
    amount=st.integers(1, 60),
    unit=st.sampled_from(["工作日", "自然日"]),
    start=START,
    calendar=st.sampled_from([PLAIN, OFFICE]),
)
def test_days_agree_with_a_day_by_day_walk(amount, unit, start, calendar):
    counted = count(value(amount, unit), start, calendar)
    expected = walk(amount, unit, start, calendar)
    assert (None if isinstance(counted, str) else counted[0]) == expected
    if not isinstance(counted, str):
        assert sum(one.counted for one in counted[1]) == amount
        assert calendar.is_workday(counted[0].date())


@settings(max_examples=60, deadline=None)
@given(
    amount=st.integers(1, 12),
    start=st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2026, 11, 1)).map(
        lambda moment: moment.replace(tzinfo=ZONE, second=0, microsecond=0, fold=0)
    ),
)
def test_office_hours_agree_with_a_minute_by_minute_walk(amount, start):
    counted = count(value(amount, "工作小时"), start, OFFICE)
    assert not isinstance(counted, str)
    assert counted[0] == walk_minutes(amount, start, OFFICE)


@settings(max_examples=100, deadline=None)
@given(amount=st.integers(1, 40), unit=st.sampled_from(["工作日", "自然日", "小时", "工作小时"]), start=START)
def test_a_later_start_is_never_due_earlier(amount, unit, start):
    first, second = (count(value(amount, unit), moment, OFFICE) for moment in (start, start + timedelta(hours=7)))
    if not isinstance(first, str) and not isinstance(second, str):
        assert first[0] <= second[0]


# ---- packs ----------------------------------------------------------------------------------------------------------

LIMITS = """
- id: resolve_general
  title: 一般办结时限
  stage: resolve
  values:
    - {amount: 7, unit: 工作日, clause: town-2020#1, effective_to: 2026-01-01}
    - {amount: 5, unit: 工作日, clause: town-2020#1, effective_from: 2026-01-01}
- id: resolve_question
  title: 咨询办结时限
  stage: resolve
  kinds: [咨询]
  values: [{amount: 3, unit: 工作日, clause: town-2020#1}]
- id: resolve_urgent_question
  title: 紧急咨询办结时限
  stage: resolve
  kinds: [咨询]
  urgencies: [紧急, 特急]
  values: [{amount: 24, unit: 小时, clause: town-2020#1}]
- id: sign_in
  title: 签收时限
  stage: sign_in
  note: 办法没有规定。
"""


@pytest.fixture
def town(write_pack):
    return load_pack(write_pack(limits=LIMITS))


def deadline(pack, stage="resolve", *, day="2026-05-06", **options):
    moment = datetime.fromisoformat(day).replace(hour=9, tzinfo=ZONE)
    arguments = {"kind": "投诉", "start": moment, "as_of": moment, "calendar": PLAIN} | options
    return next(one for one in compute_deadlines(pack, **arguments) if one.stage == stage)


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({"kind": "投诉"}, "5个工作日"),
        ({"kind": "咨询"}, "3个工作日"),
        ({"kind": "咨询", "urgency": "特急"}, "24小时"),
        ({"kind": "投诉", "urgency": "特急"}, "5个工作日"),
        ({"kind": "表扬"}, "5个工作日"),
        ({"kind": "投诉", "day": "2025-12-31"}, "7个工作日"),
        ({"kind": "投诉", "day": "2026-01-01"}, "5个工作日"),
    ],
)
def test_the_most_specific_limit_in_force_is_taken(town, options, limit):
    found = deadline(town, **options)
    assert (found.limit, found.state) == (limit, "computed")
    assert found.clause is not None and found.clause.id == "town-2020#1"


def test_limits_are_read_at_as_of_and_counted_from_start(town):
    start = datetime(2026, 1, 5, 9, tzinfo=ZONE)
    before = deadline(town, start=start, as_of=datetime(2025, 12, 31, 23, 59, tzinfo=ZONE))
    after = deadline(town, start=start, as_of=datetime(2026, 1, 1, 0, 0, tzinfo=ZONE))
    assert (before.limit, after.limit) == ("7个工作日", "5个工作日")
    assert after.due_at == datetime(2026, 1, 12, 23, 59, 59, tzinfo=ZONE)


def test_an_unknown_kind_leaves_limits_that_depend_on_it_open(town):
    found = deadline(town, kind="")
    assert (found.state, found.due_at) == ("not_evaluated", None)
    assert "诉求类型" in found.cause


def test_a_limit_without_a_value_says_which_parameter_to_fill(town):
    found = deadline(town, "sign_in")
    assert found.state == "not_evaluated"
    assert found.cause.startswith("参数未填：") and "签收时限" in found.cause and "办法没有规定" in found.cause


def test_a_limit_before_its_first_value_is_open(town):
    assert "在 2019-05-06 没有值" in deadline(town, day="2019-05-06").cause


def test_stages_come_in_their_order_and_as_json(town):
    moment = datetime(2026, 5, 6, 9, tzinfo=ZONE)
    found = compute_deadlines(town, kind="投诉", start=moment, as_of=moment, calendar=PLAIN)
    assert [one.stage for one in found] == ["sign_in", "resolve"]
    row = found[1].as_dict()
    assert set(row) == {"stage", "limit", "due_at", "state", "cause", "clause", "days"}
    assert row["due_at"] == "2026-05-12T23:59:59+08:00"
    assert row["days"][0] == {"date": "2026-05-06", "counted": False, "why": "起算当日不计"}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"start": datetime(2026, 5, 6)}, "E3201"),
        ({"as_of": datetime(2026, 5, 6)}, "E3201"),
        ({"urgency": "火急"}, "E3205"),
    ],
)
def test_wrong_arguments_are_refused(town, options, code):
    with pytest.raises(ZhipaiError) as caught:
        deadline(town, **options)
    assert caught.value.code == code


def test_year_end_orders_of_a_real_pack_are_left_open(as_of):
    pack = load_pack("weifang")
    calendar = WorkCalendar(pack.calendar)
    start = datetime.combine(calendar.coverage_end - timedelta(days=2), time(9), ZONE)
    found = deadline(pack, start=start, as_of=as_of, calendar=calendar)
    assert found.state == "not_evaluated" and found.limit == "5个工作日"
    assert str(calendar.coverage_end) in found.cause
