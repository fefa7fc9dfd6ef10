"""A unit without history gets the fifth place where it comes near, and nothing else moves."""

from __future__ import annotations

import numpy as np

from models.newcomer import PLACE, SHARE, with_newcomer

CHANCES = np.array([0.4, 0.2, 0.1, 0.08, 0.05, 0.04, 0.03, 0.026, 0.01])
ORDER = np.arange(len(CHANCES))


def moved(*unseen: int, chances: np.ndarray = CHANCES) -> list[int]:
    return with_newcomer(ORDER, chances, np.isin(ORDER, unseen)).tolist()


def test_it_takes_the_fifth_place_and_the_others_keep_their_order() -> None:
    assert PLACE == 4 and CHANCES[7] > SHARE * CHANCES[PLACE] > CHANCES[8]
    assert moved(7) == [0, 1, 2, 3, 7, 4, 5, 6, 8]
    assert moved(5, 6) == [0, 1, 2, 3, 5, 4, 6, 7, 8], "the likeliest of them"


def test_too_far_behind_it_stays_where_it_is() -> None:
    assert moved(8) == ORDER.tolist()


def test_one_that_stands_among_the_first_is_enough() -> None:
    assert moved(2, 5) == moved(4, 5) == ORDER.tolist()


def test_without_such_a_unit_nothing_moves() -> None:
    assert moved() == ORDER.tolist()
    few = np.array([2, 0, 1])
    assert with_newcomer(few, np.array([0.3, 0.2, 0.5]), np.array([True, True, False])).tolist() == [2, 0, 1]
