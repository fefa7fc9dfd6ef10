"""Read a file of orders through a column mapping: good rows as work orders, bad rows with their place and error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from zoneinfo import ZoneInfo

from intake.column_names import count_known
from intake.errors import ZhipaiError, register
from intake.mapping import Mapping, Source
from intake.order import WorkOrder, check_order
from intake.sheets import read_sheet
from intake.tables import RawRow, read_csv, read_jsonl

register("E1331", "不支持的文件格式", "不支持“{suffix}”文件。请导入 .csv、.tsv、.xlsx 或 .jsonl。")
register("E1332", "文件里没有工单", "文件“{path}”{problem}。请检查导出是否成功。")
register(
    "E1333", "行的列数不对", "这一行有 {found} 列，表头有 {expected} 列。请检查这一行里有没有未加引号的分隔符或换行。"
)
register("E1334", "时刻写法不对", "看不懂这个时刻。请写成 2026-05-01 09:30:00，或在列映射的 time_formats 里写明格式。")
register("E1335", "列名重复", "列“{column}”出现了 {count} 次，不知道该用哪一个。请改名后再导入。")

_KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
)
#: Exports often carry a title above the header, so the header is sought in this many rows that are not blank.
_HEADER_WITHIN = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: ``order`` or, where it cannot be one, ``error`` with its place. ``raw`` is by column name."""

    number: int
    place: str
    raw: dict[str, str]
    order: WorkOrder | None
    error: ZhipaiError | None


def read_columns(path: Path, *, sheet: str | None = None) -> tuple[str, ...]:
    """The column names of a file, to guess a mapping from (:meth:`Mapping.guess`) or to show."""
    columns, _ = _header(path, _raw_rows(path, None, sheet), ())
    return columns


def read_orders(path: Path, mapping: Mapping, *, sheet: str | None = None) -> Iterator[Row]:
    """Read a file of orders, row by row, in bounded memory.

    Rows that ``keep_where`` and ``drop_where`` leave out are not handed out. Instants without a zone get the mapping's.

    Raises
    ------
    ZhipaiError
        At once, for what concerns the whole file: it cannot be opened or decoded, is empty, lacks a mapped column.
        What concerns one row comes in ``Row.error``, and the rows after it go on.
    """
    text_columns = mapping.columns["text"].columns
    columns, rows = _header(path, _raw_rows(path, mapping, sheet), text_columns)
    # Objects of JSON lines may leave out what is empty; only the text has to be there.
    needed = text_columns if _kind(path) == "jsonl" else mapping.needed
    for column in needed:
        if column not in columns:
            raise ZhipaiError("E1302", {"column": column, "columns": "、".join(columns)}, where=path.name)
        if columns.count(column) > 1:
            raise ZhipaiError("E1335", {"column": column, "count": columns.count(column)}, where=path.name)
    return (row for raw in rows if (row := _row(raw, columns, mapping)) is not None)


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _KINDS:
        raise ZhipaiError("E1331", {"suffix": suffix or path.name})
    return _KINDS[suffix]


def _raw_rows(path: Path, mapping: Mapping | None, sheet: str | None) -> Iterator[RawRow]:
    encoding, delimiter = (mapping.encoding, mapping.delimiter) if mapping else ("", "")
    kind = _kind(path)
    if kind == "xlsx":
        return read_sheet(path, sheet=sheet or (mapping.sheet if mapping else ""))
    if kind == "jsonl":
        return read_jsonl(path, encoding=encoding)
    return read_csv(path, encoding=encoding, delimiter=delimiter)


