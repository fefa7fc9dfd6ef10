"""Repeats are told from strangers; who may be merged with whom is a rule and not a number."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from intake.errors import ZhipaiError
from intake.gazetteer import Place
from models.duplicates import FEATURES, PairModel, Side, kind_of, nearest_couples, pair_features

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TEXT = "锦绣家园从早上八点开始停水，什么时候能来水"


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def side(order_id: str, text: str = TEXT, **others: object) -> Side:
    return Side(order_id, text, **({"direction": unit(1, 0)} | others))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> PairModel:
    return PairModel.from_file()


def test_a_repeat_is_likelier_than_another_matter_in_the_same_place(model: PairModel) -> None:
    place = Place(mention="锦绣家园")
    first = side("1", place=place, received_at=NOON)
    repeat = side("2", TEXT + "，已经打过电话", direction=unit(1, 0.2), place=place, received_at=NOON)
    other = side("3", "锦绣家园门口烧烤摊油烟大", direction=unit(0.2, 1), place=place, received_at=NOON)
    assert model.probability(first, repeat) > 0.9
    assert model.probability(first, other) < 0.1
    assert model.probability(first, repeat) == model.probability(repeat, first)


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_pulls_the_way_it_should(model: PairModel, feature: str) -> None:
    weight = model.weights[FEATURES.index(feature)]
    assert weight < 0 if feature == "days" else weight > 0


def test_distance_in_time_is_the_same_either_way_and_ends_at_a_month() -> None:
    here = side("1", received_at=NOON)
    days = [
        pair_features(here, side("2", received_at=NOON + timedelta(days=n)))[FEATURES.index("days")]
        for n in (0, 1, -1, 30, 300)
    ]
    assert days[0] == 0
    assert 0 < days[1] == days[2] < days[3] == days[4] == 1


def test_what_is_not_known_counts_as_nothing() -> None:
    assert pair_features(side("1", "😀"), side("2", "！"))[1:] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ({"callers": frozenset("a")}, {"callers": frozenset("a"), "text": "换了一种说法"}, "duplicate"),
        ({"callers": frozenset("a")}, {"callers": frozenset("b")}, "same_matter"),
        ({"callers": frozenset("a"), "related": frozenset({"2"})}, {"callers": frozenset("b")}, "same_matter"),
        ({}, {"related": frozenset({"1"}), "text": "换了一种说法"}, "duplicate"),
        ({}, {}, "duplicate"),
        ({}, {"text": TEXT + "，请尽快"}, "same_matter"),
        ({"callers": frozenset("a")}, {"text": TEXT + "，请尽快"}, "same_matter"),
    ],
)
def test_different_callers_are_linked_and_never_merged(one: dict, other: dict, kind: str) -> None:
    sides = side("1", **one), side("2", **other)
    assert kind_of(*sides)[0] == kind == kind_of(*reversed(sides))[0]


def test_each_couple_comes_once_and_nobody_with_himself() -> None:
    couples = nearest_couples(np.stack([unit(1, 0), unit(1, 0.1), unit(0, 1), unit(0.1, 1)]), nearest=1)
    assert couples.tolist() == [[0, 1], [2, 3]]


def test_equal_vectors_are_no_reason_to_meet_oneself() -> None:
    couples = nearest_couples(np.stack([unit(1, 0)] * 5), nearest=4)
    assert all(one < other for one, other in couples.tolist())


def test_a_model_comes_back_as_it_was_saved(model: PairModel, tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    path.write_text(model.to_json(), encoding="utf-8")
    assert PairModel.from_file(path) == model
    assert replace(model, bias=0.0) != model


@pytest.mark.parametrize("damage", ["{", "[]", '{"weights": {}}', "weight"])
def test_a_damaged_file_is_refused(model: PairModel, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "pairs.json"
    if damage == "weight":
        row = json.loads(model.to_json())
        row["weights"]["cosine"] = float("nan")
        damage = json.dumps(row)
    path.write_text(damage, encoding="utf-8")
    with pytest.raises(ZhipaiError, match="E2301"):
        PairModel.from_file(path)
