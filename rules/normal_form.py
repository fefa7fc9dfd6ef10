"""Conditions spread out into branches (disjunctive normal form): what the online engine and the lint need."""

from __future__ import annotations

from rules.ast import Condition, Leaf

#: A rule spreads into at most this many branches, its opposite too.
MAX_BRANCHES = 32
#: Comparisons in one branch, an ``in`` counted by its values. A shard of the online engine holds 400.
MAX_LEAVES = 100

Branch = tuple[Leaf, ...]


def branch_count(condition: Condition) -> int:
    """How many branches :func:`branches` would give, without building them."""
    if isinstance(condition, Leaf):
        return 1
    counts = [branch_count(part) for part in condition.parts]
    if condition.op == "any":
        return sum(counts)
    product = 1
    for count in counts:
        product *= count
    return product


def branches(condition: Condition) -> tuple[Branch, ...]:
    """The condition as alternatives, each a conjunction of leaves. Call :func:`branch_count` first: it can explode.

    A comparison that waits for its parameter stays in its branch; such a branch is never known to be true.
    """
    if isinstance(condition, Leaf):
        return (_simple(condition),)
    if condition.op == "any":
        return tuple(branch for part in condition.parts for branch in branches(part))
    spread: tuple[Branch, ...] = ((),)
    for part in condition.parts:
        spread = tuple(left + right for left in spread for right in branches(part))
    return spread


def _simple(leaf: Leaf) -> Branch:
    """``between`` as two comparisons, ``not_in`` as one for each value."""
    if leaf.op == "between":
        return (Leaf(leaf.fact, "gte", leaf.values[:1]), Leaf(leaf.fact, "lte", leaf.values[1:]))
    if leaf.op == "not_in":
        return tuple(Leaf(leaf.fact, "is_not", (value,)) for value in leaf.values)
    return (leaf,)


def branch_cost(branch: Branch) -> int:
    """Comparisons in a branch as the online engine counts them."""
    return sum(max(1, len(leaf.values)) for leaf in branch)
