"""What a rule is, and how it is read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from rules.ast import Condition, facts_of, negate, parameters_of, parse_condition, resolve, to_data
from rules.clause import Clause
from rules.fact_dictionary import FactDictionary, Value
from rules.normal_form import MAX_BRANCHES, MAX_LEAVES, branch_cost, branch_count, branches
from rules.parameter import Parameter
from rules.problems import Mark, Problem
from rules.verdict import Disposition
from rules.vocabulary import EFFECTS, GATES, MAY_BLOCK, SEVERITIES, Effect, Severity
from rules.yaml_reader import Fields, Node

RULE_ID = r"[A-Z]{2,8}(-[A-Z]{2,8})*-[0-9]{3}"
KEYS = (
    "id",
    "title",
    "gate",
    "when",
    "verdict",
    "disposition",
    "clause",
    "severity",
    "effective_from",
    "effective_to",
    "priority",
)
DEFAULT_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """One dated rule with its clause.

    ``effective_to`` is exclusive; a lower ``priority`` speaks first; ``reads`` are the facts of ``when``.
    """

    id: str
    title: str
    gate: str
    when: Condition
    effect: Effect
    disposition: Disposition
    clause: str
    severity: Severity
    effective_from: date
    effective_to: date | None
    priority: int
    pack: str
    reads: tuple[str, ...]
    mark: Mark = field(compare=False)

    def in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that the condition names."""
        return parameters_of(self.when)

    def resolved(self, values: Mapping[str, Value]) -> Rule:
        """The rule with the values of its parameters put in."""
        return replace(self, when=resolve(self.when, values)) if self.parameters else self

    def to_data(self) -> dict[str, Any]:
        """Everything that gives the rule its meaning; its place in a file does not."""
        return {
            "id": self.id,
            "title": self.title,
            "gate": self.gate,
            "when": to_data(self.when),
            "verdict": self.effect,
            "disposition": [self.disposition.action, self.disposition.tell],
            "clause": self.clause,
            "severity": self.severity,
            "effective": [str(self.effective_from), str(self.effective_to)],
            "priority": self.priority,
        }


def parse_rule(
    node: Node,
    *,
    pack: str,
    dictionary: FactDictionary,
    clauses: Mapping[str, Clause],
    problems: list[Problem],
    parameters: Mapping[str, Parameter] | None = None,
) -> Rule | None:
    """Read one rule; what is wrong is added to ``problems`` and None comes back."""
    fields = Fields(node, "规则", problems, allowed=KEYS)
    rule_id = fields.text("id", pattern=RULE_ID, example="WF-RET-002")
    title = fields.text("title")
    gate = fields.text("gate", choices=GATES)
    effect = fields.text("verdict", choices=EFFECTS)
    severity = fields.text("severity", choices=SEVERITIES)
    clause = _clause(fields, clauses, problems)
    disposition = _disposition(fields, problems)
    start, end = fields.span()
    priority = fields.integer("priority", required=False, default=DEFAULT_PRIORITY)
    body = fields.get("when", required=True)
    known_gate = gate if gate in GATES else ""
    when = parse_condition(body, dictionary, problems, gate=known_gate, parameters=parameters) if body else None
    if body is None or when is None or clause is None or not fields.ok:
        return None
    rule = Rule(
        id=rule_id,
        title=title,
        gate=gate,
        when=when,
        effect=effect,  # type: ignore[arg-type]
        disposition=disposition,
        clause=clause.id,
        severity=severity,  # type: ignore[arg-type]
        effective_from=start or clause.effective_from,
        effective_to=end or clause.effective_to,
        priority=priority,
        pack=pack,
        reads=facts_of(when),
        mark=node.mark,
    )
    _check_dates(rule, clause, fields, problems)
    _check_blocking(rule, clause, fields, dictionary, problems)
    _check_size(when, body, problems)
    return rule if fields.ok else None


def _clause(fields: Fields, clauses: Mapping[str, Clause], problems: list[Problem]) -> Clause | None:
    clause_id = fields.text("clause")
    if clause_id and clause_id not in clauses:
        problems.append(Problem("E3009", fields.mark("clause"), {"clause": clause_id}))
    return clauses.get(clause_id)


def _disposition(fields: Fields, problems: list[Problem]) -> Disposition:
    node = fields.get("disposition", required=True)
    if node is None:
        return Disposition("", "")
    inner = Fields(node, "处置方式（disposition）", problems, allowed=("action", "tell"))
    return Disposition(inner.text("action"), inner.text("tell"))


def _check_dates(rule: Rule, clause: Clause, fields: Fields, problems: list[Problem]) -> None:
    """A rule holds only while its clause does."""
    if rule.effective_from < clause.effective_from:
        problem = f"早于条款“{clause.id}”的生效日期 {clause.effective_from}"
        problems.append(Problem("E3010", fields.mark("effective_from"), {"key": "effective_from", "problem": problem}))
    if clause.effective_to and rule.effective_to and clause.effective_to < rule.effective_to:
        problem = f"晚于条款“{clause.id}”的失效日期 {clause.effective_to}"
        problems.append(Problem("E3010", fields.mark("effective_to"), {"key": "effective_to", "problem": problem}))


def _check_blocking(
    rule: Rule, clause: Clause, fields: Fields, dictionary: FactDictionary, problems: list[Problem]
) -> None:
    if rule.severity != "block":
        return
    mark = fields.mark("severity")
    if clause.confidence not in MAY_BLOCK:
        params = {"clause": clause.id, "confidence": clause.confidence, "rule": rule.id}
        problems.append(Problem("E3012", mark, params))
    sources = {fact.source for name in rule.reads if (fact := dictionary.get(name)) is not None}
    if sources <= {"text"}:
        problems.append(Problem("E3019", mark, {"rule": rule.id}))


def _check_size(when: Condition, body: Node, problems: list[Problem]) -> None:
    """The online engine knows no ``any``: a condition and its opposite are spread out into branches."""
    for condition in (when, negate(when)):
        count = branch_count(condition)
        if count > MAX_BRANCHES:
            params = {"count": count, "unit": "支", "limit": MAX_BRANCHES}
            problems.append(Problem("E3013", body.mark, params))
            return
        cost = max(branch_cost(branch) for branch in branches(condition))
        if cost > MAX_LEAVES:
            params = {"count": cost, "unit": "个比较", "limit": MAX_LEAVES}
            problems.append(Problem("E3013", body.mark, params))
            return
