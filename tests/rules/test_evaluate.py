"""The reference evaluator: three states, order, dates, and what a verdict carries."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from rules import evaluate
from rules.ast import Group, Leaf, negate
from rules.evaluate import judge

A, B = Leaf("return_requested", "is", (True,)), Leaf("designated_by_ruling", "is", (True,))
THREE = (True, False, None)


def facts_for(left: bool | None, right: bool | None) -> dict[str, bool]:
    pairs = {"return_requested": left, "designated_by_ruling": right}
    return {name: value for name, value in pairs.items() if value is not None}


@pytest.mark.parametrize(("left", "right"), list(product(THREE, THREE)))
def test_all_and_any_follow_kleene(left, right):
    outcomes = (left, right)
    both = False if False in outcomes else None if None in outcomes else True
    either = True if True in outcomes else None if None in outcomes else False
    facts = facts_for(left, right)
    assert judge(Group("all", (A, B)), facts).outcome is both
    assert judge(Group("any", (A, B)), facts).outcome is either


@pytest.mark.parametrize(
    ("op", "values", "value", "outcome"),
    [
        ("lt", (3,), 2, True),
        ("lt", (3,), 3, False),
        ("lte", (3,), 3, True),
        ("lte", (3,), 4, False),
        ("gt", (3,), 3, False),
        ("gt", (3,), 4, True),
        ("gte", (3,), 3, True),
        ("gte", (3,), 2, False),
        ("between", (3, 5), 2, False),
        ("between", (3, 5), 3, True),
        ("between", (3, 5), 5, True),
        ("between", (3, 5), 6, False),
        ("in", (3, 5), 4, False),
        ("in", (3, 5), 5, True),
        ("not_in", (3, 5), 5, False),
        ("is_not", (3,), 4, True),
    ],
)
def test_leaf_decides_at_its_boundary_and_its_opposite_decides_otherwise(op, values, value, outcome):
    leaf = Leaf("missing_count", op, values)
    assert judge(leaf, {"missing_count": value}).outcome is outcome
    assert judge(negate(leaf), {"missing_count": value}).outcome is not outcome
    assert judge(leaf, {}).outcome is None
    assert judge(negate(leaf), {}).outcome is None


@pytest.mark.parametrize(("op", "facts", "outcome"), [
    ("present", {"missing_count": 0}, True),
    ("present", {}, False),
    ("missing", {"missing_count": 0}, False),
    ("missing", {}, True),
])  # fmt: skip
def test_presence_is_never_unknown(op, facts, outcome):
    assert judge(Leaf("missing_count", op), facts).outcome is outcome


def test_verdict_carries_clause_values_and_disposition(one_rule, as_of):
    pack = one_rule("{all: [{fact: return_requested, is: true}, {fact: designated_by_ruling, is: true}]}")
    (hit,) = evaluate(pack, {"return_requested": True, "designated_by_ruling": True}, as_of=as_of)
    (passed,) = evaluate(pack, {"designated_by_ruling": False}, as_of=as_of)
    (unknown,) = evaluate(pack, {"return_requested": True}, as_of=as_of)
    assert [hit.state, passed.state, unknown.state] == ["hit", "pass", "not_evaluated"]
    assert hit.disposition is not None and hit.disposition.action == "处置"
    assert passed.disposition is None and unknown.disposition is None
    assert passed.values == {"return_requested": None, "designated_by_ruling": False}
    assert hit.pack_id == pack.id and hit.pack_id.startswith("town@") and len(hit.pack_id) == len("town@") + 12
    assert "designated_by_ruling" in unknown.cause and "需核实：" in unknown.cause
    assert hit.cause == "" and passed.cause == ""
    row = hit.as_dict()
    assert row["clause"]["article"] == "第一条" and row["clause"]["effective_from"] == "2020-01-01"
    assert row["disposition"] == {"action": "处置", "tell": "告知"} and row["effect"] == "forbid"


def test_cause_names_only_the_facts_that_leave_the_outcome_open(one_rule, as_of):
    pack = one_rule(
        "{any: [{all: [{fact: return_requested, is: true}, {fact: within_statutory_duty, is: true}]},"
        " {fact: designated_by_ruling, is: true}]}"
    )
    (verdict,) = evaluate(pack, {"return_requested": False}, as_of=as_of)
    assert "designated_by_ruling" in verdict.cause
    assert "within_statutory_duty" not in verdict.cause


@pytest.mark.parametrize(
    ("instant", "speaks"),
    [
        (datetime(2024, 2, 28, 23, 59, 59, tzinfo=ZoneInfo("Asia/Shanghai")), False),
        (datetime(2024, 2, 29, 0, 0, 0, tzinfo=ZoneInfo("Asia/Shanghai")), True),
        (datetime(2024, 2, 28, 15, 59, 59, tzinfo=UTC), False),
        (datetime(2024, 2, 28, 16, 0, 0, tzinfo=UTC), True),  # already the next day in the zone of the pack
        (datetime(2024, 3, 31, 23, 59, 59, tzinfo=ZoneInfo("Asia/Shanghai")), True),
        (datetime(2024, 4, 1, 0, 0, 0, tzinfo=ZoneInfo("Asia/Shanghai")), False),
    ],
)
def test_rule_speaks_from_its_first_day_until_the_day_before_its_end(one_rule, instant, speaks):
    pack = one_rule("{fact: return_requested, is: true}", effective_from="2024-02-29", effective_to="2024-04-01")
    assert len(evaluate(pack, {}, as_of=instant)) == speaks


def test_rule_without_dates_inherits_those_of_its_clause(one_rule):
    pack = one_rule("{fact: return_requested, is: true}")
    (rule,) = pack.rules
    assert (str(rule.effective_from), str(rule.effective_to)) == ("2020-01-01", "2030-01-01")


def test_order_is_by_priority_then_id(write_pack, as_of):
    from rules import load_pack

    rule = (
        "- {{id: {id}, title: 某, gate: return, when: {{fact: return_requested, is: true}}, verdict: allow,"
        " severity: info, disposition: {{action: 某, tell: 某}}, clause: town-2020#1, priority: {priority}}}\n"
    )
    rows = [("TN-RET-003", 5), ("TN-RET-001", 9), ("TN-RET-002", 9), ("TN-RET-009", 1)]
    text = "".join(rule.format(id=name, priority=priority) for name, priority in rows)
    pack = load_pack(write_pack(rules=text))
    ids = [verdict.rule_id for verdict in evaluate(pack, {}, as_of=as_of)]
    assert ids == ["TN-RET-009", "TN-RET-003", "TN-RET-001", "TN-RET-002"]


@pytest.mark.parametrize(
    ("facts", "arguments", "code"),
    [
        ({"no_such_fact": True}, {}, "E3202"),
        ({"return_requested": "是"}, {}, "E3203"),
        ({"return_requested": 1}, {}, "E3203"),
        ({"related_count": True}, {}, "E3203"),
        ({"related_count": 2**53}, {}, "E3203"),
        ({"related_count": 1.0}, {}, "E3203"),
        ({"kind": "表扬"}, {}, "E3203"),
        ({"channel": "\ud800"}, {}, "E3203"),
        ({"channel": "长" * 2001}, {}, "E3203"),
        ({}, {"gate": "lunch"}, "E3204"),
        ({}, {"as_of": datetime(2026, 1, 1)}, "E3201"),
    ],
)
def test_wrong_arguments_are_refused_with_a_code(one_rule, as_of, facts, arguments, code):
    pack = one_rule("{fact: return_requested, is: true}")
    with pytest.raises(ZhipaiError) as caught:
        evaluate(pack, facts, **({"as_of": as_of} | arguments))
    assert caught.value.code == code
    assert "长长" not in str(caught.value)  # the value never reaches a message


def test_a_short_trace_has_the_same_outcome_and_the_same_gaps():
    parts = [A, B, Leaf("returned_count", "gte", (), "return_max_count"), Leaf("unit_dispute", "missing")]
    for op, (left, right) in product(("all", "any"), product(THREE, THREE)):
        condition = Group(op, (Group("any", (parts[0], parts[2])), Group("all", (parts[1], parts[3])), parts[0]))
        full, brief = (judge(condition, facts_for(left, right), brief=brief) for brief in (False, True))
        assert (brief.outcome, brief.lacking(), brief.unset()) == (full.outcome, full.lacking(), full.unset())
        assert len(full.steps) == 3
