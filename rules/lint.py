"""Everything that is wrong with a pack, or looks wrong, in one list with places; ``zhipai rules lint`` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rules.ast import NUMERIC, Leaf, leaves
from rules.evaluate import judge
from rules.fact_dictionary import DECIMALS, FactDictionary, Value, fact_dictionary
from rules.normal_form import Branch, branches
from rules.pack import RulePack, read_pack
from rules.problems import Finding, Problem
from rules.rule import Rule
from rules.run_tests import RuleTest, boundary_values, read_tests

__all__ = ["Finding", "lint"]


def lint(path: str | Path, *, root: Path | None = None) -> tuple[Finding, ...]:
    """Check one pack by name or folder.

    Returns
    -------
    tuple of Finding
        By file and line. An ``error`` has to be mended before the pack is used; a ``warning`` is worth a look.
    """
    pack, problems = read_pack(path, root=root)
    if pack is not None:
        tests = read_tests(pack, problems)
        dictionary = fact_dictionary()
        own = [rule for rule in pack.rules if rule.pack == pack.name]
        for rule in own:
            problems.extend(_never_fires(rule, dictionary))
            problems.extend(_untested(rule, tests))
        problems.extend(_unused_clauses(pack))
    return tuple(problem.finding() for problem in sorted(problems, key=lambda problem: (problem.mark, problem.code)))


def _untested(rule: Rule, tests: list[RuleTest]) -> Iterator[Problem]:
    """Every rule needs a test that hits and one that passes, and one on every number it compares with."""
    for state in ("hit", "pass"):
        if not any(test.expect.get(rule.id) == state for test in tests):
            yield Problem("E3102", rule.mark, {"rule": rule.id, "state": state}, "warning")
    for leaf in leaves(rule.when):
        if leaf.op in NUMERIC:
            seen = boundary_values(tests, rule.id, leaf.fact)
            for end in leaf.values:
                if end not in seen:
                    yield Problem("E3104", rule.mark, {"rule": rule.id, "fact": leaf.fact, "value": end}, "warning")


def _unused_clauses(pack: RulePack) -> Iterator[Problem]:
    used = {rule.clause for rule in pack.rules} | set(pack.calendar.clauses)
    used |= {value.clause for limit in pack.limits for value in limit.values}
    for clause_id in sorted(set(pack.clauses) - used):
        if pack.clause_owners[clause_id] == pack.name:
            yield Problem("E3103", pack.clause_marks[clause_id], {"clause": clause_id}, "warning")


def _never_fires(rule: Rule, dictionary: FactDictionary) -> Iterator[Problem]:
    reasons = [_contradiction(branch, dictionary) for branch in branches(rule.when)]
    if all(reasons):
        yield Problem("E3101", rule.mark, {"rule": rule.id, "problem": reasons[0]})


def _contradiction(branch: Branch, dictionary: FactDictionary) -> str:
    """Why no facts can satisfy all leaves of a branch, or an empty string if some may."""
    by_fact: dict[str, list[Leaf]] = {}
    for leaf in branch:
        by_fact.setdefault(leaf.fact, []).append(leaf)
    for name, group in by_fact.items():
        if not _satisfiable(name, group, dictionary):
            return f"“{name}”的几个条件不能同时成立"
    return ""


def _satisfiable(name: str, group: list[Leaf], dictionary: FactDictionary) -> bool:
    """Whether one value of the fact can satisfy all leaves."""
    ops = {leaf.op for leaf in group}
    if "missing" in ops:
        return ops == {"missing"}
    fact = dictionary.get(name)
    domain: tuple[Value, ...] = ()
    if fact is not None:
        domain = fact.values or ((True, False) if fact.type == "bool" else ())
    allowed = [set(leaf.values) for leaf in group if leaf.op in ("is", "in")]
    candidates = set.intersection(*allowed) if allowed else set(domain)
    if allowed or domain:
        return any(_accepts(group, value) for value in candidates)
    return _range_open(group, whole=fact is not None and fact.type == "int")


def _accepts(group: list[Leaf], value: Value) -> bool:
    return all(judge(leaf, {leaf.fact: value}).outcome is True for leaf in group)


def _range_open(group: list[Leaf], *, whole: bool) -> bool:
    """Whether the lower and upper bounds leave a number. Without bounds, values that are only excluded leave many."""
    step = 1.0 if whole else 10.0**-DECIMALS
    low, high = float("-inf"), float("inf")
    for leaf in group:
        if leaf.op in ("gt", "gte", "lt", "lte"):
            bound = float(leaf.values[0])
            if leaf.op in ("gt", "gte"):
                low = max(low, round(bound + step, DECIMALS) if leaf.op == "gt" else bound)
            else:
                high = min(high, round(bound - step, DECIMALS) if leaf.op == "lt" else bound)
    if low == high:
        return all(leaf.op != "is_not" or leaf.values[0] != low for leaf in group)
    return low < high
