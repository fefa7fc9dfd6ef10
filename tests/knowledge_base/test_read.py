"""Files of entries, whole and broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from knowledge_base import read_entries

GOOD = json.dumps({"id": "K1", "title": "标题", "answer": "答复", "unit": "单位"}, ensure_ascii=False)
OTHER = GOOD.replace("K1", "K2")


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content", [f"{GOOD}\n{OTHER}\n", f"\ufeff{GOOD}\n\n{OTHER}", f"{GOOD}\r\n{OTHER}\r\n"], ids=["lf", "bom", "crlf"]
)
def test_jsonl_is_read(tmp_path: Path, content: str) -> None:
    assert [entry.id for entry in read_entries(write(tmp_path, "k.jsonl", content))] == ["K1", "K2"]


def test_line_separator_inside_a_text_does_not_break_the_line(tmp_path: Path) -> None:
    (entry,) = read_entries(write(tmp_path, "k.jsonl", GOOD.replace("答复", "第一段\u2028第二段")))
    assert entry.answer == "第一段\n第二段"


@pytest.mark.parametrize(
    "heading", ["id,title,answer,unit", "id,question,answer,unit", "\ufeffunit,note,id,answer,title"]
)
def test_csv_is_read_by_its_headings(tmp_path: Path, heading: str) -> None:
    values = {
        "id": "K1",
        "title": "怎么办",
        "question": "怎么办",
        "answer": '"到窗口,\n带身份证"',
        "unit": "单位",
        "note": "",
    }
    row = ",".join(values[column.strip("\ufeff")] for column in heading.split(","))
    (entry,) = read_entries(write(tmp_path, "k.csv", f"{heading}\n{row}\n"))
    assert (entry.id, entry.title, entry.answer, entry.unit) == ("K1", "怎么办", "到窗口,\n带身份证", "单位")


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("k.jsonl", f"{GOOD}\n{GOOD}\n", "E4015", ["K1", "第 1 行", "k.jsonl 第 2 行"]),
        ("k.jsonl", f"{GOOD}\n\n{{'id': 1}}\n", "E4013", ["k.jsonl 第 3 行"]),
        ("k.jsonl", f"{GOOD}\n[1, 2]\n", "E4001", ["列表", "第 2 行"]),
        ("k.jsonl", f"{GOOD}\n{OTHER[:-1]}, \"effective_to\": \"1949-01-01\"}}", "E4007", ["第 2 行"]),
        ("k.jsonl", GOOD.encode("gb18030"), "E4011", ["k.jsonl", "UTF-8"]),
        ("k.xlsx", b"PK", "E4012", ["k.xlsx", ".jsonl"]),
        ("k.csv", "id,title,unit\nK1,标题,单位\n", "E4014", ["answer", "第 1 行"]),
        ("k.csv", "", "E4014", ["id"]),
        ("k.csv", "id,title,answer,unit\nK1,标题,,单位\n", "E4003", ["答复", "k.csv 第 2 行"]),
        ("k.csv", "id,title,answer,unit\nK1,标题\n", "E4003", ["答复", "k.csv 第 2 行"]),
    ],
)  # fmt: skip
def test_broken_file_is_refused_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, code: str, words: list[str]
) -> None:
    with pytest.raises(ZhipaiError) as caught:
        read_entries(write(tmp_path, name, content))
    assert caught.value.code == code
    for word in words:
        assert word in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ZhipaiError) as caught:
        read_entries(tmp_path / "none.jsonl")
    assert caught.value.code == "E4011"
    assert "none.jsonl" in str(caught.value)


def test_empty_file_holds_no_entries(tmp_path: Path) -> None:
    assert read_entries(write(tmp_path, "k.jsonl", "")) == []
