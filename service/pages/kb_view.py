"""What the pages show of knowledge entries, and entries as their form sends them. Pure: no clock, no database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from markupsafe import Markup
from starlette.datastructures import FormData

from intake.errors import ZhipaiError
from knowledge_base import entry_from_dict, entry_to_dict
from knowledge_base.entry import PUBLIC, SECRECIES
from knowledge_base.life import ACTIONS
from knowledge_base.markdown import to_html
from knowledge_base.versions import TITLES
from service.pages.form_fields import word

#: Badges of states.
TONES = {"草稿": "info", "待审": "warn", "发布": "good", "待更新": "warn", "失效": "bad", "归档": ""}
ACTION_NAMES = ACTIONS
#: Fields of the form: one line, or several.
LINES = ("title", "unit", "matter", "district", "audience", "clause", "effective_from", "effective_to", "source")
#: Texts up to this length are compared character by character, longer ones line by line.
BY_CHARACTER = 3000
_SPLIT = re.compile(r"[|｜]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a text: what both have (``same``), what went (``del``) or what came (``ins``)."""

    kind: str
    text: str


def diff(before: object, after: object) -> list[Piece]:
    """Two values of a field as one text with what went and what came."""
    old, new = shown(before), shown(after)
    long = max(len(old), len(new)) > BY_CHARACTER
    first: Sequence[str] = old.splitlines(keepends=True) if long else old
    second: Sequence[str] = new.splitlines(keepends=True) if long else new
    pieces = []
    for tag, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(first[a:b])))
        else:
            pieces += [
                Piece(kind, text)
                for kind, text in (("del", "".join(first[a:b])), ("ins", "".join(second[c:d])))
                if text
            ]
    return pieces


def change_rows(changes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Changes of fields (:func:`knowledge_base.versions.changes`), each with its pieces."""
    return [{**one, "pieces": diff(one["before"], one["after"])} for one in changes]


def shown(value: object) -> str:
    """A value of a field as text, the way its form has it."""
    if value in (None, "", []):
        return ""
    if isinstance(value, list):
        return "\n".join(shown(one) for one in value)
    if isinstance(value, dict):
        return " | ".join(str(one) for one in value.values() if one)
    return str(value)


def body_html(markdown: str) -> Markup:
    """The body as HTML; the converter escapes whatever HTML was typed."""
    return Markup(to_html(markdown))


def form_values(content: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the form, filled from an entry as it stands in JSON."""
    values = {name: shown(content.get(name)) for name in TITLES if name not in ("id", "state")}
    return values | {"secrecy": values.get("secrecy") or PUBLIC}


def read_entry(form: FormData) -> dict[str, Any]:
    """The entry that a form holds, as it stands in JSON; what is wrong with it is found when it is saved."""
    row: dict[str, Any] = {name: word(form, name).strip() for name in LINES}
    row |= {"answer": word(form, "answer"), "body": word(form, "body").replace("\r\n", "\n")}
    row["questions"] = _lines(word(form, "questions"))
    row["secrecy"] = word(form, "secrecy") or SECRECIES[0]
    row["contacts"] = [_named(line, ("name", "value", "checked")) for line in _lines(word(form, "contacts"))]
    row["attachments"] = [_named(line, ("name", "sha256")) for line in _lines(word(form, "attachments"))]
    return {name: value for name, value in row.items() if value not in ("", [])}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _named(line: str, names: tuple[str, ...]) -> dict[str, str]:
    """``名称 | 号码 | 日期``; a single part of a contact is its number."""
    parts = [part.strip() for part in _SPLIT.split(line)]
    if len(parts) == 1 and names[1] == "value":
        return {"value": parts[0]}
    if len(parts) > len(names):
        raise ZhipaiError("E6502", {"field": line[:20], "problem": f"竖线隔开的部分最多 {len(names)} 个"})
    return {name: part for name, part in zip(names, parts, strict=False) if part}


def preview(content: Mapping[str, Any]) -> dict[str, Any]:
    """A text as the entry page would show it. E4001–E4010 for the text."""
    text = entry_to_dict(entry_from_dict({"id": "预览", **content, "state": "草稿"}))
    return whole(text)


def whole(content: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as it stands in JSON with the fields that it leaves out, and its body as HTML."""
    left_out = {"body": "", "audience": "", "contacts": [], "attachments": [], "secrecy": PUBLIC}
    return {**left_out, **content, "html": body_html(content.get("body", ""))}
