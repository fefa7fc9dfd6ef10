"""What a condition is: a small tree of leaves over facts, with no regular expression and no arithmetic.

``all`` and ``any`` nest; a leaf compares one fact with literals. There is no ``not``: every leaf has its opposite, which
keeps conditions readable and makes :func:`negate` exact in three-state logic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from rules.fact_dictionary import Fact, FactDictionary, Value
from rules.parameter import Parameter
from rules.problems import Problem
from rules.yaml_reader import Node

#: Operator -> its opposite. ``between`` includes both ends; its opposite is written with ``lt`` and ``gt``.
OPPOSITES = {
    "is": "is_not",
    "is_not": "is",
    "in": "not_in",
    "not_in": "in",
    "lt": "gte",
    "gte": "lt",
    "gt": "lte",
    "lte": "gt",
    "present": "missing",
    "missing": "present",
}
OPERATORS = (*OPPOSITES, "between")
LISTS = ("in", "not_in", "between")
NUMERIC = ("lt", "lte", "gt", "gte", "between")
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison of a fact with literals of its type: none for ``present`` and ``missing``, two for ``between``,
    any number for ``in`` and ``not_in``, one for the rest.

    The one literal may be a parameter. Its value is put in for the day (:func:`resolve`); until then, and on days on
    which the parameter is not filled, ``values`` is empty and the comparison is unknown.
    """

    fact: str
    op: str
    values: tuple[Value, ...] = ()
    parameter: str = ""

    @property
    def unset(self) -> bool:
        """Whether the comparison waits for the value of its parameter."""
        return bool(self.parameter) and not self.values


@dataclass(frozen=True, slots=True)
class Group:
    """``all`` or ``any`` of at least one part."""

    op: Literal["all", "any"]
    parts: tuple[Condition, ...]


Condition = Leaf | Group


def leaves(condition: Condition) -> Iterator[Leaf]:
    """The leaves in reading order."""
    if isinstance(condition, Leaf):
        yield condition
        return
    for part in condition.parts:
        yield from leaves(part)


def facts_of(condition: Condition) -> tuple[str, ...]:
    """The facts read, each once, in reading order."""
    return tuple(dict.fromkeys(leaf.fact for leaf in leaves(condition)))


def parameters_of(condition: Condition) -> tuple[str, ...]:
    """The parameters named, each once, in reading order."""
    return tuple(dict.fromkeys(leaf.parameter for leaf in leaves(condition) if leaf.parameter))


def resolve(condition: Condition, values: Mapping[str, Value]) -> Condition:
    """The condition with the values of its parameters put in; one that has no value stays unset."""
    if isinstance(condition, Group):
        return Group(condition.op, tuple(resolve(part, values) for part in condition.parts))
    if not condition.parameter:
        return condition
    value = values.get(condition.parameter)
    return Leaf(condition.fact, condition.op, () if value is None else (value,), condition.parameter)


def negate(condition: Condition) -> Condition:
    """The condition that is true exactly where this one is false; both are unknown on the same facts."""
    if isinstance(condition, Group):
        return Group("any" if condition.op == "all" else "all", tuple(negate(part) for part in condition.parts))
    if condition.op == "between":
        low, high = condition.values
        return Group("any", (Leaf(condition.fact, "lt", (low,)), Leaf(condition.fact, "gt", (high,))))
    return Leaf(condition.fact, OPPOSITES[condition.op], condition.values, condition.parameter)


def to_data(condition: Condition) -> dict[str, Any]:
    """The condition as plain data, as it would stand in YAML."""
    if isinstance(condition, Group):
        return {condition.op: [to_data(part) for part in condition.parts]}
    if condition.op in ("present", "missing"):
        return {"fact": condition.fact, condition.op: True}
    if condition.parameter:
        return {"fact": condition.fact, condition.op: {"parameter": condition.parameter}}
    many = condition.op in LISTS
    return {"fact": condition.fact, condition.op: list(condition.values) if many else condition.values[0]}


def parse_condition(
    node: Node,
    dictionary: FactDictionary,
    problems: list[Problem],
    *,
    gate: str,
    parameters: Mapping[str, Parameter] | None = None,
) -> Condition | None:
    """Read one condition; what is wrong is added to ``problems`` and None comes back."""
    return _Parser(dictionary, problems, gate, parameters or {}).condition(node, 1)


