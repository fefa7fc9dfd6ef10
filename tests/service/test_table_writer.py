"""A written table is complete or not there, and runs nothing in a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from intake.errors import ZhipaiError
from service.table_writer import open_writer, safe_cell

ROWS = [["=HYPERLINK(1)", "普通"], ["-3", "a\x00b\x07c"], ["@cmd", "两\n行"]]


def write(path: Path) -> None:
    writer = open_writer(path, ["甲", "=乙"])
    for row in ROWS:
        writer.write(row)
    writer.commit()
    writer.close()


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+86 138", "'+86 138"),
        ("@x", "'@x"),
        ("-3", "-3"),
        ("+2.5", "+2.5"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_cell_that_would_run_is_quoted(value: str, safe: str) -> None:
    assert safe_cell(value) == safe


def test_xlsx_cells_are_text(tmp_path: Path) -> None:
    write(tmp_path / "a.xlsx")
    cells = [cell for row in load_workbook(tmp_path / "a.xlsx").active.iter_rows() for cell in row]
    assert all(cell.data_type in ("s", "inlineStr") for cell in cells)
    assert cells[0].value == "甲" and cells[2].value == "=HYPERLINK(1)"
    assert cells[5].value == "abc", "控制字符会让 Excel 打不开文件"


def test_csv_opens_in_excel_as_chinese(tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["甲", "'=乙"] and rows[1][0] == "'=HYPERLINK(1)" and rows[3][1] == "两\n行"


def test_jsonl_keeps_values_as_they_are(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"甲": "=HYPERLINK(1)", "=乙": "普通"}


@pytest.mark.parametrize("suffix", ["xlsx", "csv", "jsonl"])
def test_without_commit_nothing_is_left_and_the_old_file_stays(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"a.{suffix}"
    target.write_text("原来的")
    writer = open_writer(target, ["甲"])
    writer.write(["一"])
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_text() == "原来的"


def test_unknown_suffix_is_named(tmp_path: Path) -> None:
    with pytest.raises(ZhipaiError) as caught:
        open_writer(tmp_path / "a.doc", ["甲"])
    assert caught.value.code == "E6601"
