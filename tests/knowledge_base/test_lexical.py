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
    again = LexicalIndex.from_arrays(index.arrays(), len(TEXTS))
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


def test_changed_index_scores_like_a_new_one_with_the_old_statistics() -> None:
    """Texts that stay keep their scores to the bit; one that comes back where another stood is found as before."""
    index = LexicalIndex.build(TEXTS)
    kept = np.array([1, -1, 3, 0, 4])
    changed = index.changed(kept, 5, {2: TEXTS[1]})
    for query in QUERIES:
        for before, after in zip(index.scores(query), changed.scores(query), strict=True):
            np.testing.assert_allclose(after[0][[1, 2, 3, 0, 4]], before[0], rtol=1e-6)
            assert before[1] == after[1]


def test_words_that_come_with_a_new_text_are_found() -> None:
    index = LexicalIndex.build(TEXTS).changed(np.arange(5), 6, {5: "无人机登记备案"})
    (bm25, _), (tfidf, _) = index.scores("无人机")
    assert bm25.argmax() == tfidf.argmax() == 5
    again = LexicalIndex.from_arrays(index.arrays(), 6)
    assert again.scores("无人机")[0][0].tolist() == bm25.tolist()


def test_texts_may_all_go() -> None:
    index = LexicalIndex.build(TEXTS).changed(np.full(5, -1), 0, {})
    assert [len(scores) for scores, _ in index.scores("公积金")] == [0, 0]


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


def test_large_base_is_kept_at_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = LexicalIndex.build(TEXTS)
    monkeypatch.setattr("knowledge_base.lexical.EXACT", 2)
    half = LexicalIndex.build(TEXTS)
    assert half.gram_index.weights.nbytes == exact.gram_index.weights.nbytes / 2
    for query in QUERIES:
        for one, other in zip(exact.scores(query), half.scores(query), strict=True):
            np.testing.assert_allclose(other[0], one[0], rtol=2e-3, atol=1e-4)
