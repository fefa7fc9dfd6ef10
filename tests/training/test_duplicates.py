"""Whole groups stay together, every pair is answered by a model without it, and the measure says what it claims."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from intake.errors import ZhipaiError
from intake.mapping import Mapping
from models.duplicates import FEATURES
from models.encoder import Encoder
from training.duplicates import Pairs, day_of, fit_pairs, group_folds, held_out_scores, measure, train_pairs

GROUPS = [f"g{n // 3}" for n in range(60)]


def pairs(n: int = 400) -> Pairs:
    """Pairs among sixty orders; those of one group are alike, with noise."""
    random = np.random.default_rng(0)
    one, other = random.integers(0, 60, n), random.integers(0, 60, n)
    same = np.array(GROUPS)[one] == np.array(GROUPS)[other]
    features = random.normal(0, 0.3, (n, len(FEATURES))) + same[:, None] * np.array([1, 1, 1, -1])
    return Pairs(one, other, features, same)


def test_a_group_is_in_one_fold() -> None:
    folds = group_folds(GROUPS, folds=5, seed=0)
    assert set(folds) == set(range(5))
    assert all(len({folds[i] for i, name in enumerate(GROUPS) if name == group}) == 1 for group in set(GROUPS))


def test_no_pair_is_answered_by_a_model_that_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data, folds = pairs(), group_folds(GROUPS, folds=5, seed=0)
    seen: list[set[int]] = []

    def spy(known: Pairs):
        seen.append(set(known.one.tolist()) | set(known.other.tolist()))
        return fit_pairs(known)

    monkeypatch.setattr("training.duplicates.fit_pairs", spy)
    scores = held_out_scores(data, folds)
    assert ((scores > 0) & (scores < 1)).all()
    for fold, orders in enumerate(seen):
        assert not orders & set(np.flatnonzero(folds == fold).tolist())


def test_a_perfect_and_a_useless_score() -> None:
    data = pairs()
    clusters = np.array(GROUPS)[data.one]
    perfect = measure(data.same.astype(float), data.same, clusters)
    assert perfect["auc"] == [1.0, 1.0, 1.0]
    assert perfect["at"]["0.9"] == {"n": int(data.same.sum()), "precision": 1.0, "recall": 1.0}
    assert perfect["ece"] == 0
    useless = measure(np.full(len(data.same), 0.4), data.same, clusters)
    assert useless["auc"][0] == 0.5
    assert useless["at"]["0.5"]["precision"] is None


def test_the_interval_holds_the_figure() -> None:
    data = pairs()
    scores = fit_pairs(data).probabilities(data.features)
    for name in ("auc", "average_precision"):
        figure, low, high = measure(scores, data.same, np.array(GROUPS)[data.one])[name]
        assert low <= figure <= high


@pytest.mark.parametrize(("number", "day"), [("20180102012345", "2018-01-02"), ("ZP-1", None), ("20181399", None)])
def test_the_day_in_a_number(number: str, day: str | None) -> None:
    from zoneinfo import ZoneInfo

    found = day_of(number, ZoneInfo("Asia/Shanghai"))
    assert (found.date().isoformat() if found else None) == day


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["编号", "内容", "组"])
        for n in range(40):
            writer.writerow([f"A{n}", f"第{n}号楼的电梯坏了{n}天没有人修", f"g{n}"])
            writer.writerow([f"B{n}", f"再次来电：第{n}号楼的电梯坏了{n}天没有人修", f"g{n}"])
    return path


COLUMNS = {"text": "内容", "order_id": "编号", "group": "组"}


def test_repeats_of_a_file_are_learned_and_two_runs_agree(table: Path, quick_encoder: Encoder) -> None:
    mapping = Mapping.from_dict({"columns": COLUMNS})
    model, figures = train_pairs(table, mapping, encoder=quick_encoder)
    assert figures["orders"] == 80
    assert figures["all"]["auc"][0] > 0.8
    assert figures["found"]["with_repeats"] == 80
    again, _ = train_pairs(table, mapping, encoder=quick_encoder)
    assert again.to_json() == model.to_json()


def test_without_groups_there_is_nothing_to_learn(table: Path, quick_encoder: Encoder) -> None:
    columns = {name: column for name, column in COLUMNS.items() if name != "group"}
    with pytest.raises(ZhipaiError, match="E5201"):
        train_pairs(table, Mapping.from_dict({"columns": columns}), encoder=quick_encoder)
