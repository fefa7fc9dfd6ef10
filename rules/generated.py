"""Rules as one generated Python function: the fast way to evaluate many facts, for backtest and replay over history.

Speeds are counted as everywhere in this project: one evaluation is one set of facts against all the rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from rules.ast import Condition, Leaf, facts_of, leaves, negate
from rules.fact_dictionary import Facts
from rules.rule import Rule
from rules.vocabulary import State

#: What the codes of :meth:`GeneratedRules.codes` mean.
STATES: tuple[State, ...] = ("pass", "hit", "not_evaluated")
_SIGNS = {"is": "==", "is_not": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


class GeneratedRules:
    """The states of a fixed list of rules over facts that the dictionary has checked (none of them None)."""

    def __init__(self, rules: Sequence[Rule]):
        self.ids = tuple(rule.id for rule in rules)
        self.source = generate_source([rule.when for rule in rules])
        scope: dict[str, Callable[[Facts], tuple[int, ...]]] = {}
        # The source is made of fact names that match a strict pattern and of typed literals; no text of a pack is code.
        exec(compile(self.source, "<rules>", "exec"), scope)
        #: Facts → 0 (pass), 1 (hit) or 2 (not evaluated) for each rule, in the order of :attr:`ids`.
        self.codes = scope["codes"]

    def states(self, facts: Facts) -> dict[str, State]:
        """Rule id → state, in the order of the rules."""
        return dict(zip(self.ids, map(STATES.__getitem__, self.codes(facts)), strict=True))


def generate_source(conditions: Sequence[Condition]) -> str:
    """A function ``codes(facts)`` that returns 0 (pass), 1 (hit) or 2 (not evaluated) for each condition.

    A condition is a hit where it is true and a pass where its opposite is true; where neither is, a fact is missing or
    a parameter unset. The opposite comes first, because most rules pass most orders.

    A missing number is NaN and a missing anything else is None: hardly a comparison then has to ask whether there is a
    value, because almost none is true of those two. A fact that one rule alone reads is looked up there: most rules are
    settled by their first comparison and never come to it.
    """
    numeric = _numeric(leaf for condition in conditions for leaf in leaves(condition))
    readers = Counter(name for condition in conditions for name in facts_of(condition))
    looked_up = {name: f"get({name!r}{', NAN' if number else ''})" for name, number in sorted(numeric.items())}
    shared = [name for name in looked_up if readers[name] > 1]
    names = looked_up | {name: f"f_{name}" for name in shared}
    lines = ["def codes(facts, NAN=float('nan')):", "    get = facts.get"]
    lines += [f"    f_{name} = {looked_up[name]}" for name in shared]
    lines += ["    return ("]
    for condition in conditions:
        hit, passed = _expression(condition, numeric, names), _expression(negate(condition), numeric, names)
        lines.append(f"        0 if {passed} else 1 if {hit} else 2,")
    return "\n".join([*lines, "    )", ""])


def _numeric(comparisons: Iterable[Leaf]) -> dict[str, bool]:
    """Fact → whether the literals it is compared with are numbers."""
    numeric: dict[str, bool] = {}
    for leaf in comparisons:
        numbers = any(type(value) in (int, float) for value in leaf.values)
        numeric[leaf.fact] = numbers or numeric.get(leaf.fact, False)
    return numeric


def _expression(condition: Condition, numeric: Mapping[str, bool], names: Mapping[str, str]) -> str:
    """Python that is true exactly where the condition is known to be true."""
    if not isinstance(condition, Leaf):
        word = " and " if condition.op == "all" else " or "
        return f"({word.join(_expression(part, numeric, names) for part in condition.parts)})"
    name, number = names[condition.fact], numeric[condition.fact]
    known = f"{name} == {name}" if number else f"{name} is not None"
    if condition.op == "present":
        return known
    if condition.op == "missing":
        return f"{name} != {name}" if number else f"{name} is None"
    if condition.unset:
        return "False"
    first = condition.values[0]
    if isinstance(first, bool) and condition.op in ("is", "is_not"):
        return f"{name} is {first if condition.op == 'is' else not first}"
    if condition.op == "between":
        return f"{first!r} <= {name} <= {condition.values[1]!r}"
    if condition.op in ("in", "not_in"):
        literals = f"{{{', '.join(map(repr, condition.values))}}}"
        return f"{name} in {literals}" if condition.op == "in" else f"({known} and {name} not in {literals})"
    compare = f"{name} {_SIGNS[condition.op]} {first!r}"
    return f"({compare} and {known})" if condition.op == "is_not" else compare