def _header(path: Path, rows: Iterator[RawRow], wanted: Sequence[str]) -> tuple[tuple[str, ...], Iterator[RawRow]]:
    """The column names and the rows after them.

    The header is the first row that has all wanted names, else the one with the most names seen elsewhere, else the
    first. JSON lines have none: their first object names the columns and is a row itself.
    """
    first = list(islice(rows, _HEADER_WITHIN))
    good = [row for row in first if row.error is None]
    if not good:
        if first and first[0].error:
            raise first[0].error
        raise ZhipaiError("E1332", {"path": path.name, "problem": "是空的"})
    if isinstance(good[0].cells, dict):
        return tuple(good[0].cells), chain(first, rows)
    header = next((row for row in good if wanted and set(wanted) <= set(map(str.strip, row.cells))), None)
    header = header or max(good, key=lambda row: count_known(row.cells))
    rest = [row for row in first if row.number > header.number]
    if not rest and (following := next(rows, None)) is None:
        raise ZhipaiError("E1332", {"path": path.name, "problem": "只有表头，没有数据行"})
    elif not rest and following is not None:
        rest = [following]
    return tuple(map(str.strip, header.cells)), chain(rest, rows)


def _row(raw: RawRow, columns: tuple[str, ...], mapping: Mapping) -> Row | None:
    """The row as handed out; None when the mapping leaves it out."""
    if raw.error is not None:
        return Row(raw.number, raw.place, {}, None, raw.error)
    if isinstance(raw.cells, dict):
        cells = raw.cells
    else:
        values = raw.cells + ("",) * (len(columns) - len(raw.cells)) if raw.padded else raw.cells
        while len(values) > len(columns) and not values[-1]:
            values = values[:-1]
        cells = dict(zip(columns, values, strict=False))
        if len(values) != len(columns):
            error = ZhipaiError("E1333", {"found": len(values), "expected": len(columns)}, where=raw.place)
            return Row(raw.number, raw.place, cells, None, error)
    if not _kept(cells, mapping):
        return None
    try:
        return Row(raw.number, raw.place, cells, _order(cells, mapping, raw.place), None)
    except ZhipaiError as error:
        return Row(raw.number, raw.place, cells, None, error)


def _kept(cells: dict[str, str], mapping: Mapping) -> bool:
    def is_one_of(column: str, wanted: tuple[str, ...]) -> bool:
        value = cells.get(column, "").strip()
        return value in wanted or ("*" in wanted and value != "")

    return all(is_one_of(*rule) for rule in mapping.keep_where.items()) and not any(
        is_one_of(*rule) for rule in mapping.drop_where.items()
    )


def _order(cells: dict[str, str], mapping: Mapping, place: str) -> WorkOrder:
    fields = {name: _value(cells, source, mapping) for name, source in mapping.columns.items()}
    received_at = fields.pop("received_at", "")
    related = fields.pop("related", "")
    unit = fields.pop("unit", "")
    try:
        order = WorkOrder(
            **fields,
            received_at=_instant(received_at, mapping, place) if received_at else None,
            related=tuple(related.replace(",", ";").replace("；", ";").replace("，", ";").split(";"))
            if related
            else (),
            unit=mapping.labels.get(unit, unit),
            extra={column: cells[column] for column in mapping.extra if cells.get(column)},
        )
        return check_order(order)
    except ZhipaiError as error:
        if error.where != "诉求内容":
            raise
        column = "、".join(mapping.columns["text"].columns)
        raise ZhipaiError(error.code, error.params, where=f"{place} 列“{column}”") from error


def _value(cells: dict[str, str], source: Source, mapping: Mapping) -> str:
    values = (cells.get(column, "").strip() for column in source.columns)
    joined = source.join.join(value for value in values if value and value not in mapping.empty)
    return joined.replace(source.remove, "") if source.remove else joined


def _instant(text: str, mapping: Mapping, place: str) -> datetime:
    """An aware instant; E1334 names the column."""
    zone = ZoneInfo(mapping.time_zone)
    for layout in (None, *(mapping.time_formats or _TIME_FORMATS)):
        try:
            instant = datetime.strptime(text, layout) if layout else datetime.fromisoformat(text)
        except ValueError:
            continue
        return instant if instant.tzinfo else instant.replace(tzinfo=zone)
    column = "、".join(mapping.columns["received_at"].columns)
    raise ZhipaiError("E1334", where=f"{place} 列“{column}”")
