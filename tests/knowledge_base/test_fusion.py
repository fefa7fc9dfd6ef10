"""From scores to a probability."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge_base.fusion import ALSO_RAN_RANGE, MAX_DEVIATIONS, also_ran, probability, signs, standardise


def _probability(fused: np.ndarray, others: float = 2.5, *, distinct: float = 0.0) -> np.ndarray:
    same = np.full(len(fused), distinct)
    return probability(signs(fused, others, distinct=same, tfidf=np.full(len(fused), 3.0), share=0.8))


def test_probability_rises_with_the_score_and_stays_between_0_and_1() -> None:
    scores = _probability(np.linspace(-50, 50, 1001))
    assert (np.diff(scores) >= 0).all()
    assert scores[0] >= 0
    assert scores[-1] <= 1


def test_probability_falls_when_others_come_as_near() -> None:
    scores = [_probability(np.array([6.0]), others)[0] for others in (2.0, 3.0, 5.0)]
    assert scores == sorted(scores, reverse=True)


def test_probability_rises_when_query_and_entry_are_nearest_to_one_another() -> None:
    scores = [_probability(np.array([6.0]), distinct=distinct)[0] for distinct in (-0.3, 0.0, 0.3)]
    assert scores == sorted(scores) and scores[0] < scores[-1]


def test_rare_word_does_not_outvote_everything() -> None:
    scores = np.zeros(50_000)
    scores[7] = 1
    assert standardise(scores, 1.0, np.ones(50_000, bool)).max() == MAX_DEVIATIONS


def test_words_that_no_text_knows_count_against_the_rest() -> None:
    scores, counted = np.arange(10.0), np.ones(10, bool)
    assert standardise(scores, 0.5, counted).tolist() == (standardise(scores, 1.0, counted) / 2).tolist()


def test_scores_that_are_all_equal_say_nothing() -> None:
    assert standardise(np.zeros(5), 1.0, np.ones(5, bool)).tolist() == [0] * 5


def test_only_what_is_counted_sets_the_scale() -> None:
    counted = np.array([True, True, True, False])
    assert standardise(np.array([0.0, 1.0, 2.0, 100.0]), 1.0, counted)[:3] == pytest.approx(
        [-1.2247, 0, 1.2247], abs=1e-4
    )


@pytest.mark.parametrize(("n", "expected"), [(8, 2.0), (6, ALSO_RAN_RANGE[0]), (19, 6.5), (100, ALSO_RAN_RANGE[1])])
def test_also_rans_stand_behind_the_first_five(n: int, expected: float) -> None:
    fused = np.random.default_rng(0).permutation(np.arange(n, dtype=float))
    assert also_ran(fused) == pytest.approx(min(expected, ALSO_RAN_RANGE[1]))
