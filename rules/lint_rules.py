"""Lint of the rules among themselves: one that can never fire, one that stands twice, two that contradict."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import combinations

from rules.ast import Condition, Group, to_data
from rules.fact_dictionary import FactDictionary, Value
from rules.normal_form import Branch, branches
from rules.pack import RulePack
from rules.problems import Problem
from rules.rule import Rule
from rules.satisfiable import contradiction, example, implies

#: Effects that cannot both be followed. 应当 and 不得 mostly speak of different things (their dispositions say of which).
_OPPOSED = {"allow", "forbid"}


def lint_rules(pack: RulePack, dictionary: FactDictionary) -> Iterator[Problem]:
    """What is wrong with the pack's own rules, and between them and any other rule of the pack.

    Pairs of inherited rules are reported where they stand.
    """
    own = [rule for rule in pack.rules if rule.pack == pack.name]
    for rule in own:
        yield from _never_fires(rule, pack, dictionary)
    for one, other in combinations(sorted(pack.rules, key=lambda rule: (rule.pack == pack.name, rule.mark)), 2):
        # The later of the two is the pack's own, if any is; that is where the problem can be mended.
        if other.pack == pack.name and one.gate == other.gate and overlap(one, other):
            yield from _pair(one, other, pack, dictionary)


def overlap(one: Rule, other: Rule) -> bool:
    """Whether there is a day on which both are in force."""
    start = max(one.effective_from, other.effective_from)
    return all(rule.effective_to is None or start < rule.effective_to for rule in (one, other))


def spread(rule: Rule, pack: RulePack, *, day: date | None = None) -> tuple[Branch, ...]:
    """The branches of a rule on a day (by default the first in force), with the values of its parameters put in."""
    day = day or rule.effective_from
    found = {name: pack.parameters[name].on(day) for name in rule.parameters}
    return branches(rule.resolved({name: one.value for name, one in found.items() if one is not None}).when)


def _days(rule: Rule, pack: RulePack) -> list[date]:
    """The days in the life of a rule on which it may come to mean something else: its first, and new values."""
    starts = {value.effective_from for name in rule.parameters for value in pack.parameters[name].values}
    return sorted({rule.effective_from} | {day for day in starts if rule.in_force(day)})


def _never_fires(rule: Rule, pack: RulePack, dictionary: FactDictionary) -> Iterator[Problem]:
    for day in _days(rule, pack):
        reasons = [contradiction(branch, dictionary) for branch in spread(rule, pack, day=day)]
        if all(reasons):
            problem = f"“{reasons[0]}”的几个条件不能同时成立"
            yield Problem("E3101", rule.mark, {"rule": rule.id, "problem": problem})
            return


def _pair(one: Rule, other: Rule, pack: RulePack, dictionary: FactDictionary) -> Iterator[Problem]:
    params = {"rule": other.id, "other": one.id, "place": one.mark}
    if one.effect == other.effect and one.clause == other.clause:
        if _same(one.when, other.when):
            yield Problem("E3106", other.mark, params)
        elif one.disposition == other.disposition:
            if _covers(one, other, pack, dictionary):
                yield Problem("E3108", other.mark, params, "warning")
            elif _covers(other, one, pack, dictionary):
                swapped = {"rule": one.id, "other": other.id, "place": other.mark}
                yield Problem("E3108", one.mark if one.pack == pack.name else other.mark, swapped, "warning")
    if {one.effect, other.effect} == _OPPOSED and one.priority == other.priority:
        facts = _both(one, other, pack, dictionary)
        if facts is not None:
            shown = "、".join(f"{name}={_shown(value)}" for name, value in facts.items()) or "没有任何事实"
            yield Problem("E3107", other.mark, params | {"facts": shown}, "warning")


def _both(one: Rule, other: Rule, pack: RulePack, dictionary: FactDictionary) -> dict[str, Value] | None:
    """Facts on which both rules hit, on the first day they share; None if there are none."""
    day = max(one.effective_from, other.effective_from)
    pairs = ((left, right) for left in spread(one, pack, day=day) for right in spread(other, pack, day=day))
    return next((facts for left, right in pairs if (facts := example(left + right, dictionary)) is not None), None)


def _covers(wide: Rule, narrow: Rule, pack: RulePack, dictionary: FactDictionary) -> bool:
    """Whether the wide rule hits wherever the narrow one does, for as long as that one is in force."""
    if wide.parameters or narrow.parameters or narrow.effective_from < wide.effective_from:
        return False
    if wide.effective_to and (narrow.effective_to is None or wide.effective_to < narrow.effective_to):
        return False
    ways = spread(wide, pack)
    return all(any(implies(branch, way, dictionary) for way in ways) for branch in spread(narrow, pack))


def _same(one: Condition, other: Condition) -> bool:
    """Whether two conditions are written with the same parts, in whatever order."""
    return _shape(one) == _shape(other)


def _shape(condition: Condition) -> object:
    if isinstance(condition, Group):
        return condition.op, frozenset(_shape(part) for part in condition.parts)
    data = to_data(condition)
    return tuple(
        (key, repr(sorted(value, key=repr) if isinstance(value, list) else value)) for key, value in data.items()
    )


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
