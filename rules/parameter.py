"""What a parameter (参数) is: a dated value of a pack that rules name instead of a number, and that may be unfilled."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rules.clause import Clause
from rules.fact_dictionary import Fact, Value
from rules.problems import Mark, Problem
from rules.yaml_reader import Fields, Node

PARAMETER_ID = r"[a-z][a-z0-9_]*"
PARAMETER_TYPES = ("int", "float", "bool", "str")


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """A value from a day on, by a clause. ``effective_to`` is exclusive."""

    value: Value
    clause: str
    effective_from: date
    effective_to: date | None

    def in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named value of a jurisdiction.

    ``note`` says why there is no value, where there is none; a rule that needs it is then not evaluated.
    """

    id: str
    title: str
    type: str
    unit: str
    values: tuple[ParameterValue, ...]
    note: str
    pack: str
    mark: Mark = field(compare=False)

    @property
    def label(self) -> str:
        return f"{self.title}（{self.id}）"

    def on(self, day: date) -> ParameterValue | None:
        """The value in force on a day, or None where it is not filled."""
        return next((value for value in self.values if value.in_force(day)), None)

    def literal(self, value: object) -> Value | None:
        """The value as a rule compares it, or None if it is not of this parameter's type."""
        return Fact(self.id, self.type, self.title, "record").literal(value)

    def to_data(self) -> dict[str, Any]:
        values = [[one.value, one.clause, str(one.effective_from), str(one.effective_to)] for one in self.values]
        return {
            "id": self.id,
            "title": self.title,
            "type": self.type,
            "unit": self.unit,
            "values": values,
            "note": self.note,
        }


def parse_parameter(
    node: Node, *, pack: str, clauses: Mapping[str, Clause], problems: list[Problem]
) -> Parameter | None:
    """Read one parameter; what is wrong is added to ``problems`` and None comes back."""
    fields = Fields(node, "参数", problems, allowed=("id", "title", "type", "unit", "values", "note"))
    parameter_id = fields.text("id", pattern=PARAMETER_ID, example="extension_max_workdays")
    title = fields.text("title")
    kind = fields.text("type", choices=PARAMETER_TYPES)
    unit, note = fields.text("unit", required=False), fields.text("note", required=False)
    if not fields.ok:
        return None
    empty = Parameter(parameter_id, title, kind, unit, (), note, pack, node.mark)
    values = [_parse_value(item, empty, clauses, problems) for item in fields.items("values")]
    dated = sorted((value for value in values if value is not None), key=lambda value: value.effective_from)
    for before, after in itertools.pairwise(dated):
        if before.effective_to is None or after.effective_from < before.effective_to:
            problem = f"{before.effective_from} 起的值与 {after.effective_from} 起的值同时有效"
            params = {"parameter": parameter_id, "problem": problem, "hint": "请给前一个值写上 effective_to。"}
            problems.append(Problem("E3022", fields.mark("values"), params))
    if fields.ok and not dated and not note:
        hint = "请填 values，或在 note 里写明为什么没有值。"
        params = {"parameter": parameter_id, "problem": "没有值也没有说明", "hint": hint}
        problems.append(Problem("E3022", node.mark, params))
    if not fields.ok:
        return None
    return Parameter(parameter_id, title, kind, unit, tuple(dated), note, pack, node.mark)


def _parse_value(
    node: Node, parameter: Parameter, clauses: Mapping[str, Clause], problems: list[Problem]
) -> ParameterValue | None:
    fields = Fields(node, "参数的值", problems, allowed=("value", "clause", "effective_from", "effective_to"))
    found = fields.get("value", required=True)
    clause = clauses.get(fields.text("clause"))
    if clause is None and fields.get("clause") is not None:
        problems.append(Problem("E3009", fields.mark("clause"), {"clause": fields.text("clause")}))
    value = read_value(found, parameter, problems, "E3022") if found else None
    start, end = fields.span()
    if clause is None or value is None or not fields.ok:
        return None
    if start is not None and start < clause.effective_from:
        problem = f"早于条款“{clause.id}”的生效日期 {clause.effective_from}"
        problems.append(Problem("E3010", fields.mark("effective_from"), {"key": "effective_from", "problem": problem}))
        return None
    return ParameterValue(value, clause.id, start or clause.effective_from, end or clause.effective_to)


def read_value(node: Node, parameter: Parameter, problems: list[Problem], code: str) -> Value | None:
    """The value that stands here, or a problem under ``code`` if it is not of the parameter's type."""
    value = parameter.literal(node.value)
    if value is None:
        shown = node.kind if isinstance(node.value, (list, dict)) else node.value
        words = {"int": "整数", "float": "最多四位小数的数", "bool": "true 或 false", "str": "文字"}
        params = {
            "parameter": parameter.id,
            "problem": f"值写成了“{shown}”",
            "hint": f"“{parameter.title}”应是{words[parameter.type]}。",
        }
        problems.append(Problem(code, node.mark, params))
    return value
