"""Write a table to XLSX, CSV or JSONL: streamed, complete or not there at all, and without live formulas."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell

from intake.errors import ZhipaiError, register

register("E6601", "结果格式不支持", "不认识结果文件的后缀“{suffix}”。请用 .xlsx、.csv 或 .jsonl。")
register("E6602", "行数超过 Excel 上限", "结果超过 Excel 的 1,048,576 行上限。请改用 .csv 或 .jsonl。")

EXCEL_ROWS = 1_048_576
#: A cell that begins so would run as a formula in a spreadsheet (OWASP: CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class TableWriter(Protocol):
    def write(self, row: Sequence[str]) -> None: ...
    def commit(self) -> None: ...
    def close(self) -> None: ...


def safe_cell(value: str) -> str:
    """The value with an apostrophe before it if a spreadsheet would run it; plain numbers stay numbers."""
    if not value.startswith(FORMULA_STARTS):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def open_writer(path: Path, header: Sequence[str]) -> TableWriter:
    """A writer for the suffix of ``path``; the header is written at once. E6601 for another suffix."""
    kinds: dict[str, Callable[[Path, Sequence[str]], TableWriter]] = {".xlsx": _Xlsx, ".csv": _Csv, ".jsonl": _Jsonl}
    if path.suffix.lower() not in kinds:
        raise ZhipaiError("E6601", {"suffix": path.suffix})
    return kinds[path.suffix.lower()](path, header)


class _Aside:
    """Writes to a file beside the target and renames it on commit."""

    def __init__(self, path: Path, header: Sequence[str]):
        self.path = path
        self.header = list(header)
        self.part = path.with_name(f".{path.name}.{os.getpid()}.part")

    def commit(self) -> None:
        self.part.replace(self.path)

    def close(self) -> None:
        self.part.unlink(missing_ok=True)


class _Csv(_Aside):
    """UTF-8 with BOM, so that Excel shows Chinese."""

    def __init__(self, path: Path, header: Sequence[str]):
        super().__init__(path, header)
        self._file = self.part.open("w", encoding="utf-8-sig", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow([safe_cell(name) for name in header])

    def write(self, row: Sequence[str]) -> None:
        self._csv.writerow([safe_cell(value) for value in row])

    def commit(self) -> None:
        self._file.close()
        super().commit()

    def close(self) -> None:
        self._file.close()
        super().close()


class _Jsonl(_Aside):
    def __init__(self, path: Path, header: Sequence[str]):
        super().__init__(path, header)
        self._file = self.part.open("w", encoding="utf-8")

    def write(self, row: Sequence[str]) -> None:
        self._file.write(json.dumps(dict(zip(self.header, row, strict=True)), ensure_ascii=False) + "\n")

    def commit(self) -> None:
        self._file.close()
        super().commit()

    def close(self) -> None:
        self._file.close()
        super().close()


def text_cell(sheet: Any, value: str) -> Cell:
    """A cell of a write-only sheet that is text whatever it looks like."""
    cell = WriteOnlyCell(sheet)
    # Control characters are not allowed in a workbook and would make it unreadable.
    cell.value = "".join(character for character in value if character >= " " or character in "\n\t")[:32767]
    cell.data_type = "s"
    return cell


class _Xlsx(_Aside):
    """Every cell is text: what a user typed is shown, never calculated."""

    def __init__(self, path: Path, header: Sequence[str]):
        super().__init__(path, header)
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("智派")
        self._rows = 0
        self._saved = False
        self.write(header)

    def write(self, row: Sequence[str]) -> None:
        self._rows += 1
        if self._rows > EXCEL_ROWS:
            raise ZhipaiError("E6602")
        self._sheet.append([text_cell(self._sheet, value) for value in row])

    def commit(self) -> None:
        self._book.save(self.part)
        self._saved = True
        super().commit()

    def close(self) -> None:
        if not self._saved:
            # Ends the writer's generator; otherwise it complains when it is collected.
            self._sheet.close()
            Path(self._sheet._writer.out).unlink(missing_ok=True)
        super().close()
