"""The log as a file: CSV, XLSX or JSON lines, as a stream of bytes whose memory does not grow with the log."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from intake.errors import ZhipaiError, register
from service.table_writer import EXCEL_ROWS, safe_cell

register(
    "E7903", "导出格式不支持", "不认识导出格式“{format}”。可用的有：csv、xlsx、jsonl、records（原样记录，一行一条）。"
)

#: Heading and field of each column.
COLUMNS = {
    "序号": "sequence",
    "决定编号": "decision_id",
    "类别": "kind",
    "时刻": "at",
    "经办人": "actor",
    "工单编号": "order_id",
    "动作": "action",
    "单位": "unit",
    "建议的单位": "proposed",
    "模型弃权": "abstained",
    "理由": "reason",
    "模型": "model",
    "规则": "rules",
    "命中的规则": "hits",
    "事项": "case_kind",
    "事项结果": "outcome",
}
FORMATS = ("csv", "xlsx", "jsonl", "records")
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/x-ndjson; charset=utf-8",
    "records": "application/x-ndjson; charset=utf-8",
}
#: Rows that are put together before they are handed on.
BATCH = 500
#: Characters of one sheet: beyond 2 GiB the archive would need a form that not every spreadsheet reads.
SHEET_CHARACTERS = 500_000_000
#: Characters that a cell may hold in Excel, and those that no workbook may hold.
CELL = 32_767
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")

Row = dict[str, Any]


def stream(rows: Iterable[Row], form: str) -> Iterator[bytes]:
    """The rows of :func:`service.audit_query.rows_of` in a format of :data:`FORMATS`; E7903 for another.

    ``records`` needs rows read with ``record=True``.
    """
    writers = {"csv": _csv, "xlsx": _xlsx, "jsonl": _jsonl, "records": _records}
    if form not in writers:
        raise ZhipaiError("E7903", {"format": form[:20]}, where="query:format")
    return writers[form](rows)


def write_file(chunks: Iterable[bytes], out: Path) -> int:
    """Write beside the target and rename: the file is there whole or not at all. Returns its size in bytes."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return size


def cells(row: Row) -> list[str]:
    """A row as text, in the order of :data:`COLUMNS`."""
    return [_cell(row[name]) for name in COLUMNS.values()]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        return "、".join(value)
    return str(value)


def _csv(rows: Iterable[Row]) -> Iterator[bytes]:
    """UTF-8 with BOM, so that Excel shows Chinese; cells that a spreadsheet would run begin with an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    yield b"\xef\xbb\xbf"
    for number, row in enumerate(rows, start=1):
        writer.writerow([safe_cell(value) for value in cells(row)])
        if number % BATCH == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    content = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    # Half an emoji has no UTF-8 form; one such cell must not cost the file.
    return content.encode("utf-8", "replace")


def _jsonl(rows: Iterable[Row]) -> Iterator[bytes]:
    names = COLUMNS.values()
    lines: list[str] = []
    for row in rows:
        lines.append(json.dumps({name: row[name] for name in names}, ensure_ascii=False) + "\n")
        if len(lines) == BATCH:
            yield "".join(lines).encode("utf-8", "replace")
            lines.clear()
    yield "".join(lines).encode("utf-8", "replace")


def _records(rows: Iterable[Row]) -> Iterator[bytes]:
    """The records as they were logged, byte for byte: canonical JSON has no line break."""
    for row in rows:
        yield row["record"] + b"\n"


class _Pipe(io.RawIOBase):
    """Takes what the archive writes and gives it away; an archive that cannot seek writes its sizes behind each part."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def _xlsx(
    rows: Iterable[Row], *, most_rows: int = EXCEL_ROWS, most_characters: int = SHEET_CHARACTERS
) -> Iterator[bytes]:
    """A workbook written as it goes, with as many sheets as the rows need. Every cell is text, never calculated.

    Written by hand: openpyxl would put each sheet into a file of its own first, and takes five times as long.
    """
    pipe, source = _Pipe(), iter(rows)
    head = _line(list(COLUMNS))
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        sheets, row = 0, next(source, None)
        while row is not None or not sheets:
            sheets += 1
            with book.open(f"xl/worksheets/sheet{sheets}.xml", "w") as sheet:
                written, batch, characters = 1, [_SHEET, head], 0
                while row is not None and written < most_rows and characters < most_characters:
                    batch.append(_line(cells(row)))
                    characters += len(batch[-1])
                    written += 1
                    if len(batch) >= BATCH:
                        sheet.write("".join(batch).encode())
                        batch.clear()
                        yield pipe.taken()
                    row = next(source, None)
                sheet.write("".join([*batch, "</sheetData></worksheet>"]).encode())
        for name, content in _frame(sheets).items():
            book.writestr(name, content)
    yield pipe.taken()


def _line(values: list[str]) -> str:
    written = (escape(FORBIDDEN.sub("", value)[:CELL]) for value in values)
    found = "".join(f'<c t="inlineStr"><is><t xml:space="preserve">{one}</t></is></c>' for one in written)
    return f"<row>{found}</row>"


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_SHEET = f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'


def _frame(sheets: int) -> dict[str, str]:
    """What a workbook needs besides its sheets (ECMA-376, part 1)."""
    numbers = range(1, sheets + 1)
    listed = "".join(f'<sheet name="决定{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    typed = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>' for n in numbers
    )
    return {
        "xl/workbook.xml": f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{related}</Relationships>',
        "_rels/.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>{typed}</Types>',
    }
