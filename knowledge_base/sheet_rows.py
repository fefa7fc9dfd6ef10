"""Entries out of a user's own sheet (.xlsx, .csv, .jsonl): row by row, and a bad row never stops the rest."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError, register
from intake.sheets import check_workbook, read_sheet
from intake.tables import RawRow, read_csv
from knowledge_base.columns import COLUMN_NAMES, field_of, from_cells, stable_id
from knowledge_base.entry import KnowledgeEntry, entry_from_dict

register(
    "E4051",
    "工作簿带宏",
    "文件“{path}”带有宏，没有读取。请用 Excel 或 WPS 另存为不带宏的 .xlsx 后再导入。",
)
register("E4052", "表头认不出", "文件“{path}”的前 {within} 行里找不到表头。表头至少要有“标题”和“答复要点”两列。")
register("E4053", "知识表为空", "文件“{path}”里没有条目。请检查是否导出成功，或者内容在别的工作表里。")

#: Exports often carry a title and merged cells above the header.
_HEADER_WITHIN = 6
_HIDDEN = re.compile(rb'<(?:\w+:)?sheet\b[^>]*\bname="([^"]*)"[^>]*\bstate="(?:very)?[hH]idden"')
_MAX_LINE = 1_000_000


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A row of a sheet: ``cells`` as they stood, the entry or, where it is none, the error with its place."""

    number: int
    cells: tuple[str, ...]
    entry: KnowledgeEntry | None
    error: ZhipaiError | None


@dataclass(frozen=True, slots=True)
class EntrySheet:
    """A sheet: its header, its rows (to be read once), and what the user should know about it."""

    header: tuple[str, ...]
    rows: Iterator[EntryRow]
    notes: tuple[str, ...] = ()


def open_sheet(path: Path, *, defaults: Mapping[str, str] | None = None, sheet: str = "") -> EntrySheet:
    """Open a sheet of entries; memory holds one row, whatever the size.

    Parameters
    ----------
    defaults : mapping
        Field -> value for rows that leave it empty, such as the unit of a sheet that has no such column.
    sheet : str
        Name of the worksheet; by default the first that is not hidden.

    Raises
    ------
    ZhipaiError
        E4012 for another kind of file, E4051 for macros, E4052–E4053 without header or rows; E1311–E1323 for what
        cannot be opened or would unpack beyond reason. What is wrong with one row comes in its ``error``.
    """
    suffix, defaults = path.suffix.lower(), defaults or {}
    notes: tuple[str, ...] = ()
    if suffix == ".jsonl":
        return EntrySheet(("行号", "编号", "标题"), _unique(_json_rows(path, defaults)))
    if suffix == ".csv":
        rows = read_csv(path)
    elif suffix in (".xlsx", ".xlsm"):
        notes = _look_into(path, sheet)
        rows = read_sheet(path, sheet=sheet)
    else:
        raise ZhipaiError("E4012", {"name": path.name})
    names, header, rest = _header(path, rows)
    return EntrySheet(header, _unique(_table_rows(rest, names, len(header), defaults)), notes)


def _look_into(path: Path, sheet: str) -> tuple[str, ...]:
    """Refuse macros; name the hidden sheets, which are not read unless somebody asks for one."""
    check_workbook(path)
    with zipfile.ZipFile(path) as archive:
        if any(name.lower().endswith("vbaproject.bin") for name in archive.namelist()):
            raise ZhipaiError("E4051", {"path": path.name})
        try:
            with archive.open("xl/workbook.xml") as file:
                hidden = [name.decode("utf-8", "replace") for name in _HIDDEN.findall(file.read(1 << 20))]
        except (KeyError, zipfile.BadZipFile):  # what is wrong with it, the reader says
            return ()
    skipped = [name for name in hidden if name != sheet]
    return (f"隐藏的工作表没有读取：{'、'.join(skipped)}。",) if skipped else ()


