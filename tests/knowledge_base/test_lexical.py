"""The precomputed scores against slow and obvious ones."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from knowledge_base.lexical import K1, K3, MAX_TERMS, B, LexicalIndex
from knowledge_base.words import grams, words

TEXTS = ["公积金提取需要购房合同", "公积金贷款额度怎么算公积金", "居民医保九月缴费", "小区停水两天了", ""]
QUERIES = ["公积金能提取多少", "医保缴费医保缴费", "停水", "完全无关的外星人", ""]


def slow_bm25(query: str) -> list[float]:
    documents = [Counter(words(text)) for text in TEXTS]
    mean = sum(document.total() for document in documents) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for term, asked in Counter(words(query)).items():
            found = sum(term in other for other in documents)
            if found:
                idf = math.log(1 + (len(documents) - found + 0.5) / (found + 0.5))
                tf = document[term]
                tf_weight = tf * (K1 + 1) / (tf + K1 * (1 - B + B * document.total() / mean))
                score += idf * tf_weight * asked * (K3 + 1) / (asked + K3)
        scores.append(score)
    return scores


def slow_tfidf(query: str) -> list[float]:
    documents = [Counter(grams(text)) for text in TEXTS]
    known = set().union(*documents)

    def vector(counter: Counter) -> dict[str, float]:
        found = {term: sum(term in other for other in documents) for term in counter if term in known}
        idf = {term: math.log((1 + len(documents)) / (1 + n)) + 1 for term, n in found.items()}
        return {term: (1 + math.log(counter[term])) * idf[term] for term in idf}

    asked = vector(Counter(grams(query)))
    scores = []
    for document in map(vector, documents):
        norm = math.sqrt(sum(value**2 for value in document.values())) or 1
        scores.append(sum(value * document.get(term, 0) / norm for term, value in asked.items()))
    return scores


@pytest.mark.parametrize("query", QUERIES)
def test_scores_agree_with_the_slow_way(query: str) -> None:
    (bm25, _), (tfidf, _) = LexicalIndex.build(TEXTS).scores(query)
    np.testing.assert_allclose(bm25, slow_bm25(query), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(tfidf, slow_tfidf(query), rtol=1e-4, atol=1e-6)


def test_arrays_give_the_index_back() -> None:
    index = LexicalIndex.build(TEXTS)
    again = LexicalIndex.from_arrays(index.arrays())
    for query in QUERIES:
        for before, after in zip(index.scores(query), again.scores(query), strict=True):
            np.testing.assert_array_equal(before[0], after[0])
            assert before[1] == after[1]


def test_index_of_nothing_answers() -> None:
    (bm25, known), (tfidf, _) = LexicalIndex.build([]).scores("公积金")
    assert len(bm25) == len(tfidf) == known == 0


@pytest.mark.parametrize(
    ("query", "least", "most"), [("停水", 1, 1), ("停水外星人", 0.1, 0.9), ("外星", 0, 0), ("", 0, 0)]
)
def test_share_of_the_query_that_is_known(query: str, least: float, most: float) -> None:
    for _, share in LexicalIndex.build(TEXTS).scores(query):
        assert least <= share <= most


def test_long_query_is_decided_by_its_rare_terms() -> None:
    """Thousands of terms that all texts share do not push out the few that one text has."""
    common = "，".join(chr(0x4E00 + i) for i in range(4 * MAX_TERMS))
    index = LexicalIndex.build([common] * 20 + ["龘龗"])
    _, (tfidf, _) = index.scores(common + "，龘龗")
    assert tfidf[20] > 0


def same(one: LexicalIndex, other: LexicalIndex) -> None:
    """To the bit."""
    for query in QUERIES:
        for mine, theirs in zip(one.scores(query), other.scores(query), strict=True):
            np.testing.assert_array_equal(mine[0], theirs[0])
            assert mine[1] == theirs[1]


@pytest.mark.parametrize("seed", range(4))
def test_changed_index_is_the_one_built_from_nothing(seed: int) -> None:
    """A few texts of a hundred go and come, forty times over, through every grade of size and rarity on the way."""
    rng = np.random.default_rng(seed)
    parts = [*TEXTS[:4], "凭购房合同到窗口提取", "缴费期", "便民中心", "养狗登记", "停水抢修热线", "老年人优待证"]
    texts = ["".join(rng.choice(parts, 3)) for _ in range(100)]
    index = LexicalIndex.build(texts)
    for step in range(40):
        stay = rng.random(len(texts)) > rng.choice([0.02, 0.2])
        came = ["".join(rng.choice(parts, 4)) + chr(0x5000 + step) for _ in range(rng.integers(0, 9))]
        after = [text for text, stays in zip(texts, stay, strict=True) if stays] + came
        order = rng.permutation(len(after))  # New position of each, as ids would have it.
        kept = np.full(len(texts), -1)
        kept[stay] = order[: int(stay.sum())]
        added = {int(order[int(stay.sum()) + i]): text for i, text in enumerate(came)}
        gone = [text for text, stays in zip(texts, stay, strict=True) if not stays]
        texts = [text for _, text in sorted(zip(order.tolist(), after, strict=True))]
        index = index.changed(kept, len(texts), added, gone)
        fresh = LexicalIndex.build(texts)
        same(index, fresh)
        if step % 7 == 6:
            index = index.compact()
            assert index.later == 0
            same(index, fresh)
            same(LexicalIndex.from_arrays(index.arrays()), fresh)


def test_words_that_come_with_a_new_text_are_found() -> None:
    index = LexicalIndex.build(TEXTS).changed(np.arange(5), 6, {5: "无人机登记备案"}, [])
    (bm25, _), (tfidf, _) = index.scores("无人机")
    assert bm25.argmax() == tfidf.argmax() == 5


def test_texts_may_all_go() -> None:
    index = LexicalIndex.build(TEXTS).changed(np.full(5, -1), 0, {}, TEXTS)
    for one in (index, index.compact()):
        assert [len(scores) for scores, _ in one.scores("公积金")] == [0, 0]


def test_query_in_the_citizens_words_reaches_the_entrys() -> None:
    texts = ["用人单位拖欠工资的投诉登记", "住房公积金提取", "居民医保缴费"]
    (bm25, _), (tfidf, _) = LexicalIndex.build(texts).scores("老板三个月没开支了")
    assert bm25.argmax() == tfidf.argmax() == 0


def test_heaviest_terms_are_read_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a base too large to read in full, what all texts hold is left out and what few hold is not."""
    monkeypatch.setattr("knowledge_base.lexical.MAX_POSTINGS", 5)
    index = LexicalIndex.build(["公积金"] * 40 + ["龘公积金"])
    _, (tfidf, _) = index.scores("公积金龘")
    assert tfidf.argmax() == 40
