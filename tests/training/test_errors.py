"""Each wrong answer stands under one cause, and under the first that the data show."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from intake.unit import Unit, UnitDirectory
from training.dataset import TrainingSet
from training.errors import CAUSES, NEAREST, TAIL, agreement, error_account
from training.metrics import Answers

NAMES = ("甲区城管局", "乙区城管局", "市水务局", "市教育局", "新设局")
DIRECTORY = UnitDirectory(
    Unit(name=name, function=function, duties=(function,))
    for name, function in zip(NAMES, ("城管", "城管", "水务", "教育", "新设"), strict=True)
)


def part(units: list[str], groups: list[str], districts: list[str], near: list[int]) -> TrainingSet:
    """Orders whose vectors point along the axes of ``near``."""
    empty = ("",) * len(units)
    return TrainingSet(
        texts=empty, units=tuple(units), groups=tuple(groups), order_ids=empty, districts=tuple(districts),
        streets=empty, received_at=(None,) * len(units), directory=DIRECTORY,
        vectors=np.eye(3, dtype=np.float32)[near],
    )  # fmt: skip


TRAIN = part(
    ["甲区城管局"] * TAIL + ["市水务局"] * TAIL + ["乙区城管局"] * TAIL + ["市教育局"] * 2,
    [f"t{i}" for i in range(3 * TAIL + 2)],
    [""] * (3 * TAIL + 2),
    [0] * TAIL + [1] * TAIL + [2] * TAIL + [0, 2],
)


def account(truth: str, first: str, *, place: int = 1, near: int = 2, district: str = "", twin: str = "") -> str:
    """The cause of one wrong answer. ``twin``: the unit of another order of its group, rightly named."""
    units, firsts = [truth, *([twin] if twin else [])], [first, *([twin] if twin else [])]
    test = part(units, ["g"] * len(units), [district] * len(units), [near] * len(units))
    count = len(units)
    answers = Answers(
        truth=np.array([NAMES.index(one) for one in units]), first=np.array([NAMES.index(one) for one in firsts]),
        place=np.array([place, 0][:count]), confidence=np.ones(count), covered=np.ones(count, bool),
        set_size=np.ones(count, int), abstained=np.zeros(count, bool), group=np.zeros(count, int), units=NAMES,
    )  # fmt: skip
    measured: Any = SimpleNamespace(answers=answers, rows=tuple(range(count)))
    found = error_account(measured, test, TRAIN, DIRECTORY)
    assert found["right"] == count - 1 and sum(found.values()) == count and set(found) == {"right", *CAUSES}
    return next(cause for cause in CAUSES if found[cause])


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"truth": "新设局", "first": "市水务局", "twin": "市水务局"}, "new"),
        ({"truth": "市教育局", "first": "市水务局", "twin": "市水务局"}, "repeat"),
        ({"truth": "市教育局", "first": "市水务局", "near": 1}, "history"),
        ({"truth": "乙区城管局", "first": "甲区城管局"}, "place"),
        ({"truth": "乙区城管局", "first": "甲区城管局", "district": "乙区"}, "level"),
        ({"truth": "市教育局", "first": "市水务局"}, "tail"),
        ({"truth": "乙区城管局", "first": "市水务局"}, "close"),
        ({"truth": "乙区城管局", "first": "市水务局", "place": 3}, "other"),
    ],
)
def test_each_cause(wrong: dict[str, Any], cause: str) -> None:
    assert account(**wrong) == cause


def test_history_points_elsewhere_only_if_none_went_to_the_unit() -> None:
    assert NEAREST == 5
    assert account("市水务局", "甲区城管局", near=1) == "close", "all five nearest went to the accepted unit"


def test_agreement_is_of_orders_with_a_repeat() -> None:
    found = agreement(["a", "a", "a", "b", "b", "c"], ["x", "x", "y", "z", "z", "w"])
    assert found["orders"] == 5
    # Of a: two orders agree with one of two others, the third with none; of b: both with the other.
    assert found["share"] == pytest.approx((0.5 + 0.5 + 0 + 1 + 1) / 5)
    assert agreement(["a", "b"], ["x", "y"])["orders"] == 0
