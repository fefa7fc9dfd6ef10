"""The small parts of the ranker, each against a slow and obvious version of itself."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import softmax
from zhipai_tests_ranking import city_directory, quick

from intake.errors import ZhipaiError
from intake.unit import Unit, UnitDirectory
from models.candidates import Candidates
from models.duties import Duties
from models.folds import group_ids, grouped_folds
from models.fusion import calibrate, fit_weights
from models.linear import fit_softmax, fit_svm
from models.neighbours import NO_VOTE, Neighbours, Space

rows = st.lists(st.tuples(st.sampled_from(["", "a", "b", "c", "d"]), st.sampled_from("xyz")), min_size=1, max_size=60)


@given(rows, st.integers(2, 6), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_folds_never_cut_a_group_and_take_every_row(table: list[tuple[str, str]], folds: int, seed: int) -> None:
    groups, labels = [row[0] for row in table], [row[1] for row in table]
    found = grouped_folds(groups, labels, folds=folds, seed=seed)
    assert len(found) == len(table) and set(found.tolist()) <= set(range(folds))
    for group in set(groups) - {""}:
        assert len({int(fold) for fold, one in zip(found, groups, strict=True) if one == group}) == 1
    assert (found == grouped_folds(groups, labels, folds=folds, seed=seed)).all()


def test_folds_spread_each_label_and_change_with_the_seed() -> None:
    labels = ["common"] * 80 + ["rare"] * 5
    found = grouped_folds([""] * 85, labels, folds=5, seed=0)
    assert np.bincount(found).tolist() == [17] * 5
    assert sorted(found[80:].tolist()) == [0, 1, 2, 3, 4]
    assert (found != grouped_folds([""] * 85, labels, folds=5, seed=1)).any()


def test_rows_without_a_group_are_a_group_each() -> None:
    assert len(set(group_ids(["", "", "a", "a", ""]).tolist())) == 4


def test_candidates_are_trained_units_and_all_others_in_force() -> None:
    units = [
        Unit("甲区城管局", function="城管局", district="甲区", level="区"),
        Unit("乙区城管局", function="城管局", district="乙区", level="区"),
        Unit("丙区城管局", function="城管局", district="丙区", level="区", effective_to=date(2020, 1, 1)),
        Unit("市教育局", function="教育局"),
        Unit("市体育局", function="体育局"),
    ]
    found = Candidates.choose(["甲区城管局", "市教育局"], UnitDirectory(units))
    assert found.names == ("乙区城管局", "市体育局", "市教育局", "甲区城管局")
    assert found.district_match("甲区").tolist() == [-1, 0, 0, 1]
    assert found.district_match("市级").tolist() == found.district_match("别处").tolist() == [0, 0, 0, 0]


def test_street_match_speaks_of_street_offices_only() -> None:
    units = [
        Unit("市甲区望江街道办事处", function="街道办事处", level="街镇", district="甲区"),
        Unit("市甲区听涛镇人民政府", function="镇人民政府", level="街镇", district="甲区"),
        Unit("市教育局", function="教育局"),
    ]
    found = Candidates.choose([unit.name for unit in units], UnitDirectory(units))
    match = dict(zip(found.names, found.street_match("听涛镇").tolist(), strict=True))
    assert match == {"市甲区望江街道办事处": -1, "市甲区听涛镇人民政府": 1, "市教育局": 0}
    assert not found.street_match("").any()


def test_an_unknown_unit_is_refused_by_name() -> None:
    with pytest.raises(ZhipaiError) as error:
        Candidates.choose(["市教育局", "没有这个局"], city_directory())
    assert error.value.code == "E2101" and "没有这个局" in error.value.message


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_linear_models_give_one_margin_a_class_and_a_fixed_one_for_others(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels = [f"c{i % classes}" for i in range(40)]
    inputs = np.eye(classes, 5, dtype=np.float32)[[i % classes for i in range(40)]] + 0.1 * rng.random(
        (40, 5), np.float32
    )
    for model, data in (
        (fit_svm(sparse.csr_matrix(inputs), labels, c=1.0, seed=0), sparse.csr_matrix(inputs)),
        (fit_softmax(inputs, labels, c=10.0), inputs),
    ):
        weights, bias = model.spread(["nobody", *model.classes, "c0"])
        margins = data @ weights + bias
        assert weights.shape == (5, classes + 2)
        assert (margins[:, 0] == np.float32(model.absent)).all()
        assert (margins[:, 1] == margins[:, -1]).all()
        assert (margins[:, 1:-1].argmax(axis=1) == [int(label[1]) for label in labels]).all()


def test_neighbours_are_those_of_brute_force_and_votes_sum_to_one() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    units = rng.integers(0, 5, 60)
    space = Space.fit(vectors)
    directions = space.direction(vectors)
    found = Neighbours.build(directions, units, count=7, sharpness=20.0)
    similarities, orders = found.find(directions[:10])
    expected = np.sort(directions[:10] @ directions.T, axis=1)[:, ::-1][:, :7]
    np.testing.assert_allclose(similarities, expected, atol=1e-5)
    votes = found.votes(similarities)
    np.testing.assert_allclose(votes.sum(axis=1), 1, atol=1e-6)
    margins = found.margins(votes, orders, 6)
    for row in range(10):
        for unit in range(6):
            share = votes[row][units[orders[row]] == unit].sum()
            assert margins[row, unit] == pytest.approx(np.log(share + NO_VOTE), abs=1e-4)


def test_a_constant_vector_component_does_not_divide_by_zero() -> None:
    vectors = np.ones((5, 3), np.float32)
    space = Space.fit(vectors)
    assert np.isfinite(space.direction(vectors)).all() and np.isfinite(space.standard(vectors)).all()


def test_duty_margin_is_the_nearest_line_of_each_unit() -> None:
    directory = city_directory()
    candidates = Candidates.choose(["市供水集团", "市公交集团", "东湖区教育局"], directory)
    duties = Duties.build(candidates, directory, quick(), None)
    near = duties.near(quick().encode(["供水抢修", "公交卡业务"]))
    margins = duties.margins(near)
    assert candidates.names[int(margins[0].argmax())] == "市供水集团"
    assert candidates.names[int(margins[1].argmax())] == "市公交集团"
    best = [max(near[0][duties.owners == i]) for i in range(len(candidates))]
    np.testing.assert_allclose(margins[0], (best - np.mean(best)) / np.std(best), atol=1e-5)


def _held_out(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Margins of two views, one that speaks and one of noise, with the truth drawn from what the first says."""
    rng = np.random.default_rng(seed)
    speaks = rng.normal(size=(count, 8))
    truth = np.array([rng.choice(8, p=row) for row in softmax(2 * speaks, axis=1)])
    return np.stack([speaks, rng.normal(size=(count, 8)), np.zeros((count, 8))], axis=2).astype(np.float32), truth


