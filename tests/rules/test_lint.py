"""Lint: rules that can never fire, missing tests, clauses nobody cites."""

from __future__ import annotations

import pytest

from rules.lint import lint
from rules.pack import PACKS

TESTS = """
- name: 命中
  as_of: 2026-05-06
  facts: {return_requested: true}
  expect: {TN-RET-001: hit}
  clause: town-2020#1
"""


def rule(when: str, gate: str = "acceptance") -> str:
    return (
        f"- {{id: TN-RET-001, title: 某, gate: {gate}, when: {when}, verdict: advise, severity: info,"
        " disposition: {action: 某, tell: 某}, clause: town-2020#1}"
    )


@pytest.mark.parametrize(
    ("leaves", "fires"),
    [
        ("{fact: related_count, gt: 3}, {fact: related_count, lt: 3}", False),
        ("{fact: related_count, gt: 3}, {fact: related_count, lt: 4}", False),  # no whole number between
        ("{fact: related_count, gte: 3}, {fact: related_count, lt: 4}", True),
        ("{fact: related_count, gte: 3}, {fact: related_count, lte: 3}", True),
        ("{fact: related_count, between: [3, 3]}, {fact: related_count, is_not: 3}", False),
        ("{fact: related_count, in: [1, 2]}, {fact: related_count, gt: 2}", False),
        ("{fact: related_count, in: [1, 2]}, {fact: related_count, gt: 1}", True),
        ("{fact: related_count, is: 1}, {fact: related_count, missing: true}", False),
        ("{fact: related_count, present: true}, {fact: related_count, missing: true}", False),
        ("{fact: related_count, missing: true}, {fact: text_length, gt: 3}", True),
        ("{fact: collective_matter, is: true}, {fact: collective_matter, is: false}", False),
        ("{fact: collective_matter, is_not: true}, {fact: collective_matter, is_not: false}", False),
        ("{fact: kind, is: 投诉}, {fact: kind, is_not: 投诉}", False),
        ("{fact: kind, in: [投诉, 举报]}, {fact: kind, not_in: [投诉, 举报]}", False),
        ("{fact: kind, not_in: [投诉, 举报, 咨询, 求助, 建议]}", False),  # the whole closed list
        ("{fact: channel, is_not: 电话}, {fact: channel, not_in: [微信]}", True),
        ("{any: [{fact: kind, is: 投诉}, {fact: related_count, gt: 1}]}, {fact: kind, is: 咨询}", True),
    ],
)
def test_a_rule_that_can_never_fire_is_found(write_pack, leaves, fires):
    codes = {finding.code for finding in lint(write_pack(rules=rule(f"{{all: [{leaves}]}}")))}
    assert ("E3101" in codes) is not fires


def test_warnings_do_not_hide_errors_and_come_in_order(write_pack):
    text = rule("{fact: return_requested, is: true}", "return") + "\n" + rule("{fact: nothing, is: true}")
    findings = lint(write_pack(rules=text, tests__a=TESTS))
    assert [(finding.code, finding.level) for finding in findings] == [
        ("E3103", "warning"),  # town-2020#2
        ("E3102", "warning"),  # no test that passes
        ("E3112", "warning"),  # no test at the boundary
        ("E3006", "error"),
    ]
    assert [finding.line for finding in findings if finding.file == "town/rules.yaml"] == [1, 1, 2]


def test_a_pack_that_is_not_there_is_a_finding_too(tmp_path):
    (finding,) = lint(tmp_path / "nowhere")
    assert finding.code == "E3014"


def pair(first: str, second: str, **keys: str) -> str:
    """Two rules of the return gate with these conditions; ``keys`` are what the second says otherwise."""
    same = {"verdict": "forbid", "clause": "town-2020#1", "effective_to": "", "priority": "100", "tell": "某"}
    text = ""
    for name, when, own in (("TN-RET-001", first, same), ("TN-RET-002", second, same | keys)):
        end = f", effective_to: {own['effective_to']}" if own["effective_to"] else ""
        start = f", effective_from: {own['effective_from']}" if "effective_from" in own else ""
        text += (
            f"- {{id: {name}, title: 某, gate: return, when: {when}, verdict: {own['verdict']}, severity: warn,"
            f" disposition: {{action: 某, tell: {own['tell']}}}, clause: {own['clause']},"
            f" priority: {own['priority']}{start}{end}}}\n"
        )
    return text


ASKED, TOLD = "{fact: return_requested, is: true}", "{fact: designated_by_ruling, is: true}"
BOTH = f"{{all: [{ASKED}, {TOLD}]}}"


