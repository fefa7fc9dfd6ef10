"""Which facts could make a condition true: the reckoning behind the lint's "never fires", "contradict" and "shadowed"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

from rules.ast import Leaf, negate
from rules.evaluate import judge
from rules.fact_dictionary import DECIMALS, FactDictionary, Value
from rules.normal_form import Branch, branches

#: Stand-ins for a fact of which nothing is asked but that it is there, or is not one of some words.
_WORD, _INSTANT = "其他", "2026-01-01T00:00:00+08:00"


def by_fact(leaves: Iterable[Leaf]) -> dict[str, list[Leaf]]:
    """The leaves of a conjunction, gathered by the fact they read.

    A comparison that waits for its parameter may yet be satisfied by some value, so it is left out.
    """
    groups: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        if not leaf.unset:
            groups.setdefault(leaf.fact, []).append(leaf)
    return groups


def example(branch: Branch, dictionary: FactDictionary) -> dict[str, Value] | None:
    """Facts that make every leaf of a branch true, or None if there are none. A fact that must be missing is left out."""
    facts: dict[str, Value] = {}
    for name, group in by_fact(branch).items():
        possible, value = _value(name, group, dictionary)
        if not possible:
            return None
        if value is not None:
            facts[name] = value
    return facts


def contradiction(branch: Branch, dictionary: FactDictionary) -> str:
    """The first fact of which a branch asks too much, or an empty string if some facts satisfy the branch."""
    groups = by_fact(branch).items()
    return next((name for name, group in groups if not _value(name, group, dictionary)[0]), "")


def implies(branch: Branch, other: Branch, dictionary: FactDictionary) -> bool:
    """Whether facts that satisfy ``branch`` always satisfy ``other``. Sound, fact by fact; it does not find everything."""
    groups = by_fact(branch)
    return all(
        leaf.fact in groups
        and not leaf.unset
        and all(
            not _value(leaf.fact, [*groups[leaf.fact], *opposite], dictionary)[0] for opposite in branches(negate(leaf))
        )
        for leaf in other
    )


def _value(name: str, group: list[Leaf], dictionary: FactDictionary) -> tuple[bool, Value | None]:
    """Whether one value of a fact (or its absence) satisfies all leaves, and which; None for absence."""
    ops = {leaf.op for leaf in group}
    if "missing" in ops:
        return ops == {"missing"}, None
    fact = dictionary.get(name)
    kind = fact.type if fact else "str"
    domain: tuple[Value, ...] = (True, False) if kind == "bool" else fact.values if fact else ()
    allowed = [leaf.values for leaf in group if leaf.op in ("is", "in")]
    if allowed or domain:
        candidates = [value for value in (*allowed, domain)[0] if _accepts(group, value)]
        return bool(candidates), candidates[0] if candidates else None
    if kind in ("int", "float"):
        number = _number(group, whole=kind == "int")
        return number is not None, number
    excluded = {value for leaf in group if leaf.op == "is_not" for value in leaf.values}
    word = _INSTANT if kind == "instant" else _WORD
    while word in excluded:
        word += _WORD
    return True, word


def _accepts(group: list[Leaf], value: Value) -> bool:
    facts: Mapping[str, Value] = {group[0].fact: value}
    return all(judge(leaf, facts).outcome is True for leaf in group)


def _number(group: list[Leaf], *, whole: bool) -> Value | None:
    """A number within the bounds that is not excluded."""
    step = 1.0 if whole else 10.0**-DECIMALS
    low, high = -inf, inf
    for leaf in group:
        if leaf.op in ("gt", "gte"):
            low = max(low, float(leaf.values[0]) + (step if leaf.op == "gt" else 0.0))
        elif leaf.op in ("lt", "lte"):
            high = min(high, float(leaf.values[0]) - (step if leaf.op == "lt" else 0.0))
    excluded = {float(value) for leaf in group if leaf.op == "is_not" for value in leaf.values}
    low, high = round(low, DECIMALS) if low > -inf else low, round(high, DECIMALS) if high < inf else high
    first, direction = (low, 1) if low > -inf else (high, -1) if high < inf else (0.0, 1)
    for count in range(len(excluded) + 1):
        number = round(first + direction * count * step, DECIMALS)
        if low <= number <= high and number not in excluded:
            return int(number) if whole else number
    return None
