"""The deadlines of an order: which limit of a pack binds, from when it counts, what is told when it cannot be known."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from rules import WorkCalendar, compute_deadlines, load_pack
from rules.clocks import Duration, Suspension

ZONE = ZoneInfo("Asia/Shanghai")
PLAIN = WorkCalendar()

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
    assert set(row) == {"stage", "track", "title", "limit", "due_at", "state", "cause", "clause", "days"}
    assert (row["track"], row["title"]) == ("", "一般办结时限")
    assert row["due_at"] == "2026-05-12T23:59:59+08:00"
    assert row["days"][0] == {"date": "2026-05-06", "counted": False, "why": "起算当日不计"}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"start": datetime(2026, 5, 6)}, "E3201"),
        ({"as_of": datetime(2026, 5, 6)}, "E3201"),
        ({"urgency": "火急"}, "E3205"),
        ({"restarted_at": datetime(2026, 5, 7)}, "E3201"),
        ({"restarted_at": datetime(2026, 5, 6, 8, 59, tzinfo=ZONE)}, "E3232"),
        ({"facts": {"no_such_fact": True}}, "E3202"),
        ({"facts": {"kind": True}}, "E3203"),
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


# ---- the course of an order: re-dispatch, suspension, extension -------------------------------------------------------

FIRST = datetime(2026, 5, 6, 9, tzinfo=ZONE)
COURSE = """
- id: resolve
  title: 办结时限
  stage: resolve
  values: [{amount: 5, unit: 工作日, clause: town-2020#1}]
- id: sign_in
  title: 签收时限
  stage: sign_in
  values: [{amount: 2, unit: 小时, clause: town-2020#1}]
- id: consumer
  title: 处理投诉
  stage: resolve
  track: 消费者权益保护法
  values: [{amount: 7, unit: 工作日, clause: town-2020#1}]
"""


@pytest.fixture
def course(write_pack):
    pack = load_pack(write_pack(limits=COURSE))

    def found(**options) -> dict[str, str]:
        deadlines = compute_deadlines(pack, kind="投诉", start=FIRST, as_of=FIRST, calendar=PLAIN, facts={}, **options)
        assert len({one.key for one in deadlines}) == len(deadlines)
        return {one.key: f"{one.due_at:%m-%d %H:%M}" for one in deadlines}

    return found


def test_a_dispatch_that_stays_has_one_clock_for_each_stage(course):
    assert course() == {
        "sign_in": "05-06 11:00",
        "resolve": "05-12 23:59",
        "消费者权益保护法/resolve": "05-14 23:59",
    }


def test_a_redispatch_starts_the_unit_anew_while_the_whole_course_runs_on(course):
    assert course(restarted_at=datetime(2026, 5, 8, 15, tzinfo=ZONE)) == {
        "sign_in": "05-08 17:00",
        "resolve": "05-14 23:59",
        "resolve/全程": "05-12 23:59",
        "消费者权益保护法/resolve": "05-14 23:59",
    }


def test_only_the_whole_course_says_so_in_json(write_pack):
    pack = load_pack(write_pack(limits=COURSE))
    deadlines = compute_deadlines(
        pack, kind="投诉", start=FIRST, as_of=FIRST, calendar=PLAIN, restarted_at=FIRST + timedelta(days=2)
    )
    rows = [one.as_dict() for one in deadlines]
    assert [(row["stage"], row.get("whole_course")) for row in rows] == [
        ("sign_in", None),
        ("resolve", None),
        ("resolve", True),
    ]


def test_where_units_share_one_clock_a_redispatch_changes_nothing(course):
    assert course(restarted_at=datetime(2026, 5, 8, 15, tzinfo=ZONE), return_clock="run_on") == course()


def test_an_extension_reaches_the_hotlines_resolve_and_no_other_clock(course):
    assert course(extension=Duration(5, "工作日")) == {
        "sign_in": "05-06 11:00",
        "resolve": "05-19 23:59",
        "消费者权益保护法/resolve": "05-14 23:59",
    }


def test_an_extension_is_told_in_the_limit(write_pack):
    found = deadline(load_pack(write_pack(limits=COURSE)), extension=Duration(10, "工作日"))
    assert found.limit == "5个工作日，延期10个工作日"


def test_a_suspension_stops_every_clock(course):
    suspension = Suspension(FIRST + timedelta(hours=1), FIRST + timedelta(days=1), "检测鉴定")
    assert course(suspensions=[suspension]) == {
        "sign_in": "05-07 10:00",
        "resolve": "05-13 23:59",
        "消费者权益保护法/resolve": "05-15 23:59",
    }
