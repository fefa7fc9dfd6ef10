from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from models.ranking import RankedUnit, Ranking
from training.metrics import Answers, bootstrap, coverage_at, ece, ece_of_chance, macro_f1, top, worst_units
from training.split import grouped_split


def ranking(*units: str, p: float = 0.5, covers: tuple[str, ...] = (), abstained: bool = False) -> Ranking:
    return Ranking(tuple(RankedUnit(unit, p, ()) for unit in units), abstained, "", covers)


def answers(first: str, truth: str, confidence: list[float] | None = None) -> Answers:
    """One letter a unit; only the first place is given."""
    levels = confidence or [0.5] * len(truth)
    return Answers.of(
        [ranking(unit, p=p) for unit, p in zip(first, levels, strict=True)], list(truth), [""] * len(truth)
    )


def test_top_k_counts_the_place_of_the_accepted_unit() -> None:
    found = Answers.of(
        [ranking("a", "b", "c"), ranking("b", "a", "c"), ranking("b", "c")], ["a", "a", "a"], ["", "", ""]
    )
    assert [top(k)(found) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 2 / 3])


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_macro_f1_is_the_one_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    first, truth = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    expected = f1_score(truth, first, average="macro", zero_division=0)
    assert macro_f1(answers("".join(first), "".join(truth))) == pytest.approx(expected)


def test_calibration_error_weighs_each_bin_by_its_orders() -> None:
    """Two bins: three orders at 0.9 of which two are right, one at 0.1 that is wrong."""
    found = answers("aaaa", "aabb", [0.9, 0.9, 0.9, 0.1])
    assert ece(found) == pytest.approx((3 * abs(0.9 - 2 / 3) + 0.1) / 4)
    assert ece(answers("ab", "ab", [1.0, 1.0])) == 0


def test_coverage_at_an_accuracy_takes_the_surest_first() -> None:
    found = answers("aaaaa", "aaabb", [0.9, 0.8, 0.7, 0.6, 0.5])
    assert coverage_at(found, 0.95) == pytest.approx(3 / 5)
    assert coverage_at(found, 0.75) == pytest.approx(4 / 5)
    assert coverage_at(answers("a", "b"), 0.95) == 0


def test_worst_units_have_five_orders_at_least() -> None:
    found = worst_units(answers("a" * 5 + "a" * 5 + "c" * 4, "a" * 5 + "b" * 5 + "d" * 4))
    assert [(row["unit"], row["n"], row["recall"]) for row in found] == [("b", 5, 0.0), ("a", 5, 1.0)]


def test_coverage_set_and_abstention_are_counted() -> None:
    found = Answers.of(
        [ranking("a", covers=("a", "b")), ranking("a", covers=("a",), abstained=True)], ["b", "b"], ["", ""]
    )
    assert found.covered.tolist() == [True, False] and found.set_size.tolist() == [2, 1]
    assert found.abstained.tolist() == [False, True]


def test_intervals_hold_the_figure_and_narrow_with_more_orders() -> None:
    rng = np.random.default_rng(0)

    def width(count: int) -> float:
        truth = "".join(rng.choice(list("ab"), count))
        found = answers("a" * count, truth)
        low, high = bootstrap(found, {"top1": top(1)}, rounds=300, seed=0)["top1"]
        assert low <= top(1)(found) <= high
        return high - low

    assert width(1000) < width(50)


def test_intervals_draw_whole_groups() -> None:
    """One group of 50 that is all right and 50 single orders that are all wrong: the group counts as one draw."""
    rankings = [ranking("a")] * 100
    truth = ["a"] * 50 + ["b"] * 50
    grouped = Answers.of(rankings, truth, ["g"] * 50 + [""] * 50)
    single = Answers.of(rankings, truth, [""] * 100)
    spans = []
    for found in (grouped, single):
        low, high = bootstrap(found, {"top1": top(1)}, rounds=300, seed=0)["top1"]
        spans.append(high - low)
    assert spans[0] > 2 * spans[1]


@given(
    st.lists(st.tuples(st.sampled_from(["", "g1", "g2", "g3", "g4"]), st.sampled_from("ab")), min_size=6, max_size=80),
    st.sampled_from([0.1, 0.2, 0.25, 0.5]),
)
@settings(max_examples=60, deadline=None)
def test_a_split_never_cuts_a_group(table: list[tuple[str, str]], holdout: float) -> None:
    groups, units = [row[0] for row in table], [row[1] for row in table]
    train, test = grouped_split(groups, units, holdout=holdout, seed=3)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(table)))
    assert {groups[i] for i in train} & {groups[i] for i in test} <= {""}


def test_a_split_holds_out_about_its_share_of_each_unit() -> None:
    units = ["a"] * 100 + ["b"] * 20
    _, test = grouped_split([""] * 120, units, holdout=0.2, seed=0)
    assert [sum(units[i] == unit for i in test) for unit in "ab"] == [20, 4]


def test_chance_alone_makes_a_calibration_error_that_shrinks_with_the_number_of_answers() -> None:
    few, many = (ece_of_chance(np.random.default_rng(1).random(n)) for n in (200, 20_000))
    # A bin of n/15 answers is off by about sqrt(2/pi * p(1-p) * 15/n), p(1-p) being 1/6 on average over p.
    assert few == pytest.approx(np.sqrt(2 / np.pi * 15 / 200 / 6), rel=0.1)
    assert many == pytest.approx(few / 10, rel=0.15)
    assert ece_of_chance(np.ones(50)) == 0
