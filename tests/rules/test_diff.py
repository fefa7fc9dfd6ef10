"""What a diff of two versions tells, field by field."""

from __future__ import annotations

import json

import pytest

from rules import load_pack
from rules.ast import to_data
from rules.diff import FIELDS, SECTIONS, compare, condition_text, shown

RULES = """
- id: TN-RET-001
  title: 某规则
  gate: return
  when: {all: [{fact: return_requested, is: true}, {any: [{fact: handling_unit_count, gt: 3}, {fact: rejected_unit, present: true}]}]}
  verdict: forbid
  severity: warn
  disposition: {action: 处置, tell: 告知}
  clause: town-2020#1
- id: TN-RET-002
  title: 旧规则
  gate: return
  when: {fact: return_requested, is: true}
  verdict: advise
  severity: info
  disposition: {action: 处置, tell: ""}
  clause: town-2020#1
""".replace("{fact: rejected_unit, present: true}", "{fact: designated_by_ruling, missing: true}")


def test_a_pack_does_not_differ_from_itself(write_pack):
    one, two = load_pack(write_pack(folder="one", r=RULES)), load_pack(write_pack(folder="two", r=f"# 注释\n{RULES}"))
    found = compare(one, two)
    assert (found.changes, found.summary(), found.lines()) == ((), "没有不同。", [])


def test_rules_that_come_go_and_change_are_told_in_chinese(write_pack):
    changed = (
        RULES.replace("gt: 3", "gt: 5").replace("severity: warn", "severity: block").replace("TN-RET-002", "TN-RET-003")
    )
    found = compare(load_pack(write_pack(folder="one", r=RULES)), load_pack(write_pack(folder="two", r=changed)))
    assert found.counts() == {"rules": {"changed": 1, "removed": 1, "added": 1}}
    assert found.summary() == "规则 新增 1、删去 1、改动 1。"
    text = "\n".join(found.lines())
    assert "轻重：提醒" in text and "→ 拦截" in text
    assert "return_requested 是 true 且 （handling_unit_count ＞ 3 或 designated_by_ruling 没有值）" in text
    fields = {field.field for change in found.changes for field in change.fields}
    assert fields == {"when", "severity"}
    assert json.loads(json.dumps(found.as_dict()))["counts"] == found.counts()


def test_limits_parameters_clauses_and_the_calendar_are_compared(write_pack):
    limit = (
        "- {{id: resolve, title: 办结, stage: resolve, values: [{{amount: {n}, unit: 工作日, clause: town-2020#1}}]}}"
    )
    parameter = "- {{id: most, title: 最多, type: int, values: [{{value: {n}, clause: town-2020#1}}]}}"
    packs = [
        load_pack(
            write_pack(
                folder=f"v{n}",
                limits=limit.format(n=n),
                parameters=parameter.format(n=n),
                pack=f"name: town\ntitle: 某镇\njurisdiction: 某镇\ncalendar: {{office_hours: [['0{n}:30', '12:00']]}}\n",
            )
        )
        for n in (7, 8)
    ]
    found = compare(*packs)
    assert found.counts() == {section: {"changed": 1} for section in ("pack", "limits", "parameters")}
    assert "7 工作日 town-2020#1" in "\n".join(found.lines())


@pytest.mark.parametrize("name", ["weifang", "beijing"])
def test_every_key_of_a_pack_has_a_chinese_name(name: str):
    pack = load_pack(name)
    data = pack.to_data()
    keys = {key for section in list(SECTIONS)[1:] for row in data[section] for key in row} - {"id"}
    assert keys | (set(data) - set(SECTIONS)) <= set(FIELDS)
    for rule in pack.rules:
        assert shown("when", to_data(rule.when)) == condition_text(to_data(rule.when))
