"""Train and measure the model of repeated orders (``zhipai similar-train``).

The orders' 重复组 say which belong together. Pairs are what serving compares: an order and its nearest others; those not
in its group are the negatives, the hardest there are. Whole groups are held out.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from intake.errors import ZhipaiError, register
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.prepare import prepare
from intake.readers import read_orders
from models.duplicates import FEATURES, NEAREST, PairModel, Side, nearest_couples, pair_features
from models.encoder import Encoder
from models.neighbours import Space
from models.progress import Progress

register(
    "E5201",
    "没有重复的工单",
    "“{path}”里没有两条工单属于同一个重复组，学不出什么是重复。请在列映射里写明 group（重复组）一列。",
)

FOLDS = 5
THRESHOLDS = (0.5, 0.7, 0.9)
#: Pairs that share fewer character runs than this are told from plain copies.
REWORDED = 0.5
ROUNDS = 200


@dataclass(frozen=True)
class Pairs:
    """Compared pairs: row numbers of both orders, features, and whether they are of one group."""

    one: np.ndarray
    other: np.ndarray
    features: np.ndarray
    same: np.ndarray

    def take(self, rows: np.ndarray) -> Pairs:
        return Pairs(self.one[rows], self.other[rows], self.features[rows], self.same[rows])


def compare_nearest(sides: Sequence[Side], groups: Sequence[str]) -> Pairs:
    """Every order with its nearest others, each pair once."""
    couples = nearest_couples(np.stack([side.direction for side in sides]))
    features = np.array([pair_features(sides[i], sides[j]) for i, j in couples.tolist()])
    names = np.array(groups)
    one, other = couples.T
    return Pairs(one, other, features, names[one] == names[other])


def group_folds(groups: Sequence[str], *, folds: int, seed: int) -> np.ndarray:
    """The fold of each order; whole groups together."""
    names, number = np.unique(np.array(groups), return_inverse=True)
    return np.random.default_rng(seed).permutation(len(names))[number] % folds


def fit_pairs(pairs: Pairs) -> PairModel:
    """Logistic regression without class weights: its probabilities are those of an order's nearest others."""
    found = LogisticRegression(C=10.0, max_iter=1000).fit(pairs.features, pairs.same)
    return PairModel(tuple(found.coef_[0].astype(float).tolist()), float(found.intercept_[0]))


def held_out_scores(pairs: Pairs, folds: np.ndarray) -> np.ndarray:
    """Every pair answered once, by a model trained on pairs that lie wholly outside the fold of its first order."""
    scores = np.zeros(len(pairs.same))
    for fold in np.unique(folds):
        asked = np.flatnonzero(folds[pairs.one] == fold)
        known = np.flatnonzero((folds[pairs.one] != fold) & (folds[pairs.other] != fold))
        scores[asked] = fit_pairs(pairs.take(known)).probabilities(pairs.features[asked])
    return scores


def measure(scores: np.ndarray, same: np.ndarray, clusters: np.ndarray, *, seed: int = 0) -> dict[str, Any]:
    """AUC, average precision, precision and recall at thresholds, calibration error; 95% intervals over ``clusters``.

    Where all pairs are of one kind there is nothing to tell apart: AUC and average precision are then ``None``.
    """
    result: dict[str, Any] = {"pairs": len(same), "same": int(same.sum()), "auc": None, "average_precision": None}
    result["at"] = {str(least): _at(scores, same, least) for least in THRESHOLDS}
    result["ece"] = round(_ece(scores, same), 4)
    if not 0 < same.sum() < len(same):
        return result
    measures = {"auc": roc_auc_score, "average_precision": average_precision_score}
    _, number = np.unique(clusters, return_inverse=True)
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(ROUNDS):
        # A cluster drawn twice counts twice: its pairs get that weight.
        weights = np.bincount(random.integers(0, number.max() + 1, number.max() + 1), minlength=number.max() + 1)[
            number
        ]
        if weights[same].any() and weights[~same].any():
            draws.append([one(same, scores, sample_weight=weights) for one in measures.values()])
    low, high = np.quantile(np.array(draws), (0.025, 0.975), axis=0)
    for i, (name, one) in enumerate(measures.items()):
        result[name] = [round(float(value), 4) for value in (one(same, scores), low[i], high[i])]
    return result


def _at(scores: np.ndarray, same: np.ndarray, least: float) -> dict[str, Any]:
    chosen = scores >= least
    return {
        "n": int(chosen.sum()),
        "precision": round(float(same[chosen].mean()), 4) if chosen.any() else None,
        "recall": round(float(chosen[same].mean()), 4) if same.any() else None,
    }


def _ece(scores: np.ndarray, same: np.ndarray) -> float:
    """Expected calibration error over fifteen bins of equal width."""
    bins = np.minimum((scores * 15).astype(int), 14)
    return float(
        sum(abs(scores[bins == i].mean() - same[bins == i].mean()) * (bins == i).mean() for i in np.unique(bins))
    )


