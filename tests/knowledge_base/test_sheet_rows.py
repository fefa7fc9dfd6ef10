"""Sheets as users send them: merged headers, hidden sheets, macros, formulas, bombs; and what is written reads back."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeEntry, entry_from_dict, entry_to_dict
from knowledge_base.columns import COLUMN_NAMES, from_cells, to_cells, to_day
from knowledge_base.entry import Attachment, Contact
from knowledge_base.markdown_files import open_folder, read_markdown, write_folder
from knowledge_base.sheet_rows import open_sheet

FULL = KnowledgeEntry(
    "K1", "居住证办理", ("外地人咋办证", "居住证在哪办"), "带身份证到派出所。", "市公安局", "M001", "临江区",
    date(2026, 1, 1), date(2027, 1, 1), "《居住证暂行条例》第九条", "门户网站", "发布", "## 材料\n\n- 身份证",
    "非本市户籍人员", (Contact("窗口", "12345转2", date(2026, 5, 1)), Contact("", "市民中心二楼")),
    (Attachment("申请表.docx", "a" * 64), Attachment("说明.pdf")), "内部",
)  # fmt: skip


def workbook(path: Path, fill: Callable[[Workbook], None]) -> Path:
    book = Workbook()
    fill(book)
    book.save(path)
    return path


def one(path: Path, **options: object) -> KnowledgeEntry:
    (row,) = open_sheet(path, **options).rows  # type: ignore[arg-type]
    assert row.error is None, str(row.error)
    assert row.entry is not None
    return row.entry


def test_cells_read_back_as_they_were_written() -> None:
    names = tuple(COLUMN_NAMES)
    cells = dict(zip(names, to_cells(entry_to_dict(FULL), names), strict=True))
    assert entry_from_dict(from_cells(cells)) == FULL


def test_markdown_reads_back_as_it_was_written(tmp_path: Path) -> None:
    entries = [FULL, replace(FULL, id="K2", body="", title='怪/名:字"?', contacts=(), effective_to=None)]
    assert write_folder(tmp_path, entries) == 2
    assert [row.entry for row in open_folder(tmp_path).rows] == entries


def test_markdown_without_fields_is_read_by_its_headings(tmp_path: Path) -> None:
    file = tmp_path / "居住证.md"
    file.write_text("# 居住证办理\n\n带身份证到派出所。\n\n## 材料\n\n- 身份证\n", encoding="utf-8")
    row = read_markdown(file)
    assert (row["title"], row["answer"]) == ("居住证办理", "带身份证到派出所。")
    (found,) = open_folder(tmp_path, defaults={"unit": "市公安局"}).rows
    assert found.entry is not None and found.entry.body.startswith("带身份证")
    (missing,) = open_folder(tmp_path).rows
    assert missing.error is not None and missing.error.code == "E4003"


@pytest.mark.parametrize("front", ["- 列表", "标题: [未闭合", "颜色: 红"])
def test_bad_fields_on_top_are_named(tmp_path: Path, front: str) -> None:
    (tmp_path / "a.md").write_text(f"---\n{front}\n---\n正文\n", encoding="utf-8")
    (row,) = open_folder(tmp_path).rows
    assert row.error is not None and row.error.code == "E4054" and "a.md" in str(row.error)


def test_merged_header_of_two_rows(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        sheet = book.active
        sheet.append(["某市知识条目汇总表"])
        sheet.merge_cells("A1:D1")
        sheet.append(["标题", "内容", None, "责任单位"])
        sheet.append([None, "答复要点", "生效日期", None])
        sheet.merge_cells("A2:A3")
        sheet.merge_cells("B2:C2")
        sheet.append(["居住证办理", "带身份证。", "2026年1月31日", "市公安局"])

    entry = one(workbook(tmp_path / "a.xlsx", fill))
    assert (entry.title, entry.answer, entry.unit) == ("居住证办理", "带身份证。", "市公安局")
    assert entry.effective_from == date(2026, 1, 31)


def test_hidden_sheet_is_passed_over_and_named(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        book.active.title = "草稿区"
        book.active.append(["标题", "答复", "单位"])
        book.active.append(["不该读", "不该读", "不该读"])
        book.active.sheet_state = "hidden"
        book.create_sheet("条目").append(["标题", "答复", "单位"])
        book["条目"].append(["居住证", "带身份证。", "市公安局"])

    path = workbook(tmp_path / "a.xlsx", fill)
    sheet = open_sheet(path)
    assert [row.entry.title for row in sheet.rows if row.entry] == ["居住证"]
    assert "草稿区" in sheet.notes[0]
    assert one(path, sheet="草稿区").title == "不该读"


def test_formula_that_was_never_computed_is_a_missing_value(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        book.active.append(["标题", "答复", "单位"])
        book.active.append(["=1+1", "带身份证。", "市公安局"])

    (row,) = open_sheet(workbook(tmp_path / "a.xlsx", fill)).rows
    assert row.error is not None and row.error.code == "E4003"


def test_macro_file_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsm", lambda book: book.active.append(["标题", "答复", "单位"]))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"macro")
    with pytest.raises(ZhipaiError, match="E4051"):
        open_sheet(path)


def test_zip_bomb_is_refused(tmp_path: Path) -> None:
    bomb = workbook(tmp_path / "a.xlsx", lambda book: book.active.append(["标题", "答复", "单位"]))
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zero.bin", bytes(20 * 1024 * 1024))
    with pytest.raises(ZhipaiError, match="E1322"):
        open_sheet(bomb)


def test_entities_are_neither_multiplied_nor_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("机密内容", encoding="utf-8")
    laughs = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    for name, entity, declared in (
        ("laughs", "&e9;", f'<!ENTITY e0 "xxxxxxxxxx">{laughs}'),
        ("file", "&f;", f'<!ENTITY f SYSTEM "{(tmp_path / "secret.txt").as_uri()}">'),
    ):
        good = workbook(tmp_path / "good.xlsx", lambda book: book.active.append(["标题", "答复", "单位"]))
        evil = tmp_path / f"{name}.xlsx"
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(evil, "w") as target:
            for part in source.namelist():
                content = source.read(part).decode()
                if part == "xl/worksheets/sheet1.xml":
                    assert "&#31572;&#22797;" in content, "答复"
                    body = content.partition("?>")[2] if content.startswith("<?xml") else content
                    content = f"<!DOCTYPE worksheet [{declared}]>{body.replace('&#31572;&#22797;', entity)}"
                target.writestr(part, content)
        with pytest.raises(ZhipaiError) as caught:
            list(open_sheet(evil).rows)
        assert caught.value.code in ("E1321", "E4052"), "读不出或认不出表头，都没有读进任何内容"
        assert "机密内容" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", "甲,乙\n1,2\n", "E4052"),
        ("a.csv", "", "E4053"),
        ("a.txt", "标题", "E4012"),
        ("a.xlsx", "not a zip", "E1321"),
    ],
)
def test_file_that_is_no_sheet_of_entries_is_refused(tmp_path: Path, name: str, content: str, code: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        open_sheet(tmp_path / name)
    assert caught.value.code == code


def test_bad_rows_do_not_stop_the_good_ones(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "编号,标题,答复要点,责任单位,生效日期,失效日期,密级,自己的列\n"
        "K1,好的,答,市公安局,2026-01-01,长期,,甲\n"
        "K2,反了,答,市公安局,2026-01-01,2025-01-01,,乙\n"
        "K3,秘密,答,市公安局,,,机密,丙\n"
        "K1,重复,答,市公安局,,,,丁\n"
        "K5,,答,市公安局,,,,戊\n"
        "K6,日期,答,市公安局,下周,,,己\n",
        encoding="gb18030",
    )
    sheet = open_sheet(tmp_path / "a.csv")
    rows = list(sheet.rows)
    assert [row.error.code if row.error else "" for row in rows] == ["", "E4007", "E4009", "E4015", "E4003", "E4006"]
    assert sheet.header[-1] == "自己的列" and [row.cells[-1] for row in rows] == list("甲乙丙丁戊己")


def test_entry_without_id_gets_the_same_one_each_time(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("标题,答复,单位\n居住证,甲,市公安局\n", encoding="utf-8")
    first = one(path)
    path.write_text("标题,答复,单位\n居住证,乙,市公安局\n", encoding="utf-8")
    assert one(path).id == first.id and one(path) != first


def test_script_is_kept_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("标题,答复,单位,正文\n居住证,答,市公安局,<script>alert(1)</script>\n", encoding="utf-8")
    assert one(path).body == "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026-01-31", "2026-01-31"), ("2026/1/31", "2026-01-31"), ("2026年1月31日", "2026-01-31"),
     ("2026.1.31", "2026-01-31"), ("2026-01-31 00:00:00", "2026-01-31"), ("2026-02-31", ""), ("近日", "")],
)  # fmt: skip
def test_days_as_people_write_them(text: str, day: str) -> None:
    assert to_day(text) == day


def test_large_sheet_is_streamed(tmp_path: Path) -> None:
    """Rows are handed out one at a time: the first is there although the last cannot be read."""
    lines = "".join(f"K{number},标题{number},答,单位\n" for number in range(20_000))
    (tmp_path / "a.csv").write_text("编号,标题,答复,单位\n" + lines + '"没有闭合', encoding="utf-8")
    rows = open_sheet(tmp_path / "a.csv").rows
    assert next(rows).entry is not None
    assert sum(row.error is not None for row in rows) == 1
