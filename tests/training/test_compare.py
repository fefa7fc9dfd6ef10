from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from zhipai_tests_ranking import AS_OF, City, city_directory, fit, quick

from intake.errors import ZhipaiError
from intake.unit import UnitDirectory
from models.ranker import UnitRanker
from models.ranking import RankedUnit, Ranking
from training.compare import answer, compare, unseen
from training.dataset import Counts, TrainingSet
from training.frozen import FrozenTest, KeyedAnswers, latest, row_keys
from training.metrics import Answers
from training.promotion import Bounds, Side, review


def answers(first: str, truth: str, *, p: float = 0.9) -> KeyedAnswers:
    """One letter a unit; keys are the places."""
    rankings = [Ranking((RankedUnit(unit, p, ()),), False, "", (unit,)) for unit in first]
    found = Answers.of(rankings, list(truth), [""] * len(truth))
    return KeyedAnswers(tuple(map(str, range(len(truth)))), found, "frozen-x")


def dataset(history: City, **changes: object) -> TrainingSet:
    count = len(history.texts)
    columns = {
        "texts": tuple(history.texts),
        "units": tuple(history.units),
        "groups": tuple(group or f"own-{i}" for i, group in enumerate(history.groups)),
        "order_ids": tuple(history.order_ids),
        "districts": tuple(history.districts),
        "streets": ("",) * count,
        "received_at": (None,) * count,
        "directory": history.directory,
        "counts": Counts(read=count, kept=count),
        "vectors": quick().encode(history.texts),
    }
    return TrainingSet(**(columns | changes))  # type: ignore[arg-type]


def test_a_clear_difference_is_told_with_its_interval_and_an_equal_pair_has_none() -> None:
    truth = "ab" * 100
    found = compare(answers("ab" * 100, truth), answers("aa" * 100, truth))
    by_name = {one.measure: one for one in found.differences}
    top1 = by_name["top1"]
    assert (top1.a, top1.b, top1.difference) == (1.0, 0.5, -0.5)
    assert top1.low < -0.5 < top1.high < 0 and top1.worse and not top1.better
    assert by_name["ece"].worse, "for the calibration error more is worse"
    assert (found.n, found.disagreements, found.a_right, found.b_right) == (200, 100, 100, 0)
    assert found.pairs == [{"a": "b", "b": "a", "orders": 100}]
    same = compare(answers("ab" * 100, truth), answers("ab" * 100, truth))
    assert not any(one.worse or one.better for one in same.differences) and same.disagreements == 0


def test_only_common_orders_are_compared_and_none_is_refused() -> None:
    left = answers("ab" * 10, "ab" * 10)
    right = replace(left, keys=tuple(str(int(key) + 15) for key in left.keys))
    assert compare(left, right).n == 5
    with pytest.raises(ZhipaiError) as error:
        compare(left, replace(left, keys=tuple(f"x{key}" for key in left.keys)))
    assert error.value.code == "E5106"


def test_answers_are_kept_without_pickle_and_read_back(tmp_path: Path) -> None:
    kept = answers("ab" * 10, "aa" * 10)
    kept.save(tmp_path / "answers.npz")
    found = KeyedAnswers.load(tmp_path / "answers.npz")
    assert found.keys == kept.keys and found.test == "frozen-x" and found.answers.units == kept.answers.units
    assert compare(kept, found).disagreements == 0
    (tmp_path / "answers.npz").write_bytes(b"not arrays")
    with pytest.raises(ZhipaiError) as error:
        KeyedAnswers.load(tmp_path / "answers.npz")
    assert error.value.code == "E5105"


def test_a_frozen_test_holds_out_later_orders_of_its_groups_and_texts(history: City, tmp_path: Path) -> None:
    data = dataset(history)
    grouped = next(i for i, group in enumerate(history.groups) if group)
    frozen = FrozenTest.of(data, [0, grouped], source="云汀")
    frozen.save(tmp_path, at=AS_OF)
    more = dataset(
        history,
        **{
            name: (*getattr(data, name), *extra)
            for name, extra in {
                "texts": (history.texts[0], "全新的事"),
                "units": (history.units[0],) * 2,
                "groups": ("new-1", data.groups[grouped]),
                "order_ids": ("N1", "N2"),
                "districts": ("", ""),
                "streets": ("", ""),
                "received_at": (None, None),
            }.items()
        },
        vectors=None,
    )
    found = latest(tmp_path, more, source="云汀")
    assert found is not None and found.id == frozen.id
    held = set(found.held(more))
    assert {0, grouped, len(more) - 2, len(more) - 1} <= held
    assert latest(tmp_path, more, source="别的市") is None
    assert latest(tmp_path, more.take(range(5, 60)), source="云汀") is None, "its orders are gone"


