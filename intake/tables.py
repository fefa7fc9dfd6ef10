"""Rows out of CSV, TSV and JSON-lines files: one at a time, and a broken row never stops the rest."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from intake.errors import ZhipaiError, register

register("E1311", "文件打不开", "文件“{path}”打不开：{problem}。", exit_code=3)
register(
    "E1312",
    "编码认不出",
    "文件“{path}”既不是 UTF-8 也不是 GB18030 编码（约第 {line} 行起读不通）。请另存为“CSV UTF-8”后再导入。",
)
register("E1313", "行读不通", "这一行读不通：{problem}。请检查引号是否成对。")
register("E1314", "行不是 JSON 对象", "这一行不是完整的 JSON 对象（{problem}）。每行应是一个 {{…}}。")
register("E1315", "行过长", "第 {line} 行超过 {limit} 个字符，不像一行工单。请检查文件是否用了别的换行方式。")

#: Characters in one physical line. Longer is no table, and the limit keeps a file without line breaks out of memory.
MAX_LINE = 1_000_000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a file: its number as the user counts (the header is a row too), its place, its cells or its error.

    ``padded`` says that empty cells at the end may be left out, as in a workbook, so that a short row is no error.
    """

    number: int
    place: str
    cells: tuple[str, ...] | dict[str, str]
    error: ZhipaiError | None = None
    padded: bool = False


def detect_encoding(path: Path) -> str:
    """``utf-16`` (by its mark), ``utf-8-sig`` or ``gb18030``: the first that decodes the whole file; else E1312.

    The file is read through in pieces and never held.
    """
    with open_binary(path) as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    bad_line = 1
    for encoding in ("utf-8-sig", "gb18030"):
        bad_line = _undecodable_line(path, encoding)
        if not bad_line:
            return encoding
    raise ZhipaiError("E1312", {"path": path.name, "line": bad_line})


def _undecodable_line(path: Path, encoding: str) -> int:
    """The line, roughly, at which the file stops being of this encoding; 0 when it never does."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with open_binary(path) as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return line + chunk[: error.start].count(b"\n")
            if not chunk:
                return 0
            line += chunk.count(b"\n")


_WHY = {FileNotFoundError: "没有这个文件", PermissionError: "没有读取权限", IsADirectoryError: "它是一个文件夹"}


def open_binary(path: Path) -> BinaryIO:
    """Open a file; E1311 says in Chinese why it cannot be opened."""
    try:
        return path.open("rb")
    except OSError as error:
        problem = _WHY.get(type(error), error.strerror or type(error).__name__)
        raise ZhipaiError("E1311", {"path": path.name, "problem": problem}) from error


def _open_text(path: Path, encoding: str) -> TextIO:
    encoding = encoding or detect_encoding(path)
    open_binary(path).close()  # the error of a missing file, also when the encoding was given
    return path.open(encoding=encoding, newline="")


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """The physical lines of a file, E1315 at one that is too long, E1312 where the given encoding is wrong."""
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(MAX_LINE + 1)
        except UnicodeDecodeError as error:
            raise ZhipaiError("E1312", {"path": path.name, "line": number}) from error
        if not line:
            return
        if len(line) > MAX_LINE:
            raise ZhipaiError("E1315", {"line": number, "limit": MAX_LINE}, where=path.name)
        yield line


def read_csv(path: Path, *, encoding: str = "", delimiter: str = "") -> Iterator[RawRow]:
    """The rows of a CSV or TSV file, blank ones left out. Numbers count records, as a spreadsheet shows them."""
    with _open_text(path, encoding) as file:
        if not delimiter:
            first = next(_lines(file, path), "")
            delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",\t;，", key=first.count)
            file.seek(0)
        reader = csv.reader(_lines(file, path), delimiter=delimiter, strict=True)
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                place = f"{path.name} 第 {number} 行"
                yield RawRow(number, place, (), ZhipaiError("E1313", {"problem": _problem(error)}, place))
                continue
            if any(cells):
                yield RawRow(number, f"{path.name} 第 {number} 行", tuple(cells))


def _problem(error: csv.Error) -> str:
    text = str(error)
    if "field larger than field limit" in text or "unexpected end of data" in text:
        return "引号没有闭合"
    if "expected after" in text:
        return "引号后面还有字"
    return text


def read_jsonl(path: Path, *, encoding: str = "") -> Iterator[RawRow]:
    """The objects of a JSON-lines file, one for each line that is not blank."""
    with _open_text(path, encoding) as file:
        for number, line in enumerate(_lines(file, path), start=1):
            place = f"{path.name} 第 {number} 行"
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                problem = f"第 {error.colno} 个字符附近读不通" if error.pos < len(line.rstrip()) else "没有写完"
                yield RawRow(number, place, (), ZhipaiError("E1314", {"problem": problem}, place))
                continue
            except (RecursionError, ValueError):  # brackets too deep, an integer of thousands of digits
                yield RawRow(number, place, (), ZhipaiError("E1314", {"problem": "嵌套过深或数字过长"}, place))
                continue
            if isinstance(value, dict):
                yield RawRow(number, place, {str(key): _plain(item) for key, item in value.items()})
            else:
                yield RawRow(number, place, (), ZhipaiError("E1314", {"problem": "最外层不是对象"}, place))


def _plain(value: Any) -> str:
    """A JSON value as a cell of text; a list of plain values as they are written in one cell."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ";".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)
