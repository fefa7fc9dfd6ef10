"""What a ruling lacks: facts nobody supplied, parameters nobody filled, materials nobody handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.answer import RANK, Answer, answer_of
from rules.fact_dictionary import Fact, Value, fact_dictionary
from rules.pack import RulePack
from rules.verdict import Verdict

#: Facts that say whether a piece of evidence is there; those that a gate reads are its checklist (材料清单).
MATERIAL = "material_"


@dataclass(frozen=True, slots=True)
class MissingFact:
    """A fact for want of which rules could not be evaluated.

    ``could_turn``: one of the waiting rules would give a stronger answer than the present one. ``reason`` says why a
    fact that is reckoned from others could not be.
    """

    fact: Fact
    rules: tuple[str, ...]
    could_turn: bool
    reason: str

    def as_dict(self) -> dict[str, Any]:
        fact = self.fact
        return {
            "name": fact.name,
            "label": fact.short_name,
            "type": fact.type,
            "unit": fact.unit,
            "values": list(fact.values),
            "ask": fact.ask,
            "rules": list(self.rules),
            "could_turn": self.could_turn,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Unset:
    """A parameter or limit without a value, for want of which rules could not be evaluated."""

    kind: str
    id: str
    title: str
    unit: str
    note: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """One line of the checklist. ``state``: ``given``, ``missing`` (a person said so) or ``unknown``."""

    name: str
    label: str
    state: str
    rules: tuple[str, ...]


def missing_facts(waiting: Sequence[Verdict], answer: Answer, reasons: Mapping[str, str]) -> tuple[MissingFact, ...]:
    """The missing facts, first those that could turn the answer furthest, then by the number of rules that wait."""
    dictionary = fact_dictionary()
    found: dict[str, list[Verdict]] = {}
    for verdict in waiting:
        for name in verdict.lacking:
            found.setdefault(name, []).append(verdict)
    rows: list[tuple[tuple[int, int, str], MissingFact]] = []
    for name, verdicts in found.items():
        fact = dictionary.get(name)
        if fact is None:
            continue
        strength = min(RANK[answer_of(one)] for one in verdicts)
        rule_ids = tuple(one.rule_id for one in verdicts)
        missing = MissingFact(fact, rule_ids, strength < RANK[answer], reasons.get(name, ""))
        rows.append(((strength, -len(rule_ids), name), missing))
    return tuple(missing for _, missing in sorted(rows, key=lambda row: row[0]))


def unset_values(pack: RulePack, waiting: Sequence[Verdict], reasons: Mapping[str, str]) -> tuple[Unset, ...]:
    """The parameters that the waiting rules name, and the limits and parameters for want of which a fact was not reckoned."""
    parameters: dict[str, list[str]] = {}
    limits: dict[str, list[str]] = {}
    for verdict in waiting:
        why = [reasons[name] for name in verdict.lacking if name in reasons]
        named = [key for key in pack.parameters if any(f"（{key}）" in reason for reason in why)]
        for key in dict.fromkeys((*verdict.unset, *named)):
            parameters.setdefault(key, []).append(verdict.rule_id)
        for limit in pack.limits:
            if any(f"（{limit.id}）" in reason for reason in why):
                limits.setdefault(limit.id, []).append(verdict.rule_id)
    found = [
        Unset("parameter", key, one.title, one.unit, one.note, tuple(rule_ids))
        for key, rule_ids in parameters.items()
        if (one := pack.parameters.get(key)) is not None
    ]
    titles = {limit.id: limit for limit in pack.limits}
    found += [
        Unset("limit", key, titles[key].title, "", titles[key].note, tuple(rule_ids))
        for key, rule_ids in limits.items()
    ]
    return tuple(found)


def checklist(verdicts: Sequence[Verdict], facts: Mapping[str, Value]) -> tuple[Material, ...]:
    """The materials that the rules of the gate read, in the order in which they ask for them."""
    readers: dict[str, list[str]] = {}
    for verdict in verdicts:
        for name in verdict.values:
            if name.startswith(MATERIAL):
                readers.setdefault(name, []).append(verdict.rule_id)
    dictionary = fact_dictionary()
    return tuple(
        Material(name, fact.short_name, _material_state(facts.get(name)), tuple(rule_ids))
        for name, rule_ids in readers.items()
        if (fact := dictionary.get(name)) is not None
    )


def _material_state(value: Value | None) -> str:
    if value is None:
        return "unknown"
    return "given" if value else "missing"
