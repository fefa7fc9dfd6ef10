"""Terms of a text, and the word lists behind them."""

from __future__ import annotations

from collections import Counter

import pytest

from knowledge_base.words import background_texts, grams, lexicon_id, normalise, stop_words, synonyms, words


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