def test_equal_orders_have_keys_of_their_own(history: City) -> None:
    data = dataset(history).take([3, 3, 4])
    assert len(set(row_keys(data))) == 3


def test_orders_that_a_model_was_trained_on_are_left_out_of_a_comparison(history: City, ranker: UnitRanker) -> None:
    data = dataset(history)
    with pytest.raises(ZhipaiError) as error:
        unseen(data, ranker)
    assert error.value.code == "E5106"
    new = replace(data.take([0, 1]), texts=("从来没有见过的话", history.texts[1]))
    assert unseen(new, ranker).texts == ("从来没有见过的话",)


@pytest.fixture(scope="module")
def side(history: City, ranker: UnitRanker) -> Side:
    return Side("1", ranker, answer(ranker, dataset(history), as_of=AS_OF))


def checks(candidate: Side, champion: Side | None, as_of: datetime = AS_OF, bounds: Bounds | None = None) -> dict:
    found = review(candidate, champion, encoder=quick(), as_of=as_of, bounds=bounds)
    return {check.name: check for check in found.checks} | {"failing": found.failing}


def living(ranker: UnitRanker) -> UnitRanker:
    """The same ranker with a directory in which nobody has ended without a successor."""
    units = [replace(unit, effective_to=None) if unit.name == "市热线专席" else unit for unit in city_directory().units]
    return UnitRanker(
        ranker.scorer, UnitDirectory(units), ranker.history, encoder_id=ranker.encoder_id, facts=ranker.facts
    )


def test_a_unit_that_ended_without_a_successor_stands_in_the_way(side: Side) -> None:
    found = checks(side, None)
    assert found["units"].passed is False and "市热线专席" in found["units"].says
    assert "市工商局" not in found["units"].says, "it has a successor"
    assert found["frozen_test"].passed is None


def test_a_worse_candidate_is_refused_with_the_failing_line(side: Side, ranker: UnitRanker) -> None:
    assert side.answers is not None
    good = replace(side, ranker=living(ranker))
    whole = side.answers.answers
    worse = replace(whole, place=np.where(np.arange(len(whole)) % 2, 7, whole.place))
    bad = replace(good, version="2", answers=replace(side.answers, answers=worse))
    wide = Bounds(slower=1e9, ece=1)
    assert checks(good, good, bounds=wide)["failing"] == ()
    found = checks(bad, good, bounds=wide)
    assert found["top1"].passed is False and "差于现行版本" in found["top1"].says
    assert found["top1"].says in found["failing"]
    assert checks(good, bad, bounds=wide)["top1"].passed is True


def test_latency_and_calibration_have_bounds(side: Side, ranker: UnitRanker) -> None:
    good = replace(side, ranker=living(ranker))
    assert checks(good, good, bounds=Bounds(slower=0))["latency"].passed is False
    assert checks(good, good, bounds=Bounds(slower=1e9))["latency"].passed is True
    sure = answers("ab" * 100, "aa" * 100, p=0.99)
    found = checks(replace(good, answers=sure), None)
    assert found["calibration"].passed is False and "0.05" in found["calibration"].says


def test_a_version_without_answers_or_files_is_refused(side: Side, ranker: UnitRanker) -> None:
    good = replace(side, ranker=living(ranker))
    assert checks(replace(good, answers=None), good)["frozen_test"].passed is False
    assert checks(replace(good, ranker=None, error="文件缺失"), good)["failing"] == ("模型打不开：文件缺失",)
    dead = replace(good, ranker=None, error="格式 1")
    assert checks(good, dead)["frozen_test"].passed is None, "a champion that cannot serve holds nobody up"


def test_a_model_made_of_duties_may_be_the_first_and_replaces_none_unforced(side: Side, ranker: UnitRanker) -> None:
    cold = living(ranker)
    cold.facts = {**cold.facts, "cold_start": True}
    candidate = replace(side, ranker=cold, answers=None)
    assert checks(candidate, None)["failing"] == ()
    assert "冷启动" in checks(candidate, replace(side, ranker=living(ranker)))["frozen_test"].says


def test_the_same_model_trained_twice_compares_as_equal(history: City) -> None:
    data = dataset(history)
    one, two = (answer(fit(history), data, as_of=AS_OF) for _ in range(2))
    assert compare(one, two).disagreements == 0