@pytest.mark.parametrize(
    ("first", "second", "keys", "found"),
    [
        (ASKED, ASKED, {}, {"E3106"}),
        (BOTH, f"{{all: [{TOLD}, {ASKED}]}}", {}, {"E3106"}),  # the order of parts does not matter
        ("{fact: handling_unit_count, in: [1, 2]}", "{fact: handling_unit_count, in: [2, 1]}", {}, {"E3106"}),
        (ASKED, ASKED, {"clause": "town-2020#2"}, set()),
        (ASKED, ASKED, {"verdict": "advise"}, set()),
        (ASKED, BOTH, {}, {"E3108"}),
        (BOTH, ASKED, {}, {"E3108"}),
        (ASKED, BOTH, {"tell": "另一句"}, set()),  # says something of its own
        ("{fact: handling_unit_count, gte: 2}", "{fact: handling_unit_count, gt: 2}", {}, {"E3108"}),
        ("{fact: handling_unit_count, gt: 2}", "{fact: handling_unit_count, between: [2, 4]}", {}, set()),
        (ASKED, TOLD, {"verdict": "allow"}, {"E3107"}),
        (ASKED, TOLD, {"verdict": "allow", "priority": "90"}, set()),
        (ASKED, "{fact: return_requested, is: false}", {"verdict": "allow"}, set()),  # cannot hit together
        ("{fact: handling_unit_count, gt: 3}", "{fact: handling_unit_count, lte: 3}", {"verdict": "allow"}, set()),
        (f"{{any: [{ASKED}, {TOLD}]}}", "{fact: return_requested, is: false}", {"verdict": "allow"}, {"E3107"}),
        (ASKED, TOLD, {"verdict": "require"}, set()),
    ],
)
def test_rules_that_repeat_hide_or_contradict_each_other_are_found(write_pack, first, second, keys, found):
    findings = lint(write_pack(rules=pair(first, second, **keys)))
    assert {one.code for one in findings} & {"E3106", "E3107", "E3108"} == found


def test_the_same_rule_on_other_days_is_no_repetition(write_pack):
    before = pair(ASKED, ASKED, effective_from="2025-01-01").replace(
        "priority: 100}", "priority: 100, effective_to: 2025-01-01}", 1
    )
    codes = {one.code for one in lint(write_pack(rules=before))}
    assert not codes & {"E3106", "E3108"}


PARAMETER = """
- id: most
  title: 最多几次
  type: int
  values: [{value: 3, clause: town-2020#1, effective_to: 2025-01-01}, {value: 5, clause: town-2020#1, effective_from: 2025-01-01}]
"""


def test_a_parameter_counts_with_the_value_of_its_day(write_pack):
    when = "{all: [{fact: handling_unit_count, gt: {parameter: most}}, {fact: handling_unit_count, lt: 6}]}"
    findings = lint(write_pack(rules=pair(when, ASKED), parameters=PARAMETER))
    assert [one.code for one in findings if one.code == "E3101"] == ["E3101"], "大于 5 又小于 6 的整数没有"
    wider = when.replace("lt: 6", "lt: 7")
    assert "E3101" not in {one.code for one in lint(write_pack(rules=pair(wider, ASKED), parameters=PARAMETER))}


def test_a_parameter_without_value_leaves_everything_possible(write_pack):
    parameter = "- {id: most, title: 最多几次, type: int, note: 未填}"
    when = "{all: [{fact: handling_unit_count, gt: {parameter: most}}, {fact: handling_unit_count, lt: 1}]}"
    codes = {one.code for one in lint(write_pack(rules=pair(when, ASKED), parameters=parameter))}
    assert not codes & {"E3101", "E3111"}


def test_the_boundary_of_a_parameter_is_tested_on_a_day_on_which_it_holds(write_pack):
    test = """
- {{name: 某, as_of: {day}, facts: {{handling_unit_count: {count}}}, expect: {{TN-RET-001: pass}}, clause: town-2020#1}}
"""
    rules = pair("{fact: handling_unit_count, gt: {parameter: most}}", ASKED)
    wrong_day = test.format(day="2026-05-06", count=3) + test.format(day="2026-05-06", count=5)
    findings = lint(write_pack(rules=rules, parameters=PARAMETER, tests__a=wrong_day))
    assert ["恰为 3" in one.message for one in findings if one.code == "E3104"] == [True]


def test_lint_of_every_pack_that_comes_with_the_software_has_no_error():
    for path in PACKS.glob("*/pack.yaml"):
        assert [str(one) for one in lint(path.parent.name) if one.level == "error"] == []
