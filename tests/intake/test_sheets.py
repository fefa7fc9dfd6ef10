"""Excel workbooks as people and attackers send them."""

from __future__ import annotations

import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from intake import sheets
from intake.errors import ZhipaiError
from intake.mapping import Mapping
from intake.readers import Row, read_columns, read_orders

TEXT = Mapping.from_dict({"columns": {"text": "诉求内容"}})


def _read(path: Path, mapping: Mapping | None = None, **options: str) -> list[Row]:
    return list(read_orders(path, mapping or Mapping.guess(read_columns(path)), **options))


def _texts(rows: list[Row]) -> list[str]:
    return [row.order.text for row in rows if row.order]


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "工单"
    sheet.append(["某市热线工单导出"])
    sheet.append([])
    sheet.append(["诉求内容", "工单编号", "受理时间", "备注"])
    sheet.append(["停水", 20180102134642, datetime(2018, 1, 2, 3, 4, 5)])
    sheet.append([None, 2.0, "2018/1/2"])
    sheet.append(["停电", 3.0, "2018/1/2 3:04"])
    book.create_sheet("空表")
    other = book.create_sheet("别的")
    other.append(["内容"])
    other.append(["停气"])
    path = tmp_path / "工单.xlsx"
    book.save(path)
    return path


def test_a_workbook_is_read_with_its_own_row_numbers(workbook: Path) -> None:
    rows = _read(workbook)
    assert _texts(rows) == ["停水", "停电"]
    assert [row.number for row in rows] == [4, 5, 6]
    assert rows[0].place == "工单.xlsx 工作表 工单 第 4 行"
    assert str(rows[1].error).endswith("（工单.xlsx 工作表 工单 第 5 行 列“诉求内容”）")
    orders = [row.order for row in rows if row.order]
    assert [order.order_id for order in orders] == ["20180102134642", "3"]
    assert [order.received_at.isoformat() for order in orders if order.received_at] == [
        "2018-01-02T03:04:05+08:00",
        "2018-01-02T03:04:00+08:00",
    ]


def test_a_sheet_is_chosen_by_name(workbook: Path) -> None:
    mapping = Mapping.from_dict({"columns": {"text": "内容"}})
    assert _texts(_read(workbook, mapping, sheet="别的")) == ["停气"]
    by_mapping = Mapping.from_dict({"columns": {"text": "内容"}, "format": {"sheet": "别的"}})
    assert _texts(_read(workbook, by_mapping)) == ["停气"]


def test_a_missing_sheet_and_an_empty_one_are_named(workbook: Path) -> None:
    with pytest.raises(ZhipaiError, match=r"E1323.*没有.*工单、空表、别的"):
        read_orders(workbook, TEXT, sheet="没有")
    with pytest.raises(ZhipaiError, match="E1332"):
        read_orders(workbook, TEXT, sheet="空表")


def _with_sheet(path: Path, rows: bytes, *, dimension: str = "A1") -> Path:
    """A workbook whose only sheet has these rows of XML."""
    openpyxl.Workbook().save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    head = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    parts["xl/worksheets/sheet1.xml"] = (
        f'{head}<dimension ref="{dimension}"/><sheetData>'.encode() + rows + b"</sheetData></worksheet>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def _cell(row: int, text: str, column: str = "A") -> bytes:
    return f'<row r="{row}"><c r="{column}{row}" t="inlineStr"><is><t>{text}</t></is></c></row>'.encode()


def test_formulas_are_read_as_their_values(tmp_path: Path) -> None:
    formula = '<row r="2"><c r="A2" t="str"><f>"停"&amp;"水"</f><v>停水</v></c></row>'.encode()
    path = _with_sheet(tmp_path / "a.xlsx", _cell(1, "诉求内容") + formula)
    assert _texts(_read(path, TEXT)) == ["停水"]


def test_a_wrong_extent_does_not_hide_columns(tmp_path: Path) -> None:
    row = b'<row r="%d"><c r="A%d"><v>1</v></c><c r="B%d" t="inlineStr"><is><t>%s</t></is></c></row>'
    content = b"".join(row % (n, n, n, text.encode()) for n, text in ((1, "诉求内容"), (2, "停水")))
    assert _texts(_read(_with_sheet(tmp_path / "a.xlsx", content, dimension="A1:A1"), TEXT)) == ["停水"]


def test_a_million_empty_rows_are_passed_over(tmp_path: Path) -> None:
    empty = b"".join(b'<row r="%d"/>' % number for number in range(3, 1_048_576))
    path = _with_sheet(tmp_path / "a.xlsx", _cell(1, "诉求内容") + _cell(2, "停水") + empty + _cell(1_048_576, "停电"))
    rows = _read(path, TEXT)
    assert [(row.number, row.order.text) for row in rows if row.order] == [(2, "停水"), (1_048_576, "停电")]


def test_a_gap_of_a_million_rows_is_no_million_rows(tmp_path: Path) -> None:
    path = _with_sheet(tmp_path / "a.xlsx", _cell(1, "诉求内容") + _cell(2, "停水") + _cell(1_048_576, "停电", "XFD"))
    assert [row.number for row in _read(path, TEXT)] == [2, 1_048_576]


def test_rows_past_the_end_of_any_sheet_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 1000)
    path = _with_sheet(tmp_path / "a.xlsx", _cell(1, "诉求内容") + _cell(2, "停水") + _cell(999_999_999_999, "停电"))
    rows = _read(path, TEXT)
    assert _texts(rows) == ["停水"]
    assert rows[-1].error is not None
    assert rows[-1].error.code == "E1324"


def test_a_zip_bomb_is_refused_unopened(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/sharedStrings.xml", "w") as part:
        for _ in range(64):
            part.write(b"\0" * 1024**2)
    with pytest.raises(ZhipaiError, match=r"E1322.*压缩炸弹"):
        read_orders(path, TEXT)


def test_too_much_in_all_is_refused(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_UNPACKED", 1000)
    with pytest.raises(ZhipaiError, match="E1322"):
        read_orders(workbook, TEXT)


@pytest.mark.parametrize("rows", [b"<row r=", b'<row r="1"><c r="A1" t="s"><v>99</v></c></row>'])
def test_a_damaged_sheet_is_said(tmp_path: Path, rows: bytes) -> None:
    with pytest.raises(ZhipaiError, match="E1321"):
        read_orders(_with_sheet(tmp_path / "a.xlsx", rows), TEXT)


def test_a_zip_that_is_no_workbook_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    with pytest.raises(ZhipaiError, match="E1321"):
        read_orders(path, TEXT)
