"""What a knowledge entry (知识条目) is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from functools import cached_property
from typing import Any, TypeVar

from intake.clean import clean_text
from intake.errors import ZhipaiError, register
from knowledge_base.citations import Citation, parse_citations

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
register(
    "E4009",
    "密级不能入库",
    "密级“{secrecy}”不在 {known} 之中。国家秘密不得进入热线知识库；不对外的内部口径请标“内部”。",
)
register(
    "E4010", "条目内容过长", "字段“{field}”有 {length} 个字，最多 {limit} 个字。请拆成几个条目，或把全文放进附件。"
)

#: 标题不超过 128 字符 (信阳知识库通知 O18 三.5).
MAX_TITLE = 128
#: Characters of the body and of the answer. Ours: past it, it is a document and belongs into the attachments.
MAX_BODY = 100_000
DRAFT, SUBMITTED, PUBLISHED, TO_UPDATE, EXPIRED, ARCHIVED = "草稿", "待审", "发布", "待更新", "失效", "归档"
STATES = (DRAFT, SUBMITTED, PUBLISHED, TO_UPDATE, EXPIRED, ARCHIVED)
#: States in which an entry answers. An entry whose unit was asked for an update still stands until it is replaced.
IN_USE = frozenset({PUBLISHED, TO_UPDATE})
_OLD_STATES = {"审核": SUBMITTED}
PUBLIC, INTERNAL = "公开", "内部"
SECRECIES = (PUBLIC, INTERNAL)
#: 内容、发文单位必填 (信阳知识库通知 O18 三.2).
_REQUIRED = {"id": "编号", "title": "标题", "answer": "答复", "unit": "维护单位"}
_KINDS = {dict: "对象", list: "列表", str: "文字", int: "数字", float: "数字", bool: "是否值", type(None): "空值"}


@dataclass(frozen=True, slots=True)
class Contact:
    """A way to reach somebody (联系方式): whom, the number or address, and the day on which it was last found right."""

    name: str
    value: str
    checked: date | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with an entry (附件): its name and the SHA-256 of its bytes. The file itself is kept elsewhere."""

    name: str
    sha256: str = ""


