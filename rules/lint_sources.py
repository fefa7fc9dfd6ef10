"""Lint of what rules rest on: clauses nobody cites or tests, limits that cannot be counted, parameters nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rules.pack import RulePack
from rules.problems import Problem
from rules.run_tests import RuleTest
from rules.times import EXCLUSION_PARAMETER


def lint_sources(pack: RulePack, tests: Sequence[RuleTest]) -> Iterator[Problem]:
    """What is wrong with the pack's own clauses, limits and parameters."""
    yield from _clauses(pack, tests)
    yield from _limits(pack)
    yield from _parameters(pack)


def cited_clauses(pack: RulePack) -> set[str]:
    """The clauses that something of the pack rests on: a rule, the calendar, the value of a limit or a parameter."""
    cited = {rule.clause for rule in pack.rules} | set(pack.calendar.clauses)
    cited |= {value.clause for limit in pack.limits for value in limit.values}
    return cited | {value.clause for parameter in pack.parameters.values() for value in parameter.values}


def _clauses(pack: RulePack, tests: Sequence[RuleTest]) -> Iterator[Problem]:
    cited, tested = cited_clauses(pack), {test.clause for test in tests} | set(pack.calendar.clauses)
    for clause in sorted(name for name, owner in pack.clause_owners.items() if owner == pack.name):
        if clause not in cited:
            yield Problem("E3103", pack.clause_marks[clause], {"clause": clause}, "warning")
        elif clause not in tested:
            yield Problem("E3109", pack.clause_marks[clause], {"clause": clause}, "warning")


def _limits(pack: RulePack) -> Iterator[Problem]:
    """Hours of work need office hours; a day needs none, it ends at midnight."""
    for limit in pack.limits:
        units = {value.unit for value in limit.values}
        if limit.pack == pack.name and "工作小时" in units and not pack.calendar.office_hours:
            yield Problem("E3110", limit.mark, {"limit": limit.id}, "warning")


def _parameters(pack: RulePack) -> Iterator[Problem]:
    read = {EXCLUSION_PARAMETER} | {name for rule in pack.rules for name in rule.parameters}
    for parameter in pack.parameters.values():
        if parameter.pack == pack.name and parameter.id not in read:
            yield Problem("E3111", parameter.mark, {"parameter": parameter.id}, "warning")
