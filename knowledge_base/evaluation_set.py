"""Read the entries and queries of an evaluation, leniently: a row that cannot be used is named, and the rest is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intake.clean import clean_text
from intake.errors import ZhipaiError, register
from knowledge_base.entry import KnowledgeEntry
from knowledge_base.evaluate import Query

register("E4033", "评测集读不出", "评测集“{name}”读不出来：{problem}。", exit_code=3)


@dataclass(frozen=True)
class EvaluationSet:
    """Entries, the queries that can be measured with them, and what was left out: file, line and why."""

    entries: list[KnowledgeEntry]
    queries: list[Query]
    skipped: list[str]


class _BadRow(Exception):
    """A row that is left out, with the reason in Chinese."""


def read_evaluation(entries: Path, queries: Path) -> EvaluationSet:
    """Read two JSONL files.

    An entry has ``id``, ``title``, ``question`` (a text or a list; ``questions`` too), ``answer``, ``unit``; only the id
    and one of title, question and answer must be there, and their lengths are not limited. A query has ``text`` and
    ``id``, the right entry's id or a list of them; where it has ``relevant``, that is the list and ``id`` its own name.

    Raises
    ------
    ZhipaiError
        E4033 for a file that cannot be read at all.
    """
    skipped: list[str] = []
    found: dict[str, KnowledgeEntry] = {}
    for line, row in _rows(entries, skipped):
        try:
            entry = _entry(row)
            if entry.id in found:
                raise _BadRow(f"编号“{entry.id[:40]}”已经用过")
        except _BadRow as error:
            skipped.append(f"{entries.name} 第 {line} 行：{error}")
            continue
        found[entry.id] = entry
    asked = []
    for line, row in _rows(queries, skipped):
        try:
            asked.append(_query(row, line, found))
        except _BadRow as error:
            skipped.append(f"{queries.name} 第 {line} 行：{error}")
    return EvaluationSet(list(found.values()), asked, skipped)


def _rows(path: Path, skipped: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ZhipaiError("E4033", {"name": path.name, "problem": error.strerror or type(error).__name__}) from error
    # Not splitlines(): U+2028 and its like may stand inside a JSON string.
    for line, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            row = json.loads(raw.decode("utf-8"))
        except UnicodeDecodeError:
            skipped.append(f"{path.name} 第 {line} 行：不是 UTF-8 编码")
        except (ValueError, RecursionError):
            skipped.append(f"{path.name} 第 {line} 行：不是完整的 JSON")
        else:
            if isinstance(row, dict):
                yield line, row
            else:
                skipped.append(f"{path.name} 第 {line} 行：应是一个对象 {{…}}")


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise _BadRow(f"{name} 应是文字")
    return clean_text(str(value))


def _texts(value: object, name: str) -> tuple[str, ...]:
    """One text, or a list of them."""
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in values):
        raise _BadRow(f"{name} 应是文字或文字的列表")
    return tuple(text for text in (clean_text(str(one)) for one in values) if text)


def _entry(row: dict[str, Any]) -> KnowledgeEntry:
    title, answer = _text(row, "title"), _text(row, "answer")
    questions = (*_texts(row.get("question"), "question"), *_texts(row.get("questions"), "questions"))
    # A question that repeats the title says nothing new, and would count twice.
    questions = tuple(dict.fromkeys(question for question in questions if question != title))
    entry = KnowledgeEntry(_text(row, "id"), title, questions, answer, _text(row, "unit"))
    if not entry.id:
        raise _BadRow("缺少 id")
    if not entry.text:
        raise _BadRow("title、question、answer 都是空的")
    return entry


def _query(row: dict[str, Any], line: int, entries: dict[str, KnowledgeEntry]) -> Query:
    text = _text(row, "text")
    if not text:
        raise _BadRow("缺少 text")
    relevant = _texts(row["relevant"], "relevant") if "relevant" in row else _texts(row.get("id"), "id")
    if not relevant:
        raise _BadRow("没有写正确的条目编号")
    known = tuple(entry_id for entry_id in relevant if entry_id in entries)
    if not known:
        raise _BadRow(f"正确的条目“{relevant[0][:40]}”不在条目中")
    return Query(f"{line}", text, known)