def _header(path: Path, rows: Iterator[RawRow]) -> tuple[list[str], tuple[str, ...], Iterator[RawRow]]:
    """Field of each column, the header as it is written, and the rows below it.

    A header may have several rows with merged cells: of the names that stand above one another the lowest counts.
    """
    first = list(islice(rows, _HEADER_WITHIN))
    if not first:
        raise ZhipaiError("E4053", {"path": path.name})
    cells = [row.cells if isinstance(row.cells, tuple) else () for row in first]
    fields = [[field_of(cell) for cell in row] for row in cells]
    best = max(range(len(first)), key=lambda number: len(set(fields[number]) - {""}))
    last = best
    while last + 1 < len(first) and _only_names(cells[last + 1], fields[last + 1]):
        last += 1
    width = max(map(len, cells[: last + 1]))
    names, header = [""] * width, [""] * width
    for column in range(width):
        for number in reversed(range(last + 1)):
            name = fields[number][column] if column < len(fields[number]) else ""
            text = cells[number][column].strip() if column < len(cells[number]) else ""
            if name and not names[column] and name not in names:
                names[column], header[column] = name, text
            elif number >= best:
                header[column] = header[column] or text
    if not {"title", "answer"} <= set(names):
        if first[0].error is not None:
            raise first[0].error
        raise ZhipaiError("E4052", {"path": path.name, "within": _HEADER_WITHIN})
    return names, tuple(header), chain(first[last + 1 :], rows)


def _only_names(cells: Sequence[str], fields: Sequence[str]) -> bool:
    """Whether a row below a header is one of it: all that it says are names of columns."""
    return any(fields) and all(name or not cell.strip() for cell, name in zip(cells, fields, strict=True))


def _table_rows(
    rows: Iterator[RawRow], names: list[str], width: int, defaults: Mapping[str, str]
) -> Iterator[EntryRow]:
    for raw in rows:
        cells = raw.cells if isinstance(raw.cells, tuple) else ()
        shown = (*cells[:width], *[""] * (width - len(cells)))
        if raw.error is not None:
            yield EntryRow(raw.number, shown, None, raw.error)
            continue
        found = {name: cell for name, cell in zip(names, cells, strict=False) if name}
        yield _entry_row(raw.number, shown, from_cells({**found, **_filled(found, defaults)}), raw.place)


def _filled(row: Mapping[str, Any], defaults: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in defaults.items() if value and not row.get(name)}


def _entry_row(number: int, cells: tuple[str, ...], row: Mapping[str, Any], place: str) -> EntryRow:
    try:
        return EntryRow(number, cells, entry_from_dict(row, where=place), None)
    except ZhipaiError as error:
        return EntryRow(number, cells, None, error)


def _json_rows(path: Path, defaults: Mapping[str, str]) -> Iterator[EntryRow]:
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), ""), start=1):
                if line.strip():
                    yield _json_row(number, line, f"{path.name} 第 {number} 行", defaults)
    except UnicodeDecodeError as error:
        raise ZhipaiError("E4011", {"name": path.name, "problem": "不是 UTF-8 编码，请另存为 UTF-8"}) from error


def _json_row(number: int, line: str, place: str, defaults: Mapping[str, str]) -> EntryRow:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        problem = ZhipaiError("E4013", {"problem": type(error).__name__}, place)
        return EntryRow(number, (str(number), "", ""), None, problem)
    if isinstance(row, dict):
        row = {**row, **_filled(row, defaults)}
        if not row.get("id") and row.get("title"):
            row["id"] = stable_id(row)
        shown = (str(number), str(row.get("id", "")), str(row.get("title", "")))
        return _entry_row(number, shown, row, place)
    return _entry_row(number, (str(number), "", ""), row, place)


def _unique(rows: Iterator[EntryRow]) -> Iterator[EntryRow]:
    """The rows, with an error in place of an entry whose id stood before."""
    seen: dict[str, int] = {}
    for row in rows:
        if row.entry is not None and row.entry.id in seen:
            error = ZhipaiError("E4015", {"id": row.entry.id, "first": f"第 {seen[row.entry.id]} 行"})
            yield EntryRow(row.number, row.cells, None, error)
            continue
        if row.entry is not None:
            seen[row.entry.id] = row.number
        yield row


def known_columns() -> tuple[str, ...]:
    """The names that are written and shown to users, in their order."""
    return tuple(names[0] for names in COLUMN_NAMES.values())
