"""Lint of the rule tests: every rule needs one that hits, one that passes, and one at its boundary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rules.ast import NUMERIC, Leaf, leaves
from rules.fact_dictionary import Value
from rules.pack import RulePack
from rules.problems import Problem
from rules.rule import Rule
from rules.run_tests import RuleTest


def lint_tests(pack: RulePack, tests: Sequence[RuleTest]) -> Iterator[Problem]:
    """What the tests beside the pack leave open about its own rules."""
    for rule in pack.rules:
        if rule.pack == pack.name:
            own = [test for test in tests if rule.id in test.expect]
            yield from _states(rule, own, pack)
            yield from _boundaries(rule, own, pack)


def has_boundary(rule: Rule, tests: Sequence[RuleTest], pack: RulePack) -> bool:
    """Whether the tests of a rule stand at a boundary: its first or last day, a number, or a fact that is missing."""
    days = {test.as_of.astimezone(pack.zone).date() for test in tests}
    if any(test.expect[rule.id] == "not_evaluated" for test in tests) or days & {
        rule.effective_from,
        rule.effective_to,
    }:
        return True
    return any(not _untouched(leaf, tests, pack) for leaf in leaves(rule.when) if leaf.op in NUMERIC)


def waits(rule: Rule, pack: RulePack) -> bool:
    """Whether a parameter of the rule has no value: it cannot hit, and that it is told as not evaluated is tested."""
    return any(not pack.parameters[name].values for name in rule.parameters)


def _states(rule: Rule, tests: Sequence[RuleTest], pack: RulePack) -> Iterator[Problem]:
    for state in ("not_evaluated" if waits(rule, pack) else "hit", "pass"):
        if not any(test.expect[rule.id] == state for test in tests):
            yield Problem("E3102", rule.mark, {"rule": rule.id, "state": state}, "warning")


def _boundaries(rule: Rule, tests: Sequence[RuleTest], pack: RulePack) -> Iterator[Problem]:
    numbers = [leaf for leaf in leaves(rule.when) if leaf.op in NUMERIC]
    for leaf in numbers:
        for end in _untouched(leaf, tests, pack):
            yield Problem("E3104", rule.mark, {"rule": rule.id, "fact": leaf.fact, "value": end}, "warning")
    if tests and not numbers and not has_boundary(rule, tests, pack):
        yield Problem("E3112", rule.mark, {"rule": rule.id}, "warning")


def _untouched(leaf: Leaf, tests: Sequence[RuleTest], pack: RulePack) -> list[Value]:
    """The numbers of a comparison that no test of the rule has as the value of the fact, on a day on which they hold."""
    if not leaf.parameter:
        return [end for end in leaf.values if all(test.facts.get(leaf.fact) != end for test in tests)]
    return [
        one.value
        for one in pack.parameters[leaf.parameter].values
        if not any(
            test.facts.get(leaf.fact) == one.value and one.in_force(test.as_of.astimezone(pack.zone).date())
            for test in tests
        )
    ]
