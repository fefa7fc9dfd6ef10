"""Parts of a proposal that can still be computed where the whole cannot: a model is gone, or the text was erased."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from intake.order import WorkOrder
from intake.prepare import prepare
from rules import RuleEngine, compute_deadlines, derive_facts
from service.replay_parts import Found
from service.triage import TRIAGE_GATES


def all_verdicts(proposal: Mapping[str, Any]) -> bool:
    """Whether the rules that passed were asked for, too. Where none passed both lists are the same."""
    return any(verdict["state"] == "pass" for verdict in proposal["verdicts"])


def without_ranking(order: WorkOrder, proposal: Mapping[str, Any], found: Found, as_of: datetime) -> dict[str, Any]:
    """Elements, verdicts and deadlines, which need no model: the units are those of the record."""
    if found.gazetteer is None:
        return {}
    prepared = prepare(order, found.gazetteer)
    now: dict[str, Any] = {"elements": prepared.elements.as_dict()}
    if found.rules is None or found.directory is None:
        return now
    facts = derive_facts(
        prepared,
        received_at=order.received_at or as_of,
        ranking_units=[unit["unit"] for unit in proposal["units"]],
        directory=found.directory,
    )
    now["verdicts"] = _verdicts(found.rules, facts, as_of, passed=all_verdicts(proposal))
    if found.calendar is not None:
        deadlines = compute_deadlines(
            found.rules.pack,
            kind=str(facts.get("kind", "")),
            start=as_of,
            as_of=as_of,
            calendar=found.calendar,
            facts=facts,
        )
        now["deadlines"] = [
            {name: value for name, value in one.as_dict().items() if name != "days"} for one in deadlines
        ]
    return now


def _verdicts(rules: RuleEngine, facts: Mapping[str, object], as_of: datetime, *, passed: bool) -> list[dict[str, Any]]:
    return [
        verdict.as_dict()
        for gate in TRIAGE_GATES
        for verdict in rules.evaluate(facts, as_of=as_of, gate=gate, passed=passed).verdicts
    ]


def verdicts_by_values(proposal: Mapping[str, Any], rules: RuleEngine | None, as_of: datetime) -> dict[str, Any]:
    """The verdicts of the record, judged again from the values that stand beside them."""
    if rules is None:
        return {}
    facts = {name: value for verdict in proposal["verdicts"] for name, value in verdict["values"].items()}
    again = {one["rule_id"]: one for one in _verdicts(rules, facts, as_of, passed=True)}
    return {"verdicts": [again.get(verdict["rule_id"], {}) for verdict in proposal["verdicts"]]}
