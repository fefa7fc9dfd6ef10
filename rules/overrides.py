"""The user's own values (overrides.yaml): what no document that we could read says, the customer fills and answers for.

Each value becomes a clause of its own: its document is what the user names as the source, its confidence 用户提供.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from typing import Any, TypeVar

from rules.clause import Clause
from rules.limit import Limit, LimitValue
from rules.parameter import Parameter, ParameterValue, read_value
from rules.problems import Mark, Problem
from rules.vocabulary import CONFIDENCES, TIME_UNITS
from rules.yaml_reader import Fields, Node

USER = CONFIDENCES[-1]
_Dated = TypeVar("_Dated", LimitValue, ParameterValue)


def apply_overrides(
    node: Node,
    document: str,
    parameters: dict[str, Parameter],
    limits: dict[str, Limit],
    problems: list[Problem],
) -> list[tuple[Clause, Mark]]:
    """Put the values of the file into ``parameters`` and ``limits``; their clauses come back, with their places.

    From its day on a value of the user goes before those of the packs; what held before that day stays. What is wrong
    is added to ``problems`` (E3024 and those of any mapping). ``document`` is the first half of the clauses' ids.
    """
    fields = Fields(node, "用户填写", problems, allowed=("parameters", "limits"))
    clauses: list[tuple[Clause, Mark]] = []
    for name, items in _entries(fields, "parameters", parameters, problems):
        for item, start, source in _dated(items, name, ("value",), problems):
            parameter = parameters[name]
            found = item.get("value", required=True)
            value = read_value(found, parameter, problems, "E3024") if found else None
            if value is None or not item.ok:
                continue
            text = f"{parameter.title}：{_shown(value)}{parameter.unit}"
            clause = _clause(document, "parameter", name, start, source, text)
            filled = ParameterValue(value, clause.id, start, None)
            parameters[name] = replace(parameter, values=(*_before(parameter.values, start), filled))
            clauses.append((clause, item.node.mark))
    for name, items in _entries(fields, "limits", limits, problems):
        for item, start, source in _dated(items, name, ("amount", "unit"), problems):
            amount, unit = item.integer("amount", default=1), item.text("unit", choices=TIME_UNITS)
            if amount < 1:
                params = {"parameter": name, "problem": f"数量是 {amount}", "hint": "数量应是 1 以上的整数。"}
                problems.append(Problem("E3024", item.mark("amount"), params))
            if not item.ok:
                continue
            limit = limits[name]
            clause = _clause(document, "limit", name, start, source, f"{limit.title}：{amount}{unit}")
            filled_limit = LimitValue(amount, unit, clause.id, start, None)
            limits[name] = replace(limit, values=(*_before(limit.values, start), filled_limit))
            clauses.append((clause, item.node.mark))
    return clauses


def _entries(
    fields: Fields, key: str, known: Mapping[str, Any], problems: list[Problem]
) -> Iterator[tuple[str, list[Node]]]:
    """Id → its values (one mapping, or a list of them) for the ids that the pack declares."""
    found = fields.get(key)
    if found is None:
        return
    if not isinstance(found.value, dict):
        params = {"key": key, "wanted": "映射（编号: {…}）", "found": found.kind}
        problems.append(Problem("E3003", found.mark, params))
        return
    for name, node in found.value.items():
        if name in known:
            yield name, node.value if isinstance(node.value, list) else [node]
            continue
        near = get_close_matches(name, known, n=1)
        hint = f"是不是“{near[0]}”？" if near else "可填的见 zhipai rules check。"
        what = {"parameters": "参数", "limits": "时限"}[key]
        params = {"parameter": name, "problem": f"规则包没有这个{what}", "hint": hint}
        problems.append(Problem("E3024", found.keys[name], params))


def _dated(
    items: list[Node], name: str, keys: tuple[str, ...], problems: list[Problem]
) -> Iterator[tuple[Fields, date, str]]:
    """The values of one id that have a day and a source, the earliest first."""
    ready: list[tuple[Fields, date, str]] = []
    for item in items:
        fields = Fields(item, "用户填写的值", problems, allowed=(*keys, "source", "effective_from"))
        start, source = fields.day("effective_from", required=True), fields.text("source")
        if start is None or not fields.ok:
            continue
        if any(start == other for _, other, _ in ready):
            params = {"parameter": name, "problem": f"{start} 起有两个值", "hint": "请只留一个。"}
            problems.append(Problem("E3024", item.mark, params))
        ready.append((fields, start, source))
    yield from sorted(ready, key=lambda one: one[1])


def _before(values: tuple[_Dated, ...], start: date) -> list[_Dated]:
    """What held before a day, ending on it at the latest."""
    earlier = [value for value in values if value.effective_from < start]
    return [
        replace(value, effective_to=start if value.effective_to is None else min(value.effective_to, start))
        for value in earlier
    ]


def _shown(value: object) -> str:
    return {True: "是", False: "否"}[value] if isinstance(value, bool) else str(value)


def _clause(document: str, kind: str, name: str, start: date, source: str, text: str) -> Clause:
    return Clause(
        id=f"{document}#{kind}.{name.replace('_', '-')}.{start}",
        document=source,
        number="",
        article="",
        confidence=USER,
        effective_from=start,
        effective_to=None,
        summary=f"{text}（用户单位填写）。",
        source="用户",
    )
