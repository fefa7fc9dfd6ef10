"""Terms of a text, and the word lists behind them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from knowledge_base.words import (
    asked_texts,
    background_texts,
    formal_words,
    grams,
    lexicon_id,
    normalise,
    sayings,
    stop_words,
    synonyms,
    words,
)


@pytest.mark.parametrize(
    "text", ["", " ", "的了吗", "你好，请问一下", "怎么办？", "麻烦您尽快处理，谢谢", "！？……", "😀"]
)
def test_text_without_content_has_no_words(text: str) -> None:
    assert words(normalise(text)) == ()


@pytest.mark.parametrize(
    ("text", "word"), [("税", "税"), ("ETC", "etc"), ("公積金怎麼辦", "公积金"), ("１２３４５", "12345")]
)
def test_content_survives(text: str, word: str) -> None:
    assert word in words(normalise(text))


@pytest.mark.parametrize(
    ("colloquial", "formal"), [("房本", "不动产权证"), ("驾照", "机动车驾驶证"), ("工钱", "劳动报酬"), ("停水", "没水")]
)
def test_words_of_one_meaning_share_a_term(colloquial: str, formal: str) -> None:
    assert set(words(colloquial)) & set(words(formal))


@pytest.mark.parametrize(("one", "other"), [("居民医保", "职工医保"), ("公积金提取", "公积金贷款")])
def test_near_twins_stay_apart(one: str, other: str) -> None:
    assert set(words(one)) - set(words(other))


def test_no_word_belongs_to_two_groups() -> None:
    from knowledge_base import words as module

    groups = [line.split() for line in module._lines("synonyms.txt")]
    assert all(len(group) >= 2 for group in groups)
    assert [word for word, n in Counter(word for group in groups for word in group).items() if n > 1] == []
    assert not set(synonyms()) & stop_words()


def test_grams_do_not_cross_punctuation() -> None:
    assert sorted(grams("停水，了")) == sorted(["停", "水", "停水", "了"])


def test_latin_words_are_not_cut_into_letters() -> None:
    assert grams("办ETC卡12345") == ["办", "etc", "卡", "12345"]


def test_background_is_large_enough_to_measure_against() -> None:
    assert len(background_texts()) >= 150
    assert len(set(background_texts())) == len(background_texts())


def test_lexicon_id_is_sixteen_digits() -> None:
    assert len(lexicon_id()) == 16


def test_sayings_are_well_formed() -> None:
    pairs = sayings()
    assert len(pairs) >= 150
    for said, meant in pairs:
        assert said and meant
        assert all(phrase == normalise(phrase) for phrase in (*said, *meant))


@pytest.mark.parametrize(
    ("text", "word"), [("老板没开支", "工资"), ("屋里冷得跟冰窖一样", "供热"), ("被炒鱿鱼了", "解除")]
)
def test_what_is_said_is_also_looked_up_in_formal_words(text: str, word: str) -> None:
    assert word in formal_words(text)


def test_formal_text_gets_no_words_that_it_has() -> None:
    assert "贷款" not in formal_words("用公积金买房的贷款")
    assert formal_words("规划公示期") == ()


def test_sentences_of_the_frame_are_not_those_of_the_evaluation(root: Path) -> None:
    lines = (root / "datasets" / "kb_queries" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    assert not {json.loads(line)["text"] for line in lines} & set(asked_texts())
