"""The reference evaluator: what a rule means. Every other way of evaluating must agree with it.

Three states (Kleene): a comparison with a missing fact is unknown; ``all`` is false if any part is false, else unknown if
any is unknown; ``any`` the other way round. ``present`` and ``missing`` are never unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from intake.errors import ZhipaiError
from rules.ast import Condition, Leaf
from rules.fact_dictionary import FactDictionary, Facts, fact_dictionary
from rules.pack import RulePack
from rules.rule import Rule
from rules.verdict import Verdict
from rules.vocabulary import GATES, State

_STATES: dict[bool | None, State] = {True: "hit", False: "pass", None: "not_evaluated"}
_COMPARE: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "is": lambda value, literals: value == literals[0],
    "is_not": lambda value, literals: value != literals[0],
    "in": lambda value, literals: value in literals,
    "not_in": lambda value, literals: value not in literals,
    "lt": lambda value, literals: value < literals[0],
    "lte": lambda value, literals: value <= literals[0],
    "gt": lambda value, literals: value > literals[0],
    "gte": lambda value, literals: value >= literals[0],
    "between": lambda value, literals: literals[0] <= value <= literals[1],
}


@dataclass(frozen=True, slots=True)
class Step:
    """How one condition came out (True, False, or None for unknown), with its parts: the trace of an evaluation."""

    condition: Condition
    outcome: bool | None
    steps: tuple[Step, ...] = ()

    def lacking(self) -> tuple[str, ...]:
        """The missing facts for which the outcome is unknown, each once; empty if it is known."""
        if self.outcome is not None:
            return ()
        if isinstance(self.condition, Leaf):
            return (self.condition.fact,)
        return tuple(dict.fromkeys(name for step in self.steps for name in step.lacking()))


def judge(condition: Condition, facts: Facts) -> Step:
    """Evaluate one condition over facts that :meth:`FactDictionary.check` has passed."""
    if isinstance(condition, Leaf):
        value = facts.get(condition.fact)
        if condition.op == "present":
            return Step(condition, value is not None)
        if condition.op == "missing":
            return Step(condition, value is None)
        if value is None:
            return Step(condition, None)
        return Step(condition, _COMPARE[condition.op](value, condition.values))
    steps = tuple(judge(part, facts) for part in condition.parts)
    outcomes = [step.outcome for step in steps]
    decisive = condition.op == "any"
    if decisive in outcomes:
        return Step(condition, decisive, steps)
    return Step(condition, None if None in outcomes else not decisive, steps)


def state_of(step: Step) -> State:
    return _STATES[step.outcome]


def rules_in_force(pack: RulePack, *, as_of: datetime, gate: str | None = None) -> tuple[Rule, ...]:
    """The rules that speak at ``as_of`` (its day in the zone of the pack) and at the gate, by priority and id.

    Raises
    ------
    ZhipaiError
        E3201 if ``as_of`` has no zone, E3204 for an unknown gate.
    """
    if as_of.tzinfo is None:
        raise ZhipaiError("E3201", {"name": "as_of"})
    if gate is not None and gate not in GATES:
        raise ZhipaiError("E3204", {"gate": gate, "gates": "、".join(GATES)})
    day = as_of.astimezone(pack.zone).date()
    return tuple(rule for rule in pack.rules if (gate is None or rule.gate == gate) and rule.in_force(day))


def evaluate(
    pack: RulePack, facts: Mapping[str, object], *, as_of: datetime, gate: str | None = None
) -> tuple[Verdict, ...]:
    """The verdicts of the rules in force, by priority and id.

    Parameters
    ----------
    facts : mapping
        By name; a fact that is absent or None is missing.
    as_of : datetime
        The instant at which rules are read. Aware.
    gate : str or None
        One gate only (受理, 派单, 退回 …); None for all.

    Raises
    ------
    ZhipaiError
        E3201, E3204 for ``as_of`` and ``gate``; E3202, E3203 for facts that do not fit the dictionary.
    """
    dictionary = fact_dictionary()
    checked = dictionary.check(facts)
    return tuple(
        verdict_of(rule, judge(rule.when, checked), checked, pack=pack, dictionary=dictionary)
        for rule in rules_in_force(pack, as_of=as_of, gate=gate)
    )


def verdict_of(rule: Rule, step: Step, facts: Facts, *, pack: RulePack, dictionary: FactDictionary) -> Verdict:
    """What a rule says, given how its condition came out."""
    state = state_of(step)
    return Verdict(
        rule_id=rule.id,
        gate=rule.gate,
        state=state,
        severity=rule.severity,
        title=rule.title,
        effect=rule.effect,
        clause=pack.clauses[rule.clause],
        disposition=rule.disposition if state == "hit" else None,
        values={name: facts.get(name) for name in rule.reads},
        cause=_cause(step, dictionary) if state == "not_evaluated" else "",
        pack_id=pack.id,
    )


def _cause(step: Step, dictionary: FactDictionary) -> str:
    """What was missing, and what a person has to verify."""
    missing = [fact for name in step.lacking() if (fact := dictionary.get(name)) is not None]
    cause = f"缺少事实：{'、'.join(fact.label for fact in missing)}"
    asks = "；".join(dict.fromkeys(fact.ask for fact in missing if fact.ask))
    return f"{cause}。需核实：{asks}" if asks else cause
