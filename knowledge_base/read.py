"""Read knowledge entries from a JSONL or CSV file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError, register
from knowledge_base.entry import KnowledgeEntry, entry_from_dict

register("E4011", "知识文件读不出", "知识文件“{name}”读不出来：{problem}。", exit_code=3)
register(
    "E4012",
    "知识文件格式不支持",
    "知识文件“{name}”的格式不支持。表格请用 .xlsx、.csv 或 .jsonl（每行一个对象），单个条目用 .md 或 .json，政策文件用 .docx 或 .pdf。",
)
register("E4013", "知识文件有坏行", "这一行不是完整的 JSON 对象（{problem}）。请检查引号、逗号和换行。")
register("E4014", "知识表缺列", "知识表缺少“{column}”列。至少要有 id、title（或 question）、answer、unit 四列。")
register("E4015", "条目编号重复", "编号“{id}”已在{first}用过。请给每个条目不同的编号。")

_CSV_COLUMNS = ("id", "title", "answer", "unit")


def read_entries(path: Path) -> list[KnowledgeEntry]:
    """Read the entries of a ``.jsonl`` file, or of a ``.csv`` with the columns id, title (or question), answer, unit.

    Raises
    ------
    ZhipaiError
        E4011–E4015 for the file, E4001–E4008 for an entry; each names the line.
    """
    readers = {".jsonl": _jsonl_rows, ".csv": _csv_rows}
    if path.suffix.lower() not in readers:
        raise ZhipaiError("E4012", {"name": path.name})
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZhipaiError("E4011", {"name": path.name, "problem": "不是 UTF-8 编码，请另存为 UTF-8"}) from error
    except OSError as error:
        raise ZhipaiError("E4011", {"name": path.name, "problem": error.strerror or type(error).__name__}) from error
    entries: list[KnowledgeEntry] = []
    seen: dict[str, str] = {}
    for line, row in readers[path.suffix.lower()](text, path.name):
        where = f"{path.name} 第 {line} 行"
        entry = entry_from_dict(row, where=where)
        if entry.id in seen:
            raise ZhipaiError("E4015", {"id": entry.id, "first": seen[entry.id]}, where)
        seen[entry.id] = f"第 {line} 行"
        entries.append(entry)
    return entries


def _jsonl_rows(text: str, name: str) -> Iterator[tuple[int, Any]]:
    # Not splitlines(): U+2028 and its like may stand inside a JSON string.
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            yield line, json.loads(content)
        except ValueError as error:
            raise ZhipaiError("E4013", {"problem": type(error).__name__}, f"{name} 第 {line} 行") from error


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = {column.strip(): column for column in reader.fieldnames or ()}
    columns.setdefault("title", columns.get("question", ""))
    for column in _CSV_COLUMNS:
        if not columns.get(column):
            raise ZhipaiError("E4014", {"column": column}, f"{name} 第 1 行")
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise ZhipaiError("E4011", {"name": name, "problem": f"第 {line} 行不是合规的 CSV"}) from error
        if row is None:
            return
        yield line, {column: row[columns[column]] or "" for column in _CSV_COLUMNS}