@dataclass(frozen=True)
class Read:
    """The orders of a file ready to compare, the group of each, and the space that their directions lie in."""

    sides: list[Side]
    groups: list[str]
    space: Space


def read_sides(
    path: Path, mapping: Mapping, encoder: Encoder, space: Space | None, progress: Progress | None = None
) -> Read:
    """Read, prepare and encode. Without a space one is fitted to the orders."""
    prepared = [prepare(row.order, Gazetteer.empty()) for row in read_orders(path, mapping) if row.order]
    prepared = [one for one in prepared if one.text]
    vectors = encoder.encode([one.text for one in prepared], progress=progress)
    space = space or Space.fit(vectors)
    directions = space.direction(vectors)
    sides = [
        Side(
            order_id=one.order.order_id or str(number),
            text=one.text,
            direction=direction,
            place=one.elements.place,
            received_at=one.order.received_at or day_of(one.order.order_id, ZoneInfo(mapping.time_zone)),
            unit=one.order.unit,
            related=frozenset(one.order.related),
        )
        for number, (one, direction) in enumerate(zip(prepared, directions, strict=True))
    ]
    groups = [one.order.group or f"单独-{number}" for number, one in enumerate(prepared)]
    return Read(sides, groups, space)


def day_of(order_id: str, zone: ZoneInfo) -> datetime | None:
    """The day that a number such as 20180102012345 begins with, for orders without a time of filing."""
    try:
        return datetime.strptime(order_id[:8], "%Y%m%d").replace(tzinfo=zone)
    except ValueError:
        return None


def report(sides: Sequence[Side], groups: Sequence[str], *, seed: int) -> tuple[PairModel, dict[str, Any]]:
    """Train on all pairs; figures are of five grouped folds, each answered by a model without it."""
    pairs = compare_nearest(sides, groups)
    scores = held_out_scores(pairs, group_folds(groups, folds=FOLDS, seed=seed))
    clusters = np.array(groups)[pairs.one]
    shared = pairs.features[:, FEATURES.index("shared")]
    reworded = shared < REWORDED
    figures: dict[str, Any] = {
        "orders": len(sides),
        "all": measure(scores, pairs.same, clusters, seed=seed),
        "reworded": measure(scores[reworded], pairs.same[reworded], clusters[reworded], seed=seed),
        "cosine_alone": measure(pairs.features[:, 0].clip(0, 1), pairs.same, clusters, seed=seed),
        "shared_alone": measure(shared, pairs.same, clusters, seed=seed),
        "found": _found(pairs, groups),
    }
    return replace(fit_pairs(pairs), facts={"seed": seed, "nearest": NEAREST, **figures["all"]}), figures


def _found(pairs: Pairs, groups: Sequence[str]) -> dict[str, int]:
    """Orders that have a repeat in the file, and those of them whose nearest orders hold at least one."""
    counts = Counter(groups)
    found = set(pairs.one[pairs.same].tolist()) | set(pairs.other[pairs.same].tolist())
    return {"with_repeats": sum(counts[group] > 1 for group in groups), "reached": len(found)}


def paraphrases(
    path: Path, model: PairModel, encoder: Encoder, space: Space, *, seed: int, progress: Progress | None = None
) -> dict[str, Any]:
    """The measure on question pairs (LCQMC layout: sentence1, sentence2, label); nothing is trained on them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = sorted({row[name] for row in rows for name in ("sentence1", "sentence2")})
    directions = space.direction(encoder.encode(texts, progress=progress))
    side = {text: Side("", text, direction) for text, direction in zip(texts, directions, strict=True)}
    features = np.array([pair_features(side[row["sentence1"]], side[row["sentence2"]]) for row in rows])
    same = np.array([row["label"] == "1" for row in rows])
    clusters = np.array([row["sentence1"] for row in rows])
    return {
        "model": measure(model.probabilities(features), same, clusters, seed=seed),
        "cosine_alone": measure(features[:, 0].clip(0, 1), same, clusters, seed=seed),
    }


def train_pairs(
    orders: Path,
    mapping: Mapping,
    *,
    encoder: Encoder,
    seed: int = 0,
    space: Space | None = None,
    questions: Path | None = None,
    progress: Progress | None = None,
) -> tuple[PairModel, dict[str, Any]]:
    """Train on a file of orders with 重复组, and measure.

    Parameters
    ----------
    orders, mapping, encoder
    seed : int
        Of the folds and the bootstrap.
    space : Space, optional
        Another city's, to see what a change of city does; by default one is fitted to the orders.
    questions : Path, optional
        Question pairs that the trained model is measured on besides.
    progress : Progress, optional

    Raises
    ------
    ZhipaiError
        E5201 when no two orders of the file share a group; errors of the mapping and of the file.
    """
    read = read_sides(orders, mapping, encoder, space, progress)
    if len(set(read.groups)) == len(read.groups):
        raise ZhipaiError("E5201", {"path": orders.name})
    model, figures = report(read.sides, read.groups, seed=seed)
    if questions is not None:
        figures["questions"] = paraphrases(questions, model, encoder, read.space, seed=seed, progress=progress)
    return model, figures