@dataclass(frozen=True)
class KnowledgeEntry:
    """A knowledge entry (知识条目) with the days on which it is in force.

    Parameters
    ----------
    id, title, answer, unit : str
        编号, 标题, 答复要点, 责任单位.
    questions : tuple of str
        Other ways in which people ask for it (相似问).
    matter : str
        Id of the matter (事项) it belongs to, or empty.
    district : str
        District in which it holds; empty for the whole city.
    effective_from, effective_to : date
        First day in force, and first day no longer in force (exclusive; None: no end known).
    clause, source : str
        依据 as written (:attr:`citations` reads it) and where the text comes from.
    state : str
        One of :data:`STATES`.
    body : str
        正文 in Markdown, as written; :func:`knowledge_base.markdown.to_html` makes it safe to show.
    audience : str
        适用对象.
    contacts, attachments : tuple
        联系方式 with the day on which each was checked, and 附件.
    secrecy : str
        密级, one of :data:`SECRECIES`: 内部 is for dispatchers and seats only.
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
    body: str = ""
    audience: str = ""
    contacts: tuple[Contact, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    secrecy: str = PUBLIC

    def in_force(self, as_of: datetime | date) -> bool:
        """Whether it is in use and holds on the day of ``as_of`` (the day in ``as_of``'s own zone)."""
        day = as_of.date() if isinstance(as_of, datetime) else as_of
        begun = self.effective_from <= day
        return self.state in IN_USE and begun and (self.effective_to is None or day < self.effective_to)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The documents and articles of 依据."""
        return parse_citations(self.clause)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the canonical JSON of every field, 64 hex digits; later fields count only where they are filled."""
        filled = {name: value for name, value in asdict(self).items() if not _is_unfilled(self, name)}
        text = json.dumps(filled, ensure_ascii=False, sort_keys=True, default=str, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def text(self) -> str:
        """Everything it can be found by: title, questions, answer, body."""
        return "\n".join((self.title, *self.questions, self.answer, self.body)).strip()


#: Fields that entries did not have at first: left out where they are unfilled, so that what was stored keeps its hash.
_LATER = {"body": "", "audience": "", "contacts": (), "attachments": (), "secrecy": PUBLIC}


def _is_unfilled(entry: KnowledgeEntry, name: str) -> bool:
    return name in _LATER and getattr(entry, name) == _LATER[name]


_FIELDS = tuple(field.name for field in fields(KnowledgeEntry))
_NOT_TEXT = frozenset({"questions", "effective_from", "effective_to", "contacts", "attachments"})
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ZhipaiError("E4005", {"field": name, "expected": "文字", "kind": _kind(value)}, where)
    return clean_text(value)


def _markdown(row: Mapping[str, Any], name: str, where: str) -> str:
    """Text whose blank lines and indents mean something; otherwise cleaned as any other."""
    value = row.get(name)
    if not isinstance(value, str):
        return _text(row, name, where)
    lines = (line[: len(line) - len(line.lstrip(" "))] + clean_text(line) for line in value.splitlines())
    return re.sub("\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")


def _questions(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    value = row.get("questions") or ()
    if not isinstance(value, list | tuple) or not all(isinstance(question, str) for question in value):
        raise ZhipaiError("E4005", {"field": "questions", "expected": "文字的列表", "kind": _kind(value)}, where)
    return tuple(question for question in map(clean_text, value) if question)


Part = TypeVar("Part")


def _parts(
    row: Mapping[str, Any], name: str, where: str, allowed: tuple[str, ...], make: Callable[[dict[str, str]], Part]
) -> tuple[Part, ...]:
    """A list of small objects of text."""
    value = row.get(name) or ()
    if not isinstance(value, list | tuple) or not all(isinstance(part, Mapping) for part in value):
        raise ZhipaiError("E4005", {"field": name, "expected": "对象的列表", "kind": _kind(value)}, where)
    for part in value:
        for key in part:
            if key not in allowed:
                raise ZhipaiError("E4002", {"field": f"{name}.{key}", "known": "、".join(allowed)}, where)
    return tuple(make({key: _text(part, key, where) for key in allowed}) for part in value)


def _contacts(row: Mapping[str, Any], where: str) -> tuple[Contact, ...]:
    def make(part: dict[str, str]) -> Contact:
        if not part["value"]:
            raise ZhipaiError("E4003", {"name": "联系方式的号码或地址", "field": "contacts.value"}, where)
        return Contact(part["name"], part["value"], _day(part, "checked", where))

    return _parts(row, "contacts", where, ("name", "value", "checked"), make)


def _attachments(row: Mapping[str, Any], where: str) -> tuple[Attachment, ...]:
    def make(part: dict[str, str]) -> Attachment:
        if not part["name"]:
            raise ZhipaiError("E4003", {"name": "附件的文件名", "field": "attachments.name"}, where)
        if part["sha256"] and not _SHA256.fullmatch(part["sha256"]):
            raise ZhipaiError(
                "E4005", {"field": "attachments.sha256", "expected": "64 位十六进制的 SHA-256", "kind": "文字"}, where
            )
        return Attachment(part["name"], part["sha256"])

    return _parts(row, "attachments", where, ("name", "sha256"), make)


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
        E4001–E4010.
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
    texts["body"] = _markdown(row, "body", where)
    for name in ("answer", "body"):
        if len(texts[name]) > MAX_BODY:
            raise ZhipaiError("E4010", {"field": name, "length": len(texts[name]), "limit": MAX_BODY}, where)
    texts["secrecy"] = texts["secrecy"] or PUBLIC
    if texts["secrecy"] not in SECRECIES:
        raise ZhipaiError("E4009", {"secrecy": texts["secrecy"][:20], "known": "、".join(SECRECIES)}, where)
    texts["state"] = _OLD_STATES.get(texts["state"], texts["state"]) or PUBLISHED
    if texts["state"] not in STATES:
        raise ZhipaiError("E4008", {"state": texts["state"], "known": "、".join(STATES)}, where)
    start = _day(row, "effective_from", where) or KnowledgeEntry.effective_from
    end = _day(row, "effective_to", where)
    if end is not None and end <= start:
        raise ZhipaiError("E4007", {"start": start, "end": end}, where)
    return KnowledgeEntry(
        questions=_questions(row, where),
        effective_from=start,
        effective_to=end,
        contacts=_contacts(row, where),
        attachments=_attachments(row, where),
        **texts,
    )


def entry_to_dict(entry: KnowledgeEntry) -> dict[str, Any]:
    """The entry as it stands in JSON; :func:`entry_from_dict` gives it back. Unfilled later fields are left out."""
    row = {name: value for name, value in asdict(entry).items() if not _is_unfilled(entry, name)}
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
