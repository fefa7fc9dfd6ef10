"""Versions of an entry side by side: what changed, field by field, and what two people's changes make together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from knowledge_base.entry import KnowledgeEntry

#: Field -> its name in the house, in the order in which a maintainer reads an entry.
TITLES: dict[str, str] = {
    "id": "编号",
    "title": "标题",
    "questions": "问法",
    "answer": "答复要点",
    "body": "正文",
    "matter": "事项",
    "district": "适用辖区",
    "audience": "适用对象",
    "unit": "责任单位",
    "clause": "依据",
    "effective_from": "生效日期",
    "effective_to": "失效日期",
    "attachments": "附件",
    "contacts": "联系方式",
    "source": "来源",
    "secrecy": "密级",
    "state": "状态",
}
_UNFILLED = {field.name: field.default for field in fields(KnowledgeEntry)}


@dataclass(frozen=True, slots=True)
class Change:
    """One field that two versions have differently, as the values stand in JSON."""

    field: str
    title: str
    before: Any
    after: Any

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.title}：{_shown(self.before)} → {_shown(self.after)}"


@dataclass(frozen=True, slots=True)
class Merged:
    """Two changes to one text put together. ``conflicts``: fields that both changed differently; ``content`` has mine."""

    content: dict[str, Any]
    conflicts: tuple[str, ...]


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Change]:
    """What ``after`` has differently, in the order of :data:`TITLES`; every filled field where there was nothing before.

    Both are entries as they stand in JSON; a field that is left out is unfilled.
    """
    return [
        Change(name, title, _value(before or {}, name), _value(after, name))
        for name, title in TITLES.items()
        if _value(before or {}, name) != _value(after, name)
    ]


def merge(base: Mapping[str, Any] | None, standing: Mapping[str, Any], mine: Mapping[str, Any]) -> Merged:
    """Take what only one side changed since ``base``; where both changed a field differently, mine and a conflict."""
    content: dict[str, Any] = {}
    conflicts = []
    for name in TITLES:
        was, theirs, own = _value(base or {}, name), _value(standing, name), _value(mine, name)
        if own == was:
            own = theirs
        elif theirs not in (was, own):
            conflicts.append(name)
        content[name] = own
    return Merged(content, tuple(conflicts))


def _value(content: Mapping[str, Any], name: str) -> Any:
    value = content.get(name)
    if value is None or value == []:
        default = _UNFILLED[name]
        return default if isinstance(default, str) else None
    return value


def _shown(value: Any) -> str:
    """A value in one line of a list of changes."""
    if value in (None, "", []):
        return "（空）"
    if isinstance(value, list):
        return "；".join(_shown(one) for one in value)
    if isinstance(value, dict):
        return " ".join(str(one) for one in value.values() if one)
    return str(value)