def test_fusion_finds_the_temperature_and_leaves_noise_out() -> None:
    weights = fit_weights(*_held_out(4000, seed=0))
    assert weights[0] == pytest.approx(2, abs=0.15)
    assert weights[1] < 0.1 and weights[2] == 0


def test_confidence_becomes_the_share_that_is_right_and_the_order_of_units_stays() -> None:
    """An accepted unit in six is drawn at random, as wrong labels are: what is surest is then too sure."""
    margins, truth = _held_out(8000, seed=4)
    rng = np.random.default_rng(5)
    truth = np.where(rng.random(8000) < 1 / 6, rng.integers(0, 8, 8000), truth)
    found = calibrate(margins[:4000], truth[:4000], names=("a", "b", "c"), coverage=0.9, torn_accuracy=0.4)
    scores = margins[4000:] @ np.array(found.weights, np.float32)
    right = scores.argmax(axis=1) == truth[4000:]

    def gap(probabilities: np.ndarray) -> float:
        first = probabilities.max(axis=1)
        return max(abs(first[part].mean() - right[part].mean()) for part in np.array_split(np.argsort(first), 5))

    probabilities = found.probabilities(margins[4000:])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.argmax(axis=1) == scores.argmax(axis=1)).all()
    assert gap(probabilities) < 0.05 < gap(softmax(scores, axis=1))


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_coverage_sets_cover_new_orders_as_stated(level: float) -> None:
    margins, truth = _held_out(3000, seed=1)
    found = calibrate(margins, truth, names=("speaks", "noise", "silent"), coverage=level, torn_accuracy=0.4)
    margins, truth = _held_out(3000, seed=2)
    probabilities = found.probabilities(margins)
    covered = (probabilities[np.arange(3000), truth] >= found.inclusion).mean()
    assert covered == pytest.approx(level, abs=0.025)


def test_the_torn_threshold_parts_orders_that_are_wrong_more_often_than_right() -> None:
    margins, truth = _held_out(3000, seed=3)
    found = calibrate(margins, truth, names=("a", "b", "c"), coverage=0.9, torn_accuracy=0.4)
    probabilities = found.probabilities(margins)
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    right = probabilities.argmax(axis=1) == truth
    torn = first - second < found.torn
    assert 0 < torn.mean() < 0.5
    assert right[torn].mean() < 0.45 < right[~torn].mean()
