"""Rows out of an Excel workbook (.xlsx), read as a stream, after a look at what it would unpack to."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from intake.errors import ZhipaiError, register
from intake.tables import RawRow, open_binary

register(
    "E1321",
    "不是 XLSX 文件",
    "文件“{path}”不是可读的 .xlsx 工作簿（{problem}）。请用 Excel 或 WPS 另存为 .xlsx（不加密）后再导入。",
)
register(
    "E1322", "工作簿解压后过大", "文件“{path}”解压后{problem}，可能是压缩炸弹，未读取。请拆分后再导入。", status=413
)
register("E1323", "没有这个工作表", "工作簿“{path}”里没有工作表“{sheet}”。现有的工作表：{sheets}。")
register("E1324", "工作表行数过多", "工作表的行号超过了 Excel 的上限 {limit}，其后的内容未读取。")

#: Bytes. A real export of 100,000 orders unpacks to about 60 MB.
MAX_UNPACKED = 512 * 1024 * 1024
#: Sheets of real text shrink 5 to 30 times; past this ratio a part of more than ``_RATIO_FROM`` bytes is a bomb.
MAX_RATIO = 150
_RATIO_FROM = 8 * 1024 * 1024
MAX_ROWS = 1_048_576
_OLE_HEADER = b"\xd0\xcf\x11\xe0"


def check_workbook(path: Path) -> None:
    """Refuse what is no workbook (E1321) and what would unpack beyond all reason (E1322), without unpacking it."""
    with open_binary(path) as file:
        start = file.read(4)
    if start == _OLE_HEADER:
        raise ZhipaiError("E1321", {"path": path.name, "problem": "是旧版 .xls 或加了密码"})
    try:
        with zipfile.ZipFile(path) as archive:
            problem = unpacks_beyond_reason(archive)
    except zipfile.BadZipFile as error:
        raise ZhipaiError("E1321", {"path": path.name, "problem": "压缩包损坏或不是压缩包"}) from error
    if problem:
        raise ZhipaiError("E1322", {"path": path.name, "problem": problem})


def unpacks_beyond_reason(archive: zipfile.ZipFile) -> str:
    """What is suspicious about what an archive (a workbook, a .docx) would unpack to, without unpacking it; or empty."""
    parts = archive.infolist()
    if sum(part.file_size for part in parts) > MAX_UNPACKED:
        return f"超过 {MAX_UNPACKED // 1024**2} MB"
    if any(part.file_size > _RATIO_FROM and part.file_size > MAX_RATIO * max(part.compress_size, 1) for part in parts):
        return f"是压缩前的 {MAX_RATIO} 倍以上"
    return ""


def read_sheet(path: Path, *, sheet: str = "") -> Iterator[RawRow]:
    """The rows of one sheet (the first that is not hidden when none is named), blank ones left out, formulas as their last values.

    Streaming: memory holds one row and the shared strings. Row numbers are those of the sheet.
    """
    check_workbook(path)
    try:
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except (InvalidFileException, KeyError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        raise ZhipaiError("E1321", {"path": path.name, "problem": "缺少工作簿的组成部分"}) from error
    try:
        names = [name for name in workbook.sheetnames if hasattr(workbook[name], "iter_rows")]
        shown = [name for name in names if workbook[name].sheet_state == "visible"] or names
        name = sheet or (shown[0] if shown else "")
        if name not in names:
            raise ZhipaiError("E1323", {"path": path.name, "sheet": name, "sheets": "、".join(names)})
        worksheet = workbook[name]
        worksheet.reset_dimensions()  # many exporters write a wrong extent, and only what lies in it would be read
        rows = worksheet.iter_rows(values_only=True)
        number = 0
        while True:
            number += 1
            try:
                values = next(rows, None)
            except (SyntaxError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
                raise ZhipaiError("E1321", {"path": path.name, "problem": f"第 {number} 行附近的内容损坏"}) from error
            if values is None:
                return
            if number <= MAX_ROWS and not any(value not in (None, "") for value in values):
                continue
            place = f"{path.name} 工作表 {name} 第 {number} 行"
            if number > MAX_ROWS:
                yield RawRow(number, place, (), ZhipaiError("E1324", {"limit": MAX_ROWS}, place))
                return
            yield RawRow(number, place, tuple(map(_plain, values)), padded=True)
    finally:
        workbook.close()


def _plain(value: Any) -> str:
    """A cell as a person sees it: whole numbers without a decimal point, instants with a space."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
