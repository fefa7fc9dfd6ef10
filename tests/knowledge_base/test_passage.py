"""The sentence that is quoted."""

from __future__ import annotations

import pytest

from knowledge_base import KnowledgeEntry
from knowledge_base.lexical import LexicalIndex
from knowledge_base.passage import MOST, best_passage, passages

ENTRY = KnowledgeEntry(
    "k",
    "居民医保缴费",
    (),
    "每年九月至十二月缴费。每人四百元；低保户由财政资助。\n可在手机上交，也可到镇街窗口交。",
    body="  第一条　新生儿九十日内参保。",
)
INDEX = LexicalIndex.build([ENTRY.text, "住房公积金提取", "老年人优待证换发"])


def test_passages_are_where_they_say() -> None:
    found = passages(ENTRY)
    assert [p.field for p in found] == ["answer"] * 4 + ["body"]
    for passage in found:
        assert getattr(ENTRY, passage.field)[passage.start : passage.end] == passage.text
        assert passage.text == passage.text.strip() != ""


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("低保的人要自己掏吗", "低保户"),
        ("手机上能不能交", "可在手机"),
        ("新生儿怎么参保", "第一条"),
        ("新生兒怎麼參保", "第一条"),
        ("zzz", "每年九月"),
        ("", "每年九月"),
    ],
)
def test_sentence_that_answers_is_chosen(text: str, start: str) -> None:
    passage = best_passage(ENTRY, text, INDEX)
    assert passage is not None
    assert passage.text.startswith(start)


def test_entry_without_sentences_has_no_passage() -> None:
    assert best_passage(KnowledgeEntry("k", "标题", (), "。。\n"), "标题", INDEX) is None


def test_book_is_read_only_so_far() -> None:
    assert len(passages(KnowledgeEntry("k", "标题", (), "一句。" * (3 * MOST)))) == MOST