class _Parser:
    def __init__(
        self, dictionary: FactDictionary, problems: list[Problem], gate: str, parameters: Mapping[str, Parameter]
    ):
        self.dictionary, self.problems, self.gate, self.parameters = dictionary, problems, gate, parameters

    def _wrong(self, node: Node, problem: str, hint: str) -> None:
        self.problems.append(Problem("E3007", node.mark, {"problem": problem, "hint": hint}))

    def condition(self, node: Node, depth: int) -> Condition | None:
        if not isinstance(node.value, dict):
            self._wrong(node, f"这里应是一个条件，现在是{node.kind}", "写成 {fact: 事实名, is: true} 或 all、any。")
            return None
        if depth > MAX_DEPTH:
            self._wrong(node, f"嵌套超过 {MAX_DEPTH} 层", "请拆成几条规则。")
            return None
        keys = set(node.value)
        if keys in ({"all"}, {"any"}):
            op: Literal["all", "any"] = "all" if keys == {"all"} else "any"
            return self._group(op, node.value[op], depth)
        if "fact" in keys:
            return self._leaf(node)
        self._wrong(node, f"看不懂“{'、'.join(sorted(keys)) or '空'}”", "一个条件只有 all、any，或 fact 加一个比较符。")
        return None

    def _group(self, op: Literal["all", "any"], body: Node, depth: int) -> Condition | None:
        if not isinstance(body.value, list) or not body.value:
            self._wrong(body, f"{op} 下面应是至少一个条件的列表", "每个条件前写一个减号和空格。")
            return None
        parts = [self.condition(item, depth + 1) for item in body.value]
        return None if None in parts else Group(op, tuple(part for part in parts if part is not None))

    def _leaf(self, node: Node) -> Leaf | None:
        mapping: dict[str, Node] = node.value  # type: ignore[assignment]
        others = [key for key in mapping if key != "fact"]
        if len(others) != 1 or others[0] not in OPERATORS:
            self._wrong(node, "fact 之外应恰好有一个比较符", f"可用：{'、'.join(OPERATORS)}。")
            return None
        name, op, value = mapping["fact"].value, others[0], mapping[others[0]]
        fact = self.dictionary.get(name) if isinstance(name, str) else None
        if fact is None:
            hint = self.dictionary.hint(str(name))
            self.problems.append(Problem("E3006", mapping["fact"].mark, {"fact": name, "hint": hint}))
            return None
        if fact.gates and self.gate and self.gate not in fact.gates:
            params = {"fact": fact.name, "gate": self.gate, "gates": "、".join(fact.gates)}
            self.problems.append(Problem("E3018", mapping["fact"].mark, params))
            return None
        return self._compare(fact, op, value)

    def _compare(self, fact: Fact, op: str, node: Node) -> Leaf | None:
        if op in ("present", "missing"):
            if node.value is True:
                return Leaf(fact.name, op)
            other = OPPOSITES[op]
            self._wrong(node, f"{op} 后面只能是 true", f"要表示相反的意思，请写 {other}: true。")
            return None
        if fact.type == "instant":
            hint = "用 present、missing；先后和期限用由时刻算出的事实，如 return_in_window。"
            self._wrong(node, f"事实“{fact.name}”是时刻，不能用 {op}", hint)
            return None
        if op in NUMERIC and fact.type not in ("int", "float"):
            self._wrong(node, f"事实“{fact.name}”不是数，不能用 {op}", "文字和是否用 is、is_not、in、not_in。")
            return None
        if op in ("is", "is_not", "in", "not_in") and fact.type == "float":
            self._wrong(node, f"事实“{fact.name}”是小数，不能用 {op}", "小数只比大小：lt、lte、gt、gte、between。")
            return None
        if isinstance(node.value, dict):
            return self._parameter(fact, op, node, node.value)
        if op not in LISTS:
            literal = self._literal(fact, node)
            return None if literal is None else Leaf(fact.name, op, (literal,))
        if not isinstance(node.value, list) or not node.value:
            self._wrong(node, f"{op} 后面应是列表", "写成 [值一, 值二]。")
            return None
        literals = [self._literal(fact, item) for item in node.value]
        values = tuple(value for value in literals if value is not None)
        if len(values) < len(literals):
            return None
        if op == "between" and (len(values) != 2 or values[1] < values[0]):  # type: ignore[operator]
            self._wrong(node, "between 后面应是从小到大的两个数", "写成 between: [1, 5]，两端都算在内。")
            return None
        if len(set(values)) < len(values) and op != "between":
            self._wrong(node, f"{op} 的列表里有相同的值", "请删去重复的值。")
            return None
        return Leaf(fact.name, op, values)

    def _parameter(self, fact: Fact, op: str, node: Node, body: Mapping[str, Node]) -> Leaf | None:
        """``{parameter: id}`` in the place of a literal."""
        if set(body) != {"parameter"} or not isinstance(body["parameter"].value, str):
            self._wrong(node, "比较符后面应是一个值，或 {parameter: 参数编号}", "参数在 parameters.yaml 登记。")
            return None
        if op in LISTS:
            self._wrong(node, f"{op} 后面不能是参数", "参数只用于 is、is_not、lt、lte、gt、gte。")
            return None
        name, mark = body["parameter"].value, body["parameter"].mark
        parameter = self.parameters.get(name)
        if parameter is None:
            near = get_close_matches(name, self.parameters, n=1)
            hint = f"是不是“{near[0]}”？" if near else "请先在 parameters.yaml 登记它。"
            self.problems.append(Problem("E3023", mark, {"parameter": name, "hint": hint}))
            return None
        if parameter.type != fact.type:
            shown = f"参数 {name}（{parameter.type}）"
            self.problems.append(Problem("E3008", mark, {"fact": fact.name, "wanted": fact.wanted, "value": shown}))
            return None
        return Leaf(fact.name, op, (), name)

    def _literal(self, fact: Fact, node: Node) -> Value | None:
        value = fact.literal(node.value)
        if value is None:
            shown = node.kind if isinstance(node.value, (list, dict)) else node.value
            self.problems.append(
                Problem("E3008", node.mark, {"fact": fact.name, "wanted": fact.wanted, "value": shown})
            )
        return value
