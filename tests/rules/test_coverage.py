"""Coverage: what rests on a clause, which tests a rule has, and what is still to be filled."""

from __future__ import annotations

from rules import load_pack
from rules.coverage import coverage, totals

PARAMETERS = "- {id: most, title: 最多几次, type: int, note: 未填}\n"
RULE = """
- id: TN-RET-001
  title: 某规则
  gate: return
  when: {fact: handling_unit_count, gt: {parameter: most}}
  verdict: advise
  severity: info
  disposition: {action: 处置, tell: ""}
  clause: town-2020#1
"""
TESTS = """
- {name: 多, as_of: 2026-05-06, facts: {handling_unit_count: 9}, expect: {TN-RET-001: hit}, clause: town-2020#1}
- {name: 缺, as_of: 2026-05-06, facts: {}, expect: {TN-RET-001: not_evaluated}, clause: town-2020#1}
"""


def test_the_tests_of_a_rule_are_counted_by_state(write_pack):
    found = coverage(load_pack(write_pack(rules=RULE.replace("{parameter: most}", "3"), tests__a=TESTS)))
    (rule,) = found.rules
    assert (rule.hit, rule.passed, rule.not_evaluated, rule.boundary, rule.complete) == (1, 0, 1, True, False)
    assert found.as_dict()["rules_incomplete"] == ["TN-RET-001"]
    assert (found.gates["return"], found.gates["closure"]) == ({"own": 1, "all": 1}, {"own": 0, "all": 0})


def test_a_clause_is_used_by_rules_limits_and_parameters(write_pack):
    limits = "- {id: resolve, title: 办结, stage: resolve, values: [{amount: 5, unit: 工作日, clause: town-2020#2}]}"
    found = coverage(load_pack(write_pack(limits=limits, parameters=PARAMETERS, rules=RULE)))
    first, second = found.clauses
    assert (first.rules, first.limits, second.rules, second.limits, second.used) == (1, 0, 0, 1, True)
    assert found.as_dict()["clauses_without_rule"] == ["town-2020#2"]
    assert [one.id for one in found.to_fill] == ["most"]


def test_totals_count_every_rule_once_over_packs_that_share_a_parent():
    names = {name for child in ("weifang", "jinan") for name in load_pack(child).lineage}
    packs = [load_pack(name) for name in sorted(names)]
    found = totals([coverage(pack) for pack in packs])
    assert found["rules"] == len({rule.id for pack in packs for rule in pack.rules})
    assert found["rules_without_clause"] == 0
    assert found["clauses_unused"] == 0


def test_a_rule_whose_parameter_is_not_filled_is_complete_without_a_hit(write_pack):
    tests = "- {name: 缺参数, as_of: 2026-05-06, facts: {handling_unit_count: 9}, expect: {TN-RET-001: not_evaluated}, clause: town-2020#1}"
    (rule,) = coverage(load_pack(write_pack(parameters=PARAMETERS, rules=RULE, tests__a=tests))).rules
    assert (rule.waits, rule.speaks, rule.hit) == (True, True, 0)
