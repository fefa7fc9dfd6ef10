"""Files of an evaluation: what can be used is used, what cannot is named by its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from knowledge_base.evaluation_set import read_evaluation

ENTRY = {"id": "a1", "title": "住房公积金提取", "question": "怎么取", "answer": "凭合同提取。", "unit": "公积金中心"}


def files(tmp_path: Path, entries: list[object], queries: list[object]) -> tuple[Path, Path]:
    paths = tmp_path / "e.jsonl", tmp_path / "q.jsonl"
    for path, rows in zip(paths, (entries, queries), strict=True):
        lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
        path.write_bytes(b"\n".join(lines))
    return paths


def test_entries_and_queries_are_read(tmp_path: Path) -> None:
    entries = [
        ENTRY,
        ENTRY | {"id": 2, "question": ["一", "二", "住房公积金提取"], "unit": ""},
        {"id": "b", "answer": "答"},
    ]
    queries = [
        {"id": "a1", "text": "怎么把钱取出来"},
        {"id": ["a1", 2], "text": "提取"},
        {"id": "q7", "text": "提取", "relevant": ["a1", "没有这条"]},
    ]
    found = read_evaluation(*files(tmp_path, entries, queries))
    assert [entry.questions for entry in found.entries] == [("怎么取",), ("一", "二"), ()]
    assert [query.relevant for query in found.queries] == [("a1",), ("a1", "2"), ("a1",)]
    assert found.skipped == []


def test_title_may_be_long_and_a_mark_at_the_start_is_no_error(tmp_path: Path) -> None:
    long = b"\xef\xbb\xbf" + json.dumps(ENTRY | {"title": "题" * 500}).encode()
    assert len(read_evaluation(*files(tmp_path, [long], [])).entries[0].title) == 500


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (b"{", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"id": "x", "title": "\xff"}', "UTF-8"),
        ([1], "对象"),
        ({"title": "没有编号"}, "id"),
        ({"id": "x"}, "空"),
        (ENTRY, "已经用过"),
        (ENTRY | {"id": "x", "title": {}}, "title"),
        (ENTRY | {"id": "x", "question": [None]}, "question"),
    ],
)
def test_bad_entry_is_named_and_the_rest_is_used(tmp_path: Path, row: object, word: str) -> None:
    found = read_evaluation(*files(tmp_path, [ENTRY, row, ENTRY | {"id": "z"}], [{"id": "z", "text": "取"}]))
    assert [entry.id for entry in found.entries] == ["a1", "z"]
    (said,) = found.skipped
    assert said.startswith("e.jsonl 第 2 行") and word in said


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"id": "a1"}, "text"),
        ({"text": "取"}, "编号"),
        ({"id": "none", "text": "取"}, "none"),
        ({"id": True, "text": "取"}, "id"),
        ({"id": "a1", "text": ["取"]}, "text"),
        ({"id": "a1", "text": "取", "relevant": []}, "编号"),
    ],
)
def test_bad_query_is_named(tmp_path: Path, row: object, word: str) -> None:
    found = read_evaluation(*files(tmp_path, [ENTRY], [row, {"id": "a1", "text": "取"}]))
    assert len(found.queries) == 1
    (said,) = found.skipped
    assert said.startswith("q.jsonl 第 1 行") and word in said


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZhipaiError) as caught:
        read_evaluation(tmp_path / "none.jsonl", tmp_path / "none.jsonl")
    assert caught.value.code == "E4033"
