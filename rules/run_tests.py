"""Rule tests (规则测试): YAML beside the pack that a lawyer can read; ``zhipai rules test`` and pytest run them.

A test of rules names ``as_of``, ``facts``, the states it expects and the clause it rests on; a test of deadlines names
``start``, ``kind`` and the instants it expects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from intake.errors import ZhipaiError
from rules.calendar import WorkCalendar
from rules.deadlines import compute_deadlines
from rules.evaluate import evaluate
from rules.fact_dictionary import fact_dictionary
from rules.pack import RulePack
from rules.problems import Finding, Mark, Problem
from rules.times import time_facts
from rules.vocabulary import STAGES, State
from rules.yaml_reader import Fields, Node, read_yaml

_STATES: tuple[State, ...] = ("hit", "pass", "not_evaluated")
_KEYS = ("name", "as_of", "facts", "expect", "clause", "start", "kind", "urgency", "deadlines")


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test. ``expect`` holds rule id → state, ``deadlines`` stage → instant (empty: not computable)."""

    name: str
    mark: Mark
    as_of: datetime
    facts: dict[str, object]
    expect: dict[str, str]
    clause: str
    start: datetime
    kind: str
    urgency: str
    deadlines: dict[str, str]


@dataclass(frozen=True, slots=True)
class TestReport:
    """What ran. ``failed`` are the failures and the tests that could not be read, each with its place."""

    __test__ = False  # not a pytest class

    passed: int
    failed: tuple[Finding, ...]
    untested_rules: tuple[str, ...]
    untested_clauses: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every test passed and every rule and clause of the pack has one."""
        return not (self.failed or self.untested_rules or self.untested_clauses)


def read_tests(pack: RulePack, problems: list[Problem]) -> list[RuleTest]:
    """The tests in the ``tests`` folder of the pack, in the order of files and lines."""
    tests: list[RuleTest] = []
    for path in sorted((pack.folder / "tests").glob("*.yaml")):
        node = read_yaml(path, f"{pack.folder.name}/tests/{path.name}", problems)
        if node is None:
            continue
        if not isinstance(node.value, list):
            params = {"problem": f"最外层应是列表，现在是{node.kind}", "hint": "每个测试前写一个减号和空格。"}
            problems.append(Problem("E3021", node.mark, params))
            continue
        tests += [test for item in node.value if (test := _parse(item, pack, problems)) is not None]
    return tests


def _parse(node: Node, pack: RulePack, problems: list[Problem]) -> RuleTest | None:
    fields = Fields(node, "规则测试", problems, allowed=_KEYS)
    name = fields.text("name")
    as_of = _instant(fields, "as_of", pack, problems)
    start = _instant(fields, "start", pack, problems) or as_of
    expect, deadlines = _words(fields, "expect", problems), _words(fields, "deadlines", problems)
    clause = fields.text("clause", required=False)
    facts = _facts(fields, pack, problems)
    if not fields.ok:
        return None
    if as_of is None or start is None or not (expect or deadlines):
        hint = "写 as_of、facts、expect、clause；测时限写 start、kind、deadlines、clause。"
        problems.append(Problem("E3021", node.mark, {"problem": "缺少日期，或没有写预期", "hint": hint}))
        return None
    for rule_id, state in expect.items():
        if state not in _STATES:
            params = {"problem": f"规则 {rule_id} 预期为“{state}”", "hint": f"只能写：{'、'.join(_STATES)}。"}
            problems.append(Problem("E3021", fields.mark("expect"), params))
    if not clause and (expect or any(deadlines.values())):
        params = {"problem": "没有写 clause", "hint": "请写出这条测试所依据的条款编号。"}
        problems.append(Problem("E3021", node.mark, params))
    elif clause and clause not in pack.clauses:
        problems.append(Problem("E3009", fields.mark("clause"), {"clause": clause}))
    if not fields.ok:
        return None
    kind, urgency = fields.text("kind", required=False), fields.text("urgency", required=False, default="一般")
    return RuleTest(name, node.mark, as_of, facts, expect, clause, start, kind, urgency, deadlines)


def _instant(fields: Fields, key: str, pack: RulePack, problems: list[Problem]) -> datetime | None:
    """``2026-05-06`` or ``2026-05-06T09:30:00``, in the zone of the pack."""
    found = fields.get(key)
    if found is None:
        return None
    instant = _moment(found.value, pack)
    if instant is None:
        params = {"key": key, "problem": f"“{found.value}”不是 2026-05-06 或 2026-05-06T09:30:00 的写法"}
        problems.append(Problem("E3010", found.mark, params))
    return instant


def _moment(value: object, pack: RulePack) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=pack.zone)


def _facts(fields: Fields, pack: RulePack, problems: list[Problem]) -> dict[str, object]:
    """The facts; an instant without a zone is read in that of the pack."""
    found = fields.get("facts")
    if found is None:
        return {}
    if not isinstance(found.value, dict):
        problems.append(Problem("E3003", found.mark, {"key": "facts", "wanted": "映射", "found": found.kind}))
        return {}
    facts: dict[str, object] = {}
    for name, node in found.value.items():
        if isinstance(node.value, (list, dict)):
            problems.append(Problem("E3003", node.mark, {"key": name, "wanted": "一个值", "found": node.kind}))
        else:
            facts[name] = node.value
            fact = fact_dictionary().get(name)
            if fact is not None and fact.type == "instant" and (moment := _moment(node.value, pack)) is not None:
                facts[name] = moment
    return facts


def _words(fields: Fields, key: str, problems: list[Problem]) -> dict[str, str]:
    """A mapping of words; an empty value is an empty word."""
    found = fields.get(key)
    if found is None:
        return {}
    if not isinstance(found.value, dict):
        problems.append(Problem("E3003", found.mark, {"key": key, "wanted": "映射", "found": found.kind}))
        return {}
    return {name: "" if node.value is None else str(node.value) for name, node in found.value.items()}


def run_rule_tests(pack: RulePack) -> TestReport:
    """Run the tests that stand beside the pack, and list its own rules and clauses that none of them touches.

    Rules that the pack inherits are tested where they stand.
    """
    problems: list[Problem] = []
    tests = read_tests(pack, problems)
    calendar = WorkCalendar(pack.calendar)
    passed = 0
    for test in tests:
        wrong = _run(test, pack, calendar)
        if wrong:
            params = {"name": test.name, "problem": "；".join(wrong)}
            problems.append(Problem("E3105", test.mark, params))
        else:
            passed += 1
    tested = {rule_id for test in tests for rule_id in test.expect}
    cited = {test.clause for test in tests} | set(pack.calendar.clauses)
    # A value of a parameter is tested by the rule that compares with it.
    named = {name for rule in pack.rules if rule.id in tested for name in rule.parameters}
    cited |= {value.clause for name in named for value in pack.parameters[name].values}
    own_clauses = sorted(key for key, owner in pack.clause_owners.items() if owner == pack.name)
    return TestReport(
        passed=passed,
        failed=tuple(problem.finding() for problem in sorted(problems, key=lambda problem: problem.mark)),
        untested_rules=tuple(rule.id for rule in pack.rules if rule.pack == pack.name and rule.id not in tested),
        untested_clauses=tuple(clause for clause in own_clauses if clause not in cited),
    )


def _run(test: RuleTest, pack: RulePack, calendar: WorkCalendar) -> list[str]:
    """What came out otherwise than expected."""
    try:
        return [*_run_rules(test, pack, calendar), *_run_deadlines(test, pack, calendar)]
    except ZhipaiError as error:
        return [error.message]


def _run_rules(test: RuleTest, pack: RulePack, calendar: WorkCalendar) -> list[str]:
    if not test.expect:
        return []
    facts, reasons = time_facts(pack, test.facts, as_of=test.as_of, calendar=calendar)
    found = evaluate(pack, facts, as_of=test.as_of, reasons=reasons)
    verdicts = {verdict.rule_id: verdict for verdict in found}
    wrong: list[str] = []
    for rule_id, state in test.expect.items():
        verdict = verdicts.get(rule_id)
        if verdict is None:
            known = any(rule.id == rule_id for rule in pack.rules)
            wrong.append(f"规则 {rule_id} {'当日不在有效期内' if known else '不在规则包里'}")
        elif verdict.state != state:
            detail = f"（{verdict.cause}）" if verdict.cause else ""
            wrong.append(f"规则 {rule_id} 预期 {state}，得到 {verdict.state}{detail}")
    clauses = {verdicts[rule_id].clause.id for rule_id in test.expect if rule_id in verdicts}
    if clauses and test.clause not in clauses:
        wrong.append(f"所列规则依据的是 {'、'.join(sorted(clauses))}，不是 {test.clause}")
    return wrong


def _run_deadlines(test: RuleTest, pack: RulePack, calendar: WorkCalendar) -> list[str]:
    if not test.deadlines:
        return []
    found = compute_deadlines(
        pack,
        kind=test.kind,
        urgency=test.urgency,
        start=test.start,
        as_of=test.as_of,
        calendar=calendar,
        facts=test.facts or None,
    )
    deadlines = {deadline.key: deadline for deadline in found}
    wrong: list[str] = []
    for stage, expected in test.deadlines.items():
        deadline = deadlines.get(stage)
        if deadline is None:
            wrong.append(f"没有环节“{stage}”的时限，算得出的有：{'、'.join(deadlines)}")
            continue
        due = deadline.due_at.replace(tzinfo=None).isoformat() if deadline.due_at else ""
        if due != expected:
            wrong.append(f"{STAGES.get(stage, stage)}到期预期 {expected or '无法计算'}，得到 {due or deadline.cause}")
        if due and deadline.clause and deadline.clause.id != test.clause:
            wrong.append(f"{STAGES.get(stage, stage)}时限依据的是 {deadline.clause.id}，不是 {test.clause}")
    return wrong


def boundary_values(tests: Sequence[RuleTest], rule_id: str, fact: str) -> set[object]:
    """The values of a fact in the tests of a rule."""
    return {test.facts[fact] for test in tests if rule_id in test.expect and fact in test.facts}
