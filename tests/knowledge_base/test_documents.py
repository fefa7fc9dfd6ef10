"""Policy documents: cut by article, with the number that Word or the writer gave it; a scan is told so."""

from __future__ import annotations

import zipfile
from pathlib import Path

import docx
import pypdf
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from intake.errors import ZhipaiError
from knowledge_base.documents import cut, open_document
from knowledge_base.sheet_rows import EntryRow

LINES = [
    "某市物业管理办法",
    "第一章 总则",
    "第一条　为规范物业管理，制定本办法。",
    "第二条　本办法适用于本市行政区域。",
    "业主是指房屋的所有权人。",
    "第二章 附则",
    "第三十条之一　自2026年1月1日起施行。",
]
UNIT = {"unit": "市住建局"}


def rows(path: Path) -> list[EntryRow]:
    return list(open_document(path, defaults=UNIT).rows)


def word(path: Path, lines: list[str]) -> Path:
    document = docx.Document()
    for line in lines:
        document.add_paragraph(line)
    document.save(str(path))
    return path


def test_word_document_by_article(tmp_path: Path) -> None:
    found = rows(word(tmp_path / "a.docx", LINES))
    assert [row.cells[1] for row in found] == ["第一条", "第二条", "第三十条之一"]
    entry = found[1].entry
    assert entry is not None
    assert entry.answer == "本办法适用于本市行政区域。\n业主是指房屋的所有权人。"
    assert entry.title == "某市物业管理办法 第二条：本办法适用于本市行政区域"
    assert [(one.document, one.article) for one in entry.citations] == [("某市物业管理办法", "第二条")]
    assert (entry.state, entry.unit, entry.source) == ("草稿", "市住建局", "a.docx")
    again = rows(word(tmp_path / "a.docx", [*LINES[:3], "第二条　改过的内容。"]))
    assert again[1].entry is not None and again[1].entry.id == entry.id, "同一条再来一次是同一个条目"


def test_tables_stand_where_they_stood(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("第一条 收费标准如下。")
    table = document.add_table(1, 3)
    for cell, text in zip(table.rows[0].cells, ("项目", "金额", "金额"), strict=True):
        cell.text = text
    table.rows[0].cells[1].merge(table.rows[0].cells[2])
    document.add_paragraph("第二条 完。")
    document.save(str(tmp_path / "a.docx"))
    first = rows(tmp_path / "a.docx")[0].entry
    assert first is not None and "项目 | 金额" in first.answer


def test_articles_that_word_counts_itself_get_their_number(tmp_path: Path) -> None:
    document = docx.Document()
    numbering = document.part.numbering_part.element
    definition = parse_xml(
        f'<w:abstractNum {nsdecls("w")} w:abstractNumId="99"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
        '<w:numFmt w:val="chineseCounting"/><w:lvlText w:val="第%1条"/></w:lvl></w:abstractNum>'
    )
    numbering.insert(0, definition)
    numbering.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="99"><w:abstractNumId w:val="99"/></w:num>'))
    for text in ("为规范物业管理，制定本办法。", "本办法适用于本市。"):
        properties = document.add_paragraph(text)._p.get_or_add_pPr().get_or_add_numPr()
        properties.get_or_add_numId().val = 99
        properties.get_or_add_ilvl().val = 0
    document.save(str(tmp_path / "a.docx"))
    found = rows(tmp_path / "a.docx")
    assert [row.entry.answer for row in found if row.entry] == ["为规范物业管理，制定本办法。", "本办法适用于本市。"]
    assert [row.entry.citations[0].article for row in found if row.entry] == ["第1条", "第2条"]


def test_document_without_articles_is_cut_by_headings() -> None:
    found = cut(["一、申请条件", "年满六十周岁。", "二、办理流程", "到窗口办理。"])
    assert [one.text for one in found] == ["一、申请条件\n年满六十周岁。", "二、办理流程\n到窗口办理。"]


def pdf(path: Path, texts: list[str]) -> Path:
    """A PDF whose pages say these ASCII lines; none: a page of no text, as a scan has."""
    writer = pypdf.PdfWriter()
    for text in texts or [""]:
        page = writer.add_blank_page(595, 842)
        if text:
            lines = " T* ".join(f"({line}) Tj" for line in text.split("\n"))
            stream = pypdf.generic.DecodedStreamObject()
            stream.set_data(f"BT /F1 12 Tf 14 TL 72 720 Td {lines} ET".encode())
            font = pypdf.generic.DictionaryObject(
                {pypdf.generic.NameObject(key): pypdf.generic.NameObject(value)
                 for key, value in (("/Type", "/Font"), ("/Subtype", "/Type1"), ("/BaseFont", "/Helvetica"))}
            )  # fmt: skip
            fonts = pypdf.generic.DictionaryObject({pypdf.generic.NameObject("/F1"): font})
            page[pypdf.generic.NameObject("/Resources")] = pypdf.generic.DictionaryObject(
                {pypdf.generic.NameObject("/Font"): fonts}
            )
            page[pypdf.generic.NameObject("/Contents")] = stream
    with path.open("wb") as file:
        writer.write(file)
    return path


def test_pdf_lines_are_joined_and_page_numbers_left_out(tmp_path: Path) -> None:
    found = rows(
        pdf(tmp_path / "a.pdf", ["This is a line that goes\non in the next one.\n- 1 -", "And ends here, at last.\n2"])
    )
    text = "".join(row.entry.answer for row in found if row.entry)
    assert text == "This is a line that goeson in the next one.\nAnd ends here, at last."


@pytest.mark.parametrize("pages", [[], ["x", "", ""]])
def test_scan_is_told_what_to_do(tmp_path: Path, pages: list[str]) -> None:
    with pytest.raises(ZhipaiError) as caught:
        rows(pdf(tmp_path / "a.pdf", pages))
    assert caught.value.code == "E4056"
    assert "扫描件" in str(caught.value) and "OCR" in str(caught.value)


def test_locked_broken_and_old_files_are_named(tmp_path: Path) -> None:
    locked = pypdf.PdfWriter()
    locked.add_blank_page(100, 100)
    locked.encrypt("secret")
    with (tmp_path / "locked.pdf").open("wb") as file:
        locked.write(file)
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    (tmp_path / "broken.docx").write_bytes(b"PK\x03\x04 nothing")
    (tmp_path / "old.docx").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
    for name in ("locked.pdf", "broken.pdf", "broken.docx", "old.docx"):
        with pytest.raises(ZhipaiError) as caught:
            rows(tmp_path / name)
        assert caught.value.code == "E4055" and name in str(caught.value)


def test_word_file_that_unpacks_beyond_reason_is_refused(tmp_path: Path) -> None:
    path = word(tmp_path / "a.docx", LINES)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/zero.bin", bytes(20 * 1024 * 1024))
    with pytest.raises(ZhipaiError, match="E1322"):
        rows(path)


def test_entities_in_a_word_file_are_not_read(tmp_path: Path) -> None:
    good, evil = word(tmp_path / "good.docx", LINES), tmp_path / "evil.docx"
    (tmp_path / "secret.txt").write_text("机密内容", encoding="utf-8")
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(evil, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "word/document.xml":
                head, _, rest = content.decode().partition("?>")
                entity = f'<!DOCTYPE d [<!ENTITY f SYSTEM "{(tmp_path / "secret.txt").as_uri()}">]>'
                content = (head + "?>" + entity + rest.replace("为规范物业管理", "&f;")).encode()
            target.writestr(name, content)
    try:
        found = rows(evil)
    except ZhipaiError:
        return
    assert all("机密内容" not in row.entry.answer for row in found if row.entry)
