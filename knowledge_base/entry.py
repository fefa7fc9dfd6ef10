"""What a knowledge entry (知识条目) is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from functools import cached_property
from typing import Any

from intake.clean import clean_text
from intake.errors import ZhipaiError, register

register("E4001", "条目不成对象", "知识条目应是一个对象（键与值），实际是{kind}。请每行写一个 {{…}}。")
register("E4002", "条目字段不认识", "知识条目里有不认识的字段“{field}”。可用的字段：{known}。")
register("E4003", "条目缺少必填项", "知识条目缺少{name}（{field}）。请补上后重新导入。")
register("E4004", "条目标题过长", "标题有 {length} 个字，最多 {limit} 个字。请缩短标题，细节写进答复。")
register("E4005", "条目字段类型不对", "字段“{field}”应是{expected}，实际是{kind}。")
register("E4006", "条目日期写法不对", "字段“{field}”的日期“{value}”读不出来，应写成 2026-01-31。")
register(
    "E4007", "条目失效不晚于生效", "失效日期 {end} 不晚于生效日期 {start}。失效日期是不再有效的第一天，应晚于生效日期。"
)
register("E4008", "条目状态不认识", "状态“{state}”不在 {known} 之中。")

#: 标题不超过 128 字符 (信阳知识库通知 O18 三.5).
MAX_TITLE = 128
PUBLISHED = "发布"
STATES = ("草稿", "审核", PUBLISHED, "失效")
#: 内容、发文单位必填 (信阳知识库通知 O18 三.2).
_REQUIRED = {"id": "编号", "title": "标题", "answer": "答复", "unit": "维护单位"}
_KINDS = {dict: "对象", list: "列表", str: "文字", int: "数字", float: "数字", bool: "是否值", type(None): "空值"}


@dataclass(frozen=True)
class KnowledgeEntry:
    """A knowledge entry (知识条目) with the days on which it is in force.

    Parameters
    ----------
    id, title, answer, unit : str
        编号, 标题, 答复, 维护单位.
    questions : tuple of str
        Other ways in which people ask for it (相似问).
    matter : str
        Id of the matter (事项) it belongs to, or empty.
    district : str
        District in which it holds; empty for the whole city.
    effective_from, effective_to : date
        First day in force, and first day no longer in force (exclusive; None: no end known).
    clause, source : str
        依据 and where the text comes from.
    state : str
        One of :data:`STATES`.
    """

    id: str
    title: str
    questions: tuple[str, ...] = ()
    answer: str = ""
    unit: str = ""
    matter: str = ""
    district: str = ""
    effective_from: date = date(1949, 10, 1)
    effective_to: date | None = None
    clause: str = ""
    source: str = ""
    state: str = PUBLISHED

    def in_force(self, as_of: datetime | date) -> bool:
        """Whether it is published and holds on the day of ``as_of`` (the day in ``as_of``'s own zone)."""
        day = as_of.date() if isinstance(as_of, datetime) else as_of
        begun = self.effective_from <= day
        return self.state == PUBLISHED and begun and (self.effective_to is None or day < self.effective_to)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the canonical JSON of every field, 64 hex digits."""
        text = json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, default=str, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def text(self) -> str:
        """Everything it can be found by: title, questions, answer."""
        return "\n".join((self.title, *self.questions, self.answer)).strip()


_FIELDS = tuple(field.name for field in fields(KnowledgeEntry))
_NOT_TEXT = frozenset({"questions", "effective_from", "effective_to"})


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ZhipaiError("E4005", {"field": name, "expected": "文字", "kind": _kind(value)}, where)
    return clean_text(value)


def _questions(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    value = row.get("questions") or ()
    if not isinstance(value, list | tuple) or not all(isinstance(question, str) for question in value):
        raise ZhipaiError("E4005", {"field": "questions", "expected": "文字的列表", "kind": _kind(value)}, where)
    return tuple(question for question in map(clean_text, value) if question)


def _day(row: Mapping[str, Any], name: str, where: str) -> date | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise ZhipaiError("E4006", {"field": name, "value": value}, where) from error


def entry_from_dict(row: Mapping[str, Any], *, number: int = 1, where: str = "") -> KnowledgeEntry:
    """Build an entry from a mapping as it stands in JSON.

    Text is cleaned of invisible characters and otherwise kept as written; markup and scripts are plain text here.
    Absent dates mean that it has always been in force, or that no end is known.

    Parameters
    ----------
    number : int
        Position in the list, named in an error when ``where`` is empty.
    where : str
        Place in the input, such as ``knowledge.jsonl 第 12 行``.

    Raises
    ------
    ZhipaiError
        E4001–E4008.
    """
    where = where or f"第 {number} 条"
    if not isinstance(row, Mapping):
        raise ZhipaiError("E4001", {"kind": _kind(row)}, where)
    for name in row:
        if name not in _FIELDS:
            raise ZhipaiError("E4002", {"field": name, "known": "、".join(_FIELDS)}, where)
    texts = {name: _text(row, name, where) for name in _FIELDS if name not in _NOT_TEXT}
    for name, chinese in _REQUIRED.items():
        if not texts[name]:
            raise ZhipaiError("E4003", {"name": chinese, "field": name}, where)
    if len(texts["title"]) > MAX_TITLE:
        raise ZhipaiError("E4004", {"length": len(texts["title"]), "limit": MAX_TITLE}, where)
    texts["state"] = texts["state"] or PUBLISHED
    if texts["state"] not in STATES:
        raise ZhipaiError("E4008", {"state": texts["state"], "known": "、".join(STATES)}, where)
    start = _day(row, "effective_from", where) or KnowledgeEntry.effective_from
    end = _day(row, "effective_to", where)
    if end is not None and end <= start:
        raise ZhipaiError("E4007", {"start": start, "end": end}, where)
    return KnowledgeEntry(questions=_questions(row, where), effective_from=start, effective_to=end, **texts)


def entry_to_dict(entry: KnowledgeEntry) -> dict[str, Any]:
    """The entry as it stands in JSON; :func:`entry_from_dict` gives it back."""
    end = entry.effective_to
    dates = {"effective_from": entry.effective_from.isoformat(), "effective_to": end.isoformat() if end else None}
    return asdict(entry) | {"questions": list(entry.questions)} | dates
