"""Measures, and queries that cannot be measured."""

from __future__ import annotations

import numpy as np
import pytest

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeEntry
from knowledge_base.evaluate import Query, evaluate, measures, separation

QUERIES = [
    Query("q1", "用公积金能贷多少钱", ("a2",)),
    Query("q2", "居民医保啥时候交钱", ("a3",)),
    Query("q3", "老年人优待证换发", ("b1", "b2")),
]


def test_each_way_of_searching_is_measured(entries: tuple[KnowledgeEntry, ...], encoder: object) -> None:
    steps: list[str] = []
    result = evaluate(entries, QUERIES, encoder, progress=lambda step, done, total: steps.append(step))
    assert (result["n"], result["entries"]) == (3, len(entries))
    for method in ("bm25", "dense", "fused"):
        for measure in ("recall_at_1", "recall_at_5", "mrr_at_10"):
            low, high = result[method]["intervals"][measure]
            assert 0 <= low <= result[method][measure] <= high <= 1
    assert result["fused"]["recall_at_1"] == 1
    assert {"编码知识条目", "编码问题", "检索"} <= set(steps)


def test_answers_that_are_taken_out_score_lower(entries: tuple[KnowledgeEntry, ...], encoder: object) -> None:
    absent = evaluate(entries, QUERIES, encoder)["no_answer"]
    low, high = absent["interval"]
    assert 0.5 < absent["auroc"] <= 1
    assert low <= absent["auroc"] <= high
    assert absent["answered"] >= absent["answered_without"]


def test_separation_counts_ties_as_half() -> None:
    assert separation(np.array([0.5, 0.5]), np.array([0.5, 0.1]))["auroc"] == 0.75
    assert separation(np.zeros(3), np.zeros(3))["auroc"] == 0.5


def test_separation_of_many_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    found, missing = rng.random(2500) + 0.2, rng.random(2500)
    result = separation(found, missing)
    assert result["auroc"] == pytest.approx(float((found[:, None] > missing).mean()), abs=1e-4)
    assert result["interval"][0] < result["auroc"] < result["interval"][1]


def test_result_is_the_same_every_time(entries: tuple[KnowledgeEntry, ...], encoder: object) -> None:
    assert evaluate(entries, QUERIES, encoder) == evaluate(reversed(entries), QUERIES, encoder)


def test_measures_of_known_ranks() -> None:
    result = measures(np.array([0, 1, 4, 5, np.inf]))
    assert result["recall_at_1"] == 0.2
    assert result["recall_at_5"] == 0.6
    assert result["mrr_at_10"] == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 6) / 5, abs=1e-4)


def test_interval_has_the_width_of_a_share() -> None:
    low, high = measures(np.array([0.0] * 200 + [np.inf] * 200))["intervals"]["recall_at_1"]
    assert high - low == pytest.approx(2 * 1.96 * 0.025, rel=0.1)


@pytest.mark.parametrize(
    ("queries", "code", "word"),
    [
        ([], "E4031", "一条也没有"),
        ([Query("q9", "公积金", ("none",))], "E4032", "none"),
        ([Query("q9", "公积金", ())], "E4032", "q9"),
    ],
)
def test_query_that_cannot_be_measured_is_refused(
    entries: tuple[KnowledgeEntry, ...], encoder: object, queries: list[Query], code: str, word: str
) -> None:
    with pytest.raises(ZhipaiError) as caught:
        evaluate(entries, queries, encoder)
    assert caught.value.code == code
    assert word in str(caught.value)
