"""Entries as Markdown files: fields on top between two lines of three dashes, the body below."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from intake.errors import ZhipaiError, register
from knowledge_base.columns import COLUMN_NAMES, field_of, plain_value, stable_id
from knowledge_base.entry import KnowledgeEntry, entry_from_dict, entry_to_dict
from knowledge_base.sheet_rows import EntryRow, EntrySheet

register(
    "E4054",
    "Markdown 开头的字段有误",
    "文件“{name}”开头两行 --- 之间的字段读不出来：{problem}。写法如“标题: 居住证办理”，每行一个。",
)

MAX_BYTES = 2 * 1024 * 1024
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#\s+(.+?)\s*#*\s*$", re.MULTILINE)
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]+')


def read_markdown(path: Path) -> dict[str, Any]:
    """One file as an entry stands in JSON. Without fields on top the first heading is the title and the first paragraph
    the answer.

    Raises
    ------
    ZhipaiError
        E4011 if it cannot be read, E4054 for the fields on top.
    """
    text = _text(path)
    front = _FRONT.match(text)
    row = _fields(front[1], path.name) if front else {}
    body = text[front.end() :].strip() if front else text.strip()
    heading = _HEADING.search(body)
    if not row.get("title") and heading:
        row["title"] = heading[1]
        body = (body[: heading.start()] + body[heading.end() :]).strip()
    if not row.get("answer"):
        paragraphs = [part.strip() for part in re.split(r"\n\s*\n", body) if part.strip() and part.lstrip()[0] != "#"]
        row["answer"] = paragraphs[0] if paragraphs else ""
    row["body"] = body or row.get("body", "")
    if not row.get("id") and row.get("title"):
        row["id"] = stable_id(row)
    return row


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            problem = f"超过 {MAX_BYTES // 1024**2} MB，不像一个条目"
            raise ZhipaiError("E4011", {"name": path.name, "problem": problem})
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZhipaiError("E4011", {"name": path.name, "problem": "不是 UTF-8 编码，请另存为 UTF-8"}) from error
    except OSError as error:
        raise ZhipaiError("E4011", {"name": path.name, "problem": error.strerror or type(error).__name__}) from error


def _fields(front: str, name: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(front) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"第 {mark.line + 2} 行附近写法不对" if mark else "写法不对"
        raise ZhipaiError("E4054", {"name": name, "problem": where}) from error
    if not isinstance(found, dict):
        raise ZhipaiError("E4054", {"name": name, "problem": "应是“名称: 内容”"})
    row = {}
    for key, value in found.items():
        field = field_of(str(key))
        if not field:
            known = "、".join(names[0] for names in COLUMN_NAMES.values())
            raise ZhipaiError("E4054", {"name": name, "problem": f"不认识“{key}”，可用的有 {known}"})
        value = plain_value(value)
        row[field] = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    return row


def open_folder(folder: Path, *, defaults: Mapping[str, str] | None = None) -> EntrySheet:
    """The Markdown files of a folder and below it, in the order of their paths; a bad file does not stop the rest."""

    def rows() -> Iterator[EntryRow]:
        for number, path in enumerate(sorted(folder.rglob("*.md")), start=1):
            name = path.relative_to(folder).as_posix()
            try:
                row = read_markdown(path)
                row |= {key: value for key, value in (defaults or {}).items() if value and not row.get(key)}
                entry = entry_from_dict(row, where=name)
                yield EntryRow(number, (name, entry.id, entry.title), entry, None)
            except ZhipaiError as error:
                yield EntryRow(number, (name, "", ""), None, error)

    return EntrySheet(("文件", "编号", "标题"), rows())


def write_folder(folder: Path, entries: Iterable[KnowledgeEntry]) -> int:
    """Write each entry to a file of its own; returns how many. Reading them back gives the same entries."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for entry in entries:
        row = entry_to_dict(entry)
        body = row.pop("body", "")
        named = {COLUMN_NAMES[name][0]: value for name, value in row.items() if value not in (None, "", [])}
        front = yaml.safe_dump(named, allow_unicode=True, sort_keys=False, width=10_000)
        name = _UNSAFE.sub("_", f"{entry.id} {entry.title}")[:80].strip()
        (folder / f"{name}.md").write_text(f"---\n{front}---\n\n{body}\n", encoding="utf-8", newline="\n")
        count += 1
    return count


def one_entry(path: Path) -> dict[str, Any]:
    """An entry from a ``.md`` or ``.json`` file, as it stands in JSON; E4011–E4013, E4054."""
    if path.suffix.lower() == ".md":
        return read_markdown(path)
    if path.suffix.lower() != ".json":
        raise ZhipaiError("E4012", {"name": path.name})
    try:
        row = json.loads(_text(path))
    except ValueError as error:
        raise ZhipaiError("E4013", {"problem": type(error).__name__}, path.name) from error
    if not isinstance(row, dict):
        raise ZhipaiError("E4001", {"kind": type(row).__name__}, path.name)
    return row
