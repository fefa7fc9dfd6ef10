"""The reference evaluator: what a rule means. Every other way of evaluating must agree with it.

Three states (Kleene): a comparison with a missing fact, or with a parameter that has no value, is unknown; ``all`` is false if any part is false, else unknown if
any is unknown; ``any`` the other way round. ``present`` and ``missing`` are never unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from intake.errors import ZhipaiError
from rules.ast import Condition, Leaf
from rules.fact_dictionary import FactDictionary, Facts, fact_dictionary
from rules.pack import RulePack
from rules.rule import Rule
from rules.verdict import Verdict
from rules.vocabulary import GATES, State

#: Nothing is known of why a fact is missing.
NO_REASONS: Mapping[str, str] = {}
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


class Step(NamedTuple):
    """How one condition came out (True, False, or None for unknown), with its parts: the trace of an evaluation.

    ``absent`` says of a comparison that its fact was missing.
    """

    condition: Condition
    outcome: bool | None
    steps: tuple[Step, ...] = ()
    absent: bool = False

    def lacking(self) -> tuple[str, ...]:
        """The missing facts for which the outcome is unknown, each once; empty if it is known."""
        if self.outcome is not None:
            return ()
        if isinstance(self.condition, Leaf):
            return (self.condition.fact,) if self.absent else ()
        return tuple(dict.fromkeys(name for step in self.steps for name in step.lacking()))

    def unset(self) -> tuple[str, ...]:
        """The parameters for want of whose values the outcome is unknown, each once; empty if it is known."""
        if self.outcome is not None:
            return ()
        if isinstance(self.condition, Leaf):
            return (self.condition.parameter,) if self.condition.unset else ()
        return tuple(dict.fromkeys(name for step in self.steps for name in step.unset()))


def judge(condition: Condition, facts: Facts, *, brief: bool = False) -> Step:
    """Evaluate one condition over facts that :meth:`FactDictionary.check` has passed.

    ``brief`` leaves off the parts that come after one that decides: the same outcome, sooner, with a shorter trace.
    """
    if isinstance(condition, Leaf):
        value = facts.get(condition.fact)
        if condition.op == "present":
            return Step(condition, value is not None)
        if condition.op == "missing":
            return Step(condition, value is None)
        if value is None or not condition.values:
            return Step(condition, None, (), value is None)
        return Step(condition, _COMPARE[condition.op](value, condition.values))
    decisive = condition.op == "any"
    outcome: bool | None = not decisive
    steps: list[Step] = []
    for part in condition.parts:
        step = judge(part, facts, brief=brief)
        steps.append(step)
        if step.outcome is decisive:
            outcome = decisive
            if brief:
                break
        elif step.outcome is None and outcome is not decisive:
            outcome = None
    return Step(condition, outcome, tuple(steps))


def state_of(step: Step) -> State:
    return _STATES[step.outcome]


def rules_in_force(pack: RulePack, *, as_of: datetime, gate: str | None = None) -> tuple[Rule, ...]:
    """The rules that speak at ``as_of`` (its day in the zone of the pack) and at the gate, by priority and id.

    Their parameters are replaced by the values of the day, so that every evaluator sees plain literals.

    Raises
    ------
    ZhipaiError
        E3201 if ``as_of`` has no zone, E3204 for an unknown gate.
    """
    if as_of.tzinfo is None:
        raise ZhipaiError("E3201", {"name": "as_of"})
    if gate is not None and gate not in GATES:
        raise ZhipaiError("E3204", {"gate": gate, "gates": "、".join(GATES)})
    return pack.in_force(as_of.astimezone(pack.zone).date()).at(gate)


def evaluate(
    pack: RulePack,
    facts: Mapping[str, object],
    *,
    as_of: datetime,
    gate: str | None = None,
    reasons: Mapping[str, str] = NO_REASONS,
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
    reasons : mapping
        Fact name → why it is missing, in Chinese, where that is known (:func:`rules.times.time_facts`).

    Raises
    ------
    ZhipaiError
        E3201, E3204 for ``as_of`` and ``gate``; E3202, E3203 for facts that do not fit the dictionary.
    """
    dictionary = fact_dictionary()
    checked = dictionary.check(facts)
    return tuple(
        verdict_of(
            rule, judge(rule.when, checked, brief=True), checked, pack=pack, dictionary=dictionary, reasons=reasons
        )
        for rule in rules_in_force(pack, as_of=as_of, gate=gate)
    )


def verdict_of(
    rule: Rule,
    step: Step,
    facts: Facts,
    *,
    pack: RulePack,
    dictionary: FactDictionary,
    reasons: Mapping[str, str] = NO_REASONS,
) -> Verdict:
    """What a rule says, given how its condition came out."""
    state = state_of(step)
    lacking, unset = (step.lacking(), step.unset()) if step.outcome is None else ((), ())
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
        cause=_cause(lacking, unset, pack, dictionary, reasons) if state == "not_evaluated" else "",
        pack_id=pack.id,
        lacking=lacking,
        unset=unset,
    )


def _cause(
    lacking: tuple[str, ...],
    unset: tuple[str, ...],
    pack: RulePack,
    dictionary: FactDictionary,
    reasons: Mapping[str, str],
) -> str:
    """Which parameter is to be filled, what was missing and why, and what a person has to verify."""
    parts: list[str] = []
    if unset:
        labels = [pack.parameters[name].label if name in pack.parameters else name for name in unset]
        parts.append(f"参数未填：{'、'.join(labels)}")
    parts += dict.fromkeys(reasons[name] for name in lacking if name in reasons)
    missing = [fact for name in lacking if name not in reasons and (fact := dictionary.get(name)) is not None]
    if missing:
        parts.append(f"缺少事实：{'、'.join(fact.label for fact in missing)}")
        asks = "；".join(dict.fromkeys(fact.ask for fact in missing if fact.ask))
        parts += [f"需核实：{asks}"] if asks else []
    return "。".join(parts)
