"""What a pack covers: which clauses have rules, which rules have tests, what is still to be filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rules.lint_tests import has_boundary, waits
from rules.pack import RulePack, ToFill
from rules.problems import Problem
from rules.run_tests import RuleTest, read_tests
from rules.vocabulary import GATES


@dataclass(frozen=True, slots=True)
class ClauseCoverage:
    """One clause of the pack and the number of things that rest on it; ``tests`` name it as their basis."""

    id: str
    article: str
    confidence: str
    rules: int
    limits: int
    parameters: int
    calendar: bool
    tests: int

    @property
    def used(self) -> bool:
        return bool(self.rules or self.limits or self.parameters or self.calendar)


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """One rule of the pack and its tests by the state they expect; ``boundary`` if one of them stands at a boundary.

    ``waits`` says that a parameter of the rule has no value, so that no test can hit.
    """

    id: str
    gate: str
    title: str
    clause: str
    hit: int
    passed: int
    not_evaluated: int
    boundary: bool
    waits: bool

    @property
    def speaks(self) -> bool:
        """Whether a test shows the rule speaking: hit, or not evaluated for want of a parameter."""
        return bool(self.not_evaluated if self.waits else self.hit)

    @property
    def complete(self) -> bool:
        return bool(self.speaks and self.passed and self.boundary)


@dataclass(frozen=True, slots=True)
class PackCoverage:
    """A pack's own clauses and rules, its rules by gate (own, and with the inherited ones), and what is to be filled."""

    pack: str
    title: str
    clauses: tuple[ClauseCoverage, ...]
    rules: tuple[RuleCoverage, ...]
    gates: dict[str, dict[str, int]]
    to_fill: tuple[ToFill, ...]
    tests: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "clauses_without_rule": [one.id for one in self.clauses if not one.rules],
            "clauses_unused": [one.id for one in self.clauses if not one.used],
            "rules_incomplete": [one.id for one in self.rules if not one.complete],
        }


def coverage(pack: RulePack) -> PackCoverage:
    """Count what stands beside a pack. Tests that cannot be read are left out; the lint names them."""
    problems: list[Problem] = []
    tests = read_tests(pack, problems)
    own = [rule for rule in pack.rules if rule.pack == pack.name]
    by_gate, own_by_gate = (Counter(rule.gate for rule in rules) for rules in (pack.rules, own))
    return PackCoverage(
        pack=pack.name,
        title=pack.title,
        clauses=_clauses(pack, tests),
        rules=tuple(
            RuleCoverage(
                id=rule.id,
                gate=rule.gate,
                title=rule.title,
                clause=rule.clause,
                hit=(states := Counter(test.expect.get(rule.id) for test in tests))["hit"],
                passed=states["pass"],
                not_evaluated=states["not_evaluated"],
                boundary=has_boundary(rule, [test for test in tests if rule.id in test.expect], pack),
                waits=waits(rule, pack),
            )
            for rule in sorted(own, key=lambda rule: rule.id)
        ),
        gates={gate: {"own": own_by_gate[gate], "all": by_gate[gate]} for gate in GATES},
        to_fill=pack.to_fill(),
        tests=len(tests),
    )


def _clauses(pack: RulePack, tests: Sequence[RuleTest]) -> tuple[ClauseCoverage, ...]:
    rules = Counter(rule.clause for rule in pack.rules)
    limits = Counter(value.clause for limit in pack.limits for value in limit.values)
    parameters = Counter(value.clause for one in pack.parameters.values() for value in one.values)
    cited = Counter(test.clause for test in tests)
    return tuple(
        ClauseCoverage(
            id=name,
            article=pack.clauses[name].article,
            confidence=pack.clauses[name].confidence,
            rules=rules[name],
            limits=limits[name],
            parameters=parameters[name],
            calendar=name in pack.calendar.clauses,
            tests=cited[name],
        )
        for name, owner in sorted(pack.clause_owners.items())
        if owner == pack.name
    )


def totals(packs: Sequence[PackCoverage]) -> dict[str, int]:
    """Over all packs, each rule and clause counted once, where it stands."""
    rules = {rule.id: rule for pack in packs for rule in pack.rules}
    clauses = {clause.id: clause for pack in packs for clause in pack.clauses}
    return {
        "packs": len(packs),
        "rules": len(rules),
        "rules_without_clause": sum(not rule.clause for rule in rules.values()),
        "rules_without_test": sum(not (rule.hit + rule.passed + rule.not_evaluated) for rule in rules.values()),
        "rules_complete": sum(rule.complete for rule in rules.values()),
        "clauses": len(clauses),
        "clauses_with_rule": sum(bool(clause.rules) for clause in clauses.values()),
        "clauses_unused": sum(not clause.used for clause in clauses.values()),
        "tests": sum(pack.tests for pack in packs),
        "to_fill": len({(one.kind, one.pack, one.id) for pack in packs for one in pack.to_fill}),
    }
