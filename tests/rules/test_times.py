"""Facts from instants: at the last second in time and the next, and with the reason where they cannot be reckoned."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from intake.errors import ZhipaiError
from rules import WorkCalendar, evaluate, load_pack
from rules.times import time_facts

LIMITS = """
- {id: sign_in, title: 签收时限, stage: sign_in, values: [{amount: 2, unit: 小时, clause: town-2020#1}]}
- {id: return_window, title: 退回时限, stage: return, values: [{amount: 1, unit: 工作日, clause: town-2020#1}]}
- {id: first_contact, title: 首次联系时限, stage: first_contact, note: 办法没有写。}
- {id: resolve, title: 办结时限, stage: resolve, values: [{amount: 5, unit: 工作日, clause: town-2020#1}]}
- {id: urgent, title: 紧急办结时限, stage: resolve, urgencies: [紧急], values: [{amount: 24, unit: 小时, clause: town-2020#1}]}
"""
PARAMETERS = """
- id: exclusion_apply_workdays
  title: 申请不纳入考核的最长工作日数
  type: int
  unit: 工作日
  values: [{value: 3, clause: town-2020#1}]
"""
DISPATCHED = "2026-05-06T09:00:00+08:00"  # a Wednesday; the Saturday after is a working day (调休)


@pytest.fixture
def reckon(write_pack, as_of):
    def run(facts: dict[str, object], *, limits: str = LIMITS, parameters: str = PARAMETERS, at: datetime = as_of):
        pack = load_pack(write_pack(limits=limits, parameters=parameters))
        return time_facts(pack, facts, as_of=at, calendar=WorkCalendar(pack.calendar))

    return run


@pytest.mark.parametrize(
    ("name", "event", "last"),
    [
        ("sign_in_in_time", "signed_at", "2026-05-06T11:00:00+08:00"),
        ("return_in_window", "return_requested_at", "2026-05-07T23:59:59+08:00"),
        ("extension_in_time", "extension_requested_at", "2026-05-12T23:59:59+08:00"),
        ("suspension_in_time", "suspension_requested_at", "2026-05-12T23:59:59+08:00"),
    ],
)
def test_the_last_second_is_in_time_and_the_next_is_not(reckon, name, event, last):
    facts = {"dispatched_at": DISPATCHED, "kind": "投诉"}
    late = (datetime.fromisoformat(last) + timedelta(seconds=1)).isoformat()
    assert reckon(facts | {event: last})[0][name] is True
    assert reckon(facts | {event: late})[0][name] is False


def test_exclusion_is_counted_in_working_days_after_the_callback(reckon):
    facts = {"callback_at": "2026-05-07T10:00:00+08:00"}
    days = ["2026-05-11T23:59:59+08:00", "2026-05-12T00:00:00+08:00"]  # Saturday the 9th is a working day
    found = [reckon(facts | {"exclusion_requested_at": day})[0]["exclusion_in_time"] for day in days]
    assert found == [True, False]


def test_an_order_without_reply_is_overdue_by_as_of(reckon):
    facts = {"dispatched_at": DISPATCHED}
    due = datetime.fromisoformat("2026-05-12T23:59:59+08:00")
    assert reckon(facts, at=due)[0]["overdue"] is False
    assert reckon(facts, at=due + timedelta(seconds=1))[0]["overdue"] is True
    replied = facts | {"replied_at": "2026-05-11T10:00:00+08:00"}
    assert reckon(replied, at=due + timedelta(days=9))[0]["overdue"] is False


def test_the_due_instant_of_the_order_goes_before_the_limit(reckon, as_of):
    assert reckon({"due_at": as_of.isoformat()})[0]["overdue"] is False
    assert (
        reckon({"dispatched_at": DISPATCHED, "due_at": (as_of - timedelta(days=1)).isoformat()})[0]["overdue"] is True
    )


def test_urgency_chooses_the_limit(reckon):
    facts = {"dispatched_at": DISPATCHED, "replied_at": "2026-05-07T09:00:01+08:00"}
    assert reckon(facts)[0]["overdue"] is False
    assert reckon(facts | {"urgency": "紧急"})[0]["overdue"] is True


def test_after_an_extension_the_order_is_due_as_it_says_itself(reckon):
    facts = {"dispatched_at": DISPATCHED, "extension_approved_at": "2026-05-12T10:00:00+08:00"}
    facts |= {"extension_requested_at": "2026-05-13T10:00:00+08:00"}
    found, reasons = reckon(facts)
    assert "overdue" not in found
    assert reasons["overdue"] == "缺少事实：办结到期时刻（due_at）"
    # The request is measured by the day before the extension, whatever due_at says now.
    found, _ = reckon(facts | {"due_at": "2026-05-26T23:59:59+08:00"})
    assert (found["extension_in_time"], found["overdue"]) == (False, False)


@pytest.mark.parametrize(
    ("contact", "early"), [("2026-05-08T10:00:01+08:00", True), ("2026-05-08T10:00:00+08:00", False)]
)
def test_a_reply_before_the_first_contact_is_seen(reckon, contact, early):
    facts = {"replied_at": "2026-05-08T10:00:00+08:00", "first_contact_at": contact}
    assert reckon(facts)[0]["replied_before_contact"] is early


@pytest.mark.parametrize(
    ("facts", "name", "reason"),
    [
        ({"dispatched_at": DISPATCHED, "first_contact_at": DISPATCHED}, "first_contact_in_time", "参数未填：首次联系时限（first_contact）"),
        ({"return_requested_at": DISPATCHED}, "return_in_window", "缺少事实：派单时刻（dispatched_at）"),
        ({"exclusion_requested_at": DISPATCHED}, "exclusion_in_time", "缺少事实：回访时刻（callback_at）"),
        ({"replied_at": DISPATCHED}, "replied_before_contact", "缺少事实：首次联系时刻（first_contact_at）"),
        ({"dispatched_at": "2050-01-03T09:00:00+08:00", "return_requested_at": DISPATCHED}, "return_in_window", "日历只有"),
    ],
)  # fmt: skip
def test_what_cannot_be_reckoned_says_why(reckon, facts, name, reason):
    found, reasons = reckon(facts)
    assert name not in found
    assert reasons[name].startswith(reason)


@pytest.mark.parametrize("parameters", ["[]", PARAMETERS[: PARAMETERS.index("values")] + "note: 没有写。"])
def test_a_parameter_that_is_not_filled_is_named(reckon, parameters):
    facts = {"exclusion_requested_at": DISPATCHED, "callback_at": DISPATCHED}
    reason = reckon(facts, parameters=parameters)[1]["exclusion_in_time"]
    assert reason.startswith("参数未填：申请不纳入考核的")
    assert "（exclusion_apply_workdays）" in reason


def test_a_pack_without_the_stage_says_so(reckon):
    found, reasons = reckon({"dispatched_at": DISPATCHED}, limits="[]")
    assert set(reasons) == {"overdue", "hours_to_due", "handling_period_ended", "statutory_limit_compared"}
    assert set(reasons.values()) == {"参数未填：某镇没有办结时限"}
    assert "overdue" not in found


def test_nothing_is_reckoned_from_nothing_and_given_facts_stay(reckon):
    assert reckon({}) == ({}, {})
    given = {"overdue": False, "dispatched_at": "2020-05-06T09:00:00+08:00"}
    assert reckon(given)[0]["overdue"] is False


def test_the_reasons_reach_the_verdict(write_pack, as_of):
    rule = (
        "- {id: TN-RET-001, title: 逾期退回, gate: return, when: {fact: return_in_window, is: false}, verdict: forbid,"
        " severity: block, disposition: {action: 不予退回, tell: ''}, clause: town-2020#1}"
    )
    limits = "- {id: return_window, title: 退回时限, stage: return, note: 没有写。}"
    pack = load_pack(write_pack(rules=rule, limits=limits))
    given = {"dispatched_at": DISPATCHED, "return_requested_at": DISPATCHED}
    facts, reasons = time_facts(pack, given, as_of=as_of, calendar=WorkCalendar(pack.calendar))
    (found,) = evaluate(pack, facts, as_of=as_of, reasons=reasons)
    assert (found.state, found.cause) == ("not_evaluated", "参数未填：退回时限（return_window）")


def test_an_instant_without_a_zone_is_refused(reckon):
    with pytest.raises(ZhipaiError, match="带时区的时刻") as caught:
        reckon({"dispatched_at": "2026-05-06T09:00:00"})
    assert caught.value.code == "E3203"


@pytest.mark.parametrize(
    ("at", "hours", "ended"),
    [
        ("2026-05-12T20:59:59+08:00", 3, False),
        ("2026-05-12T21:00:00+08:00", 2, False),
        ("2026-05-12T23:59:59+08:00", 0, False),
        ("2026-05-13T00:00:00+08:00", -1, True),
    ],
)
def test_hours_to_due_are_whole_hours_and_the_period_ends_after_the_last_second(reckon, at, hours, ended):
    found, _ = reckon({"dispatched_at": DISPATCHED}, at=datetime.fromisoformat(at))
    assert (found["hours_to_due"], found["handling_period_ended"]) == (hours, ended)


@pytest.mark.parametrize(("days", "said"), [(4, "较短"), (5, "相同"), (6, "较长")])
def test_the_latest_statutory_clock_is_compared_with_the_hotlines(reckon, days, said):
    track = "- {id: gas, title: 处理, stage: statutory, track: 燃气法, when: {fact: sector_gas, is: true},"
    limits = LIMITS + f"{track} values: [{{amount: {days}, unit: 工作日, clause: town-2020#1}}]}}\n"
    facts = {"dispatched_at": DISPATCHED, "sector_gas": True}
    assert reckon(facts, limits=limits)[0]["statutory_limit_compared"] == said
    assert "statutory_limit_compared" not in reckon(facts | {"sector_gas": False}, limits=limits)[0]
