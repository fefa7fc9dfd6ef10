"""Lint: rules that can never fire, missing tests, clauses nobody cites."""

from __future__ import annotations

import pytest

from rules.lint import lint

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
        ("E3006", "error"),
    ]
    assert [finding.line for finding in findings if finding.file == "town/rules.yaml"] == [1, 2]


def test_a_pack_that_is_not_there_is_a_finding_too(tmp_path):
    (finding,) = lint(tmp_path / "nowhere")
    assert finding.code == "E3014"
