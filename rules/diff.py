"""What differs between two versions of a pack: rules, clauses, limits, parameters and settings, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rules.pack import RulePack
from rules.vocabulary import EFFECTS, GATES, SEVERITIES, STAGES

Kind = Literal["added", "removed", "changed"]
KINDS: dict[Kind, str] = {"added": "新增", "removed": "删去", "changed": "改动"}
SECTIONS = {"pack": "规则包", "rules": "规则", "clauses": "条款", "limits": "时限", "parameters": "参数"}
#: What a reader calls the keys of ``to_data``.
FIELDS = {
    "name": "名字",
    "title": "名称",
    "jurisdiction": "辖区",
    "lineage": "继承",
    "calendar": "日历",
    "basis": "事实字典与词表",
    "gate": "关口",
    "when": "条件",
    "verdict": "结论",
    "disposition": "处置与告知",
    "clause": "依据",
    "severity": "轻重",
    "effective": "有效期",
    "priority": "先后",
    "document": "文件",
    "number": "文号",
    "article": "条号",
    "confidence": "置信度",
    "effective_from": "生效日期",
    "effective_to": "失效日期",
    "summary": "概括",
    "source": "来源",
    "stage": "环节",
    "track": "时限线",
    "kinds": "诉求类型",
    "urgencies": "紧急程度",
    "values": "值",
    "note": "说明",
    "type": "类型",
    "unit": "单位",
}
_WORDS = {"gate": GATES, "verdict": EFFECTS, "severity": SEVERITIES, "stage": STAGES}
_SIGNS = {
    "is": "是",
    "is_not": "不是",
    "in": "属于",
    "not_in": "不属于",
    "lt": "＜",
    "lte": "≤",
    "gt": "＞",
    "gte": "≥",
    "between": "介于",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: its key, its Chinese name, and the plain data on both sides (None where it was absent)."""

    field: str
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One rule, clause, limit or parameter that came, went or changed; ``fields`` only where it changed."""

    section: str
    kind: Kind
    id: str
    title: str
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class PackDiff:
    """Everything that differs, in the order of sections and ids. Two packs of one meaning have no changes."""

    old: str
    new: str
    changes: tuple[Change, ...]

    def counts(self) -> dict[str, dict[str, int]]:
        """Section → kind → how many, without noughts."""
        counts: dict[str, dict[str, int]] = {}
        for change in self.changes:
            section = counts.setdefault(change.section, {})
            section[change.kind] = section.get(change.kind, 0) + 1
        return counts

    def as_dict(self) -> dict[str, Any]:
        return {
            "old": self.old,
            "new": self.new,
            "counts": self.counts(),
            "changes": [asdict(change) for change in self.changes],
        }

    def summary(self) -> str:
        """One line: 规则 新增 1、改动 2；条款 新增 1。"""
        parts = [
            f"{SECTIONS[section]} " + "、".join(f"{KINDS[kind]} {kinds[kind]}" for kind in KINDS if kind in kinds)
            for section, kinds in self.counts().items()
        ]
        return "；".join(parts) + "。" if parts else "没有不同。"

    def lines(self) -> list[str]:
        """The changes as a rule owner reads them."""
        lines: list[str] = []
        for change in self.changes:
            lines.append(f"{KINDS[change.kind]}{SECTIONS[change.section]} {change.id} {change.title}".rstrip())
            for field in change.fields:
                lines.append(f"    {field.name}：{shown(field.field, field.before)}")
                lines.append(f"    {'　' * len(field.name)}→ {shown(field.field, field.after)}")
        return lines


def compare(old: RulePack, new: RulePack) -> PackDiff:
    """What somebody who used ``old`` will find different with ``new``, inherited parts included."""
    before, after = old.to_data(), new.to_data()
    changes: list[Change] = []
    top = [key for key in after if key not in SECTIONS]
    fields = _fields({key: before.get(key) for key in top}, {key: after[key] for key in top})
    if fields:
        changes.append(Change("pack", "changed", new.name, new.title, fields))
    for section in list(SECTIONS)[1:]:
        changes += _section(section, _by_id(before[section]), _by_id(after[section]))
    return PackDiff(old.id, new.id, tuple(changes))


def _by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in rows}


def _section(section: str, before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]) -> list[Change]:
    changes: list[Change] = []
    for key in sorted({*before, *after}):
        row = after.get(key) or before[key]
        title = str(row.get("title") or row.get("document") or "")
        if key not in before:
            changes.append(Change(section, "added", key, title))
        elif key not in after:
            changes.append(Change(section, "removed", key, title))
        elif fields := _fields(before[key], after[key]):
            changes.append(Change(section, "changed", key, title, fields))
    return changes


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(key, FIELDS.get(key, key), before.get(key), after.get(key))
        for key in dict.fromkeys([*after, *before])
        if before.get(key) != after.get(key)
    )


def shown(field: str, value: Any) -> str:
    """A value of ``to_data`` as text."""
    if value is None or value in ("", "None", []):
        return "（无）"
    if field == "when":
        return condition_text(value)
    if field == "effective":
        start, end = value
        return f"自 {start} 起" if end == "None" else f"{start} 至 {end}（不含）"
    if field == "disposition":
        action, tell = value
        return f"{action}；告知：{tell}" if tell else action
    if field == "values":
        return "；".join(" ".join(str(part) for part in one if part != "None") for one in value)
    if isinstance(value, dict):
        return "；".join(f"{key} {shown(key, one)}" for key, one in value.items())
    if isinstance(value, list):
        return "、".join(str(one) for one in value)
    return _WORDS.get(field, {}).get(value, str(value)) if isinstance(value, str) else str(value)


def condition_text(data: Mapping[str, Any]) -> str:
    """A condition (:func:`rules.ast.to_data`) as one line: ``return_requested 是 true 且 （a ≥ 3 或 b 有值）``."""
    for op, word in (("all", " 且 "), ("any", " 或 ")):
        if op in data:
            parts = [condition_text(part) for part in data[op]]
            return word.join(f"（{text}）" if {"all", "any"} & set(part) else text for part, text in zip(data[op], parts, strict=True))  # fmt: skip
    op, value = next((key, value) for key, value in data.items() if key != "fact")
    if op in ("present", "missing"):
        return f"{data['fact']} {'有值' if op == 'present' else '没有值'}"
    return f"{data['fact']} {_SIGNS[op]} {_literal(value)}"


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return f"参数 {value['parameter']}"
    if isinstance(value, list):
        return "、".join(_literal(one) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
