"""Rules as one generated Python function: the fast way to evaluate many facts, for backtest and replay over history."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rules.ast import LISTS, Condition, Leaf, facts_of, negate
from rules.fact_dictionary import Facts
from rules.rule import Rule
from rules.vocabulary import State

_STATES: tuple[State, ...] = ("pass", "hit", "not_evaluated")
_SIGNS = {"is": "==", "is_not": "!=", "in": "in", "not_in": "not in", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


class GeneratedRules:
    """The states of a fixed list of rules over facts that the dictionary has checked."""

    def __init__(self, rules: Sequence[Rule]):
        self.ids = tuple(rule.id for rule in rules)
        self.source = generate_source([rule.when for rule in rules])
        scope: dict[str, Callable[[Facts], tuple[int, ...]]] = {}
        # The source is made of fact names that match a strict pattern and of typed literals; no text of a pack is code.
        exec(compile(self.source, "<rules>", "exec"), scope)
        self._states = scope["states"]

    def states(self, facts: Facts) -> dict[str, State]:
        """Rule id → state, in the order of the rules."""
        return {rule_id: _STATES[code] for rule_id, code in zip(self.ids, self._states(facts), strict=True)}


def generate_source(conditions: Sequence[Condition]) -> str:
    """A function ``states(facts)`` that returns 1 (hit), 0 (pass) or 2 (not evaluated) for each condition.

    A condition is a hit where it is true and a pass where its opposite is true; where neither is, a fact is missing.
    """
    names = sorted({name for condition in conditions for name in facts_of(condition)})
    lines = ["def states(facts):", "    get = facts.get"]
    lines += [f"    f_{name} = get({name!r})" for name in names]
    lines += ["    return ("]
    for condition in conditions:
        hit, passed = _expression(condition), _expression(negate(condition))
        lines.append(f"        1 if {hit} else 0 if {passed} else 2,")
    return "\n".join([*lines, "    )", ""])


def _expression(condition: Condition) -> str:
    """Python that is true exactly where the condition is known to be true."""
    if not isinstance(condition, Leaf):
        word = " and " if condition.op == "all" else " or "
        return f"({word.join(_expression(part) for part in condition.parts)})"
    name = f"f_{condition.fact}"
    if condition.op == "missing":
        return f"{name} is None"
    known = f"{name} is not None"
    if condition.op == "present":
        return known
    if condition.op == "between":
        low, high = condition.values
        return f"({known} and {low!r} <= {name} <= {high!r})"
    literal = condition.values if condition.op in LISTS else condition.values[0]
    return f"({known} and {name} {_SIGNS[condition.op]} {literal!r})"
