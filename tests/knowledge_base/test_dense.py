"""The vector index against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge_base.dense import SAMPLE, DenseIndex, Frame
from knowledge_base.vectors import FaissBackend


def unit(n: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(0.3, 1, (n, 16)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def dense_of(vectors: np.ndarray, background: np.ndarray) -> DenseIndex:
    return DenseIndex(FaissBackend().hold([], vectors), Frame.plain(background))


def test_scores_are_deviations_from_the_mean_of_what_may_be_found() -> None:
    vectors, background, query = unit(40, 1), unit(30, 2), unit(1, 3)[0]
    allowed = np.arange(40) % 3 > 0
    measure = np.concatenate([vectors[allowed], background]) @ query
    index = dense_of(vectors, background)
    found, others = index.scores(query, index.vectors(np.arange(40)), allowed=allowed)
    np.testing.assert_allclose(found, (vectors @ query - measure.mean()) / measure.std(), atol=1e-4)
    np.testing.assert_allclose(others, (background @ query - measure.mean()) / measure.std(), atol=1e-4)


@pytest.mark.parametrize("n", [0, 1, 2, SAMPLE - 1, SAMPLE, SAMPLE + 1, 5 * SAMPLE])
def test_base_of_any_size_is_measured(n: int) -> None:
    index = dense_of(unit(n, 1), unit(30, 2))
    found, _ = index.scores(unit(1, 3)[0], index.vectors(np.arange(min(n, 3))), allowed=np.ones(n, bool))
    assert len(index) == n
    assert np.isfinite(found).all()


def test_nearest_are_the_nearest_of_those_allowed() -> None:
    vectors, query = unit(100, 4), unit(1, 5)[0]
    allowed = np.random.default_rng(6).random(100) < 0.3
    found = dense_of(vectors, unit(5, 7)).nearest(query, allowed=allowed, top=10)
    expected = sorted(np.flatnonzero(allowed), key=lambda i: -float(vectors[i] @ query))[:10]
    assert found.tolist() == expected


def test_fewer_than_asked_are_no_error() -> None:
    allowed = np.array([False, True, False])
    assert dense_of(unit(3, 8), unit(5, 9)).nearest(unit(1, 1)[0], allowed=allowed, top=10).tolist() == [1]


def test_identical_vectors_do_not_divide_by_nothing() -> None:
    same = np.repeat(unit(1, 1), 4, axis=0)
    found, _ = dense_of(same, same).scores(same[0], same, allowed=np.ones(4, bool))
    assert np.isfinite(found).all()


def test_an_entry_that_every_question_is_near_to_is_less_distinct() -> None:
    entries, askers = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)[[2] * 5]
    frame = Frame(np.zeros(4, np.float32), np.zeros(4, np.float32), np.zeros(4, np.float32), askers, entries[:0])
    index = DenseIndex(FaissBackend().hold([], entries), frame)
    between = (entries[1] + entries[2]) / np.sqrt(2)
    found = index.distinct(between, entries, np.array([1, 2]))
    # As near as the other, but so is it to the five ordinary questions: by the whole of their nearness, 1.
    assert found[0] - found[1] == pytest.approx(1)
