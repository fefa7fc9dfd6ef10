"""A rule, a condition and a version of a pack as words for a person. Pure: no clock, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import yaml

from rules import RulePack
from rules.answer import ANSWERS, answer_of
from rules.ast import Condition, Group
from rules.diff import KINDS as CHANGES
from rules.diff import SECTIONS, Change, PackDiff, condition_text, shown
from rules.fact_dictionary import Value, fact_dictionary
from rules.rule import Rule
from rules.run_tests import RuleTest
from rules.vocabulary import EFFECTS, GATES, SEVERITIES
from rules.wording import said_value

STATES = {"hit": "命中", "pass": "未命中", "not_evaluated": "无法判断"}
TONES = {"block": "bad", "warn": "warn", "info": "info"}


def rule_row(rule: Rule, pack: RulePack, day: date) -> dict[str, Any]:
    """A line of the list."""
    clause = pack.clauses[rule.clause]
    ended = rule.effective_to is not None and rule.effective_to <= day
    return {
        "id": rule.id,
        "title": rule.title,
        "gate": rule.gate,
        "gate_name": GATES[rule.gate],
        "severity_name": SEVERITIES[rule.severity],
        "tone": TONES[rule.severity],
        "effect_name": EFFECTS[rule.effect],
        "answer_name": ANSWERS[answer_of(rule)],
        "clause": clause,
        "from": rule.effective_from,
        "to": rule.effective_to,
        "standing": "有效" if rule.in_force(day) else "已失效" if ended else "未到期",
        "inherited": rule.pack != pack.name,
        "pack": rule.pack,
        "unfilled": [pack.parameters[name].title for name in rule.parameters if pack.parameter_on(name, day) is None],
    }


def rule_page(rule: Rule, pack: RulePack, day: date) -> dict[str, Any]:
    """Everything that the page of one rule shows."""
    dictionary = fact_dictionary()
    values = {name: pack.parameter_on(name, day) for name in rule.parameters}
    return {
        **rule_row(rule, pack, day),
        "disposition": rule.disposition,
        "priority": rule.priority,
        "place": str(rule.mark),
        "when": condition_tree(rule.when, pack, day),
        "facts": [fact for name in rule.reads if (fact := dictionary.get(name)) is not None],
        "parameters": [
            {
                "title": pack.parameters[name].title,
                "unit": pack.parameters[name].unit,
                "note": pack.parameters[name].note,
                "value": value.value if value else None,
                "clause": pack.clauses.get(value.clause) if value else None,
            }
            for name, value in values.items()
        ],
        "source": yaml.safe_dump([rule.to_data()], allow_unicode=True, sort_keys=False, width=100),
    }


def condition_tree(when: Condition, pack: RulePack, day: date) -> dict[str, Any]:
    """A condition as a tree of sentences: ``{"told": …, "parts": […]}``."""
    if isinstance(when, Group):
        told = "以下各项都满足" if when.op == "all" else "以下满足任何一项"
        return {"told": told, "parts": [condition_tree(part, pack, day) for part in when.parts]}
    fact = fact_dictionary().get(when.fact)
    name = fact.short_name if fact else when.fact
    if when.op in ("present", "missing"):
        return {"told": condition_text({"fact": name, when.op: True}), "parts": []}
    if when.parameter:
        value = pack.parameter_on(when.parameter, day)
        parameter = pack.parameters[when.parameter]
        now = f"{value.value}{parameter.unit}" if value else "还没有填"
        literal: Any = {"parameter": f"“{parameter.title}”（现在：{now}）"}
    else:
        said = [said_value(value, fact) for value in when.values]
        literal = said if len(said) != 1 else said[0]
        if when.op == "is" and len(said) == 1:
            return {"told": f"{name}：{said[0]}", "parts": []}
    return {"told": condition_text({"fact": name, when.op: literal}), "parts": []}


def rows_of_tests(rule_id: str, tests: Sequence[RuleTest]) -> list[dict[str, Any]]:
    """The tests of a rule: what was given, what is expected, where it stands."""
    return [
        {
            "name": test.name,
            "as_of": f"{test.as_of:%Y-%m-%d}",
            "state": test.expect[rule_id],
            "told": STATES[test.expect[rule_id]],
            "facts": said_facts(test.facts),
            "place": str(test.mark),
        }
        for test in tests
    ]


def said_facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Facts with their names, and values as a person reads them."""
    dictionary = fact_dictionary()
    rows = []
    for name, value in facts.items():
        fact = dictionary.get(name)
        said: Value | None = value if isinstance(value, (str, bool, int, float)) or value is None else str(value)
        rows.append((fact.short_name if fact else name, said_value(said, fact)))
    return rows


def diff_view(found: PackDiff) -> dict[str, Any]:
    """What differs between two versions, with values in words."""
    return {
        "old": found.old,
        "new": found.new,
        "summary": found.summary(),
        "changes": [_change(one) for one in found.changes],
    }


def _change(one: Change) -> dict[str, Any]:
    tone = {"added": "good", "removed": "bad", "changed": "warn"}[one.kind]
    fields = [
        {"name": field.name, "before": shown(field.field, field.before), "after": shown(field.field, field.after)}
        for field in one.fields
    ]
    return {
        "kind": CHANGES[one.kind],
        "tone": tone,
        "section": SECTIONS[one.section],
        "id": one.id,
        "title": one.title,
        "fields": fields,
    }
