"""Measures, and queries that cannot be measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeEntry
from knowledge_base.evaluate import Query, evaluate, measures, read_queries

QUERIES = [
    Query("q1", "用公积金能贷多少钱", ("a2",)),
    Query("q2", "居民医保啥时候交钱", ("a3",)),
    Query("q3", "老年人优待证换发", ("b1", "b2")),
]


def test_each_way_of_searching_is_measured(entries: tuple[KnowledgeEntry, ...], encoder: object) -> None:
    result = evaluate(entries, QUERIES, encoder)
    assert (result["n"], result["entries"]) == (3, len(entries))
    for method in ("bm25", "dense", "fused"):
        for measure in ("recall_at_1", "recall_at_5", "mrr_at_10"):
            cell = result[method][measure]
            assert 0 <= cell["low"] <= cell["value"] <= cell["high"] <= 1
    assert result["fused"]["recall_at_1"]["value"] == 1


def test_result_is_the_same_every_time(entries: tuple[KnowledgeEntry, ...], encoder: object) -> None:
    assert evaluate(entries, QUERIES, encoder) == evaluate(reversed(entries), QUERIES, encoder)


def test_measures_of_known_ranks() -> None:
    result = measures(np.array([0, 1, 4, 5, np.inf]))
    assert result["recall_at_1"]["value"] == 0.2
    assert result["recall_at_5"]["value"] == 0.6
    assert result["mrr_at_10"]["value"] == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 6) / 5, abs=1e-4)


def test_interval_has_the_width_of_a_share() -> None:
    cell = measures(np.array([0.0] * 200 + [np.inf] * 200))["recall_at_1"]
    assert cell["high"] - cell["low"] == pytest.approx(2 * 1.96 * 0.025, rel=0.1)


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


def test_queries_are_read(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('\ufeff{"id": 1, "text": "公积金", "relevant": ["a1", "a2"]}\n\n', encoding="utf-8")
    assert read_queries(path) == [Query("1", "公积金", ("a1", "a2"))]


@pytest.mark.parametrize("line", ["{", "[]", '{"id": 1, "text": "x"}', '{"id": 1, "text": "x", "relevant": "a1"}'])
def test_broken_queries_are_refused_with_their_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f'{{"id": 1, "text": "x", "relevant": ["a1"]}}\n{line}\n', encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        read_queries(path)
    assert caught.value.code == "E4033"
    assert "第 2 行" in str(caught.value)


def test_missing_queries_are_named(tmp_path: Path) -> None:
    with pytest.raises(ZhipaiError) as caught:
        read_queries(tmp_path / "none.jsonl")
    assert caught.value.code == "E4033"
