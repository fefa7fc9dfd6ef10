"""What a caller looks up before asking for a ruling: the fact dictionary, and what a pack holds on a day."""

from __future__ import annotations

from datetime import date
from typing import Any

from intake.errors import ZhipaiError
from rules import RulePack
from rules.answer import answer_of
from rules.fact_dictionary import SOURCES, TYPES, fact_dictionary
from rules.vocabulary import GATES


def check_gate(gate: str) -> str:
    """The gate; E3204 if there is none of that name. Empty stands for all."""
    if gate and gate not in GATES:
        raise ZhipaiError("E3204", {"gate": gate[:40], "gates": "、".join(GATES)}, where="query:gate")
    return gate


def describe_facts(gate: str = "") -> list[dict[str, Any]]:
    """The facts that can be known at a gate, or all, by name."""
    check_gate(gate)
    return [
        {
            "name": fact.name,
            "label": fact.short_name,
            "type": fact.type,
            "type_text": TYPES[fact.type],
            "unit": fact.unit,
            "description": fact.description,
            "values": list(fact.values),
            "source": fact.source,
            "source_text": SOURCES[fact.source],
            "gates": list(fact.gates),
            "ask": fact.ask,
        }
        for fact in fact_dictionary()
        if not gate or not fact.gates or gate in fact.gates
    ]


def describe_pack(pack: RulePack, day: date, gate: str = "") -> dict[str, Any]:
    """The rules of a pack with their clauses, its parameters and limits with the values of the day, and what to fill."""
    check_gate(gate)
    return {
        "pack": pack.id,
        "name": pack.name,
        "title": pack.title,
        "jurisdiction": pack.jurisdiction,
        "lineage": list(pack.lineage),
        "day": day.isoformat(),
        "gates": {name: title for name, title in GATES.items() if any(rule.gate == name for rule in pack.rules)},
        "rules": [
            {
                "id": rule.id,
                "title": rule.title,
                "gate": rule.gate,
                "verdict": rule.effect,
                "severity": rule.severity,
                "answer": answer_of(rule),
                "reads": list(rule.reads),
                "parameters": list(rule.parameters),
                "effective_from": rule.effective_from.isoformat(),
                "effective_to": rule.effective_to.isoformat() if rule.effective_to else None,
                "in_force": rule.in_force(day),
                "pack": rule.pack,
                "clause": pack.clauses[rule.clause].as_dict(),
            }
            for rule in pack.rules
            if not gate or rule.gate == gate
        ],
        "parameters": [
            {
                "id": one.id,
                "title": one.title,
                "unit": one.unit,
                "value": value.value if (value := one.on(day)) else None,
                "clause": value.clause if value else None,
                "note": one.note,
            }
            for one in pack.parameters.values()
        ],
        "limits": [
            {
                "id": one.id,
                "title": one.title,
                "stage": one.stage,
                "track": one.track,
                "value": str(amount) if (amount := one.value_on(day)) else None,
                "clause": amount.clause if amount else None,
                "note": one.note,
            }
            for one in pack.limits
        ],
        "to_fill": [
            {"kind": one.kind, "id": one.id, "title": one.title, "unit": one.unit, "note": one.note}
            for one in pack.to_fill()
        ],
    }
