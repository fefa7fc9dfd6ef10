"""Suspicious labels: orders whose unit a model that has not seen them doubts, each with its reasons.

Confident learning (Northcutt et al. 2021): out-of-fold probabilities against a threshold of each unit's own, the mean
probability that its orders get. Orders whose repetitions went elsewhere are listed besides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from models.encoder import Encoder
from models.folds import grouped_folds
from models.neighbours import Space
from models.progress import Progress, silent
from training.config import TrainConfig
from training.dataset import TrainingSet
from training.train import fit_ranker

STEP = "交叉验证"
#: Units of each order that are looked at.
SHOWN = 30
#: Most similar orders of other groups that are asked.
NEIGHBOURS = 5
#: Orders whose neighbours are sought at a time.
PART = 500


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One order whose label is doubted.

    Parameters
    ----------
    row : int
        In the data set.
    given, suggested : str
        Unit it went to, and the unit that it looks like.
    p_given, p_suggested : float
        Out of fold.
    reasons : tuple of str
        Chinese, each from counts and probabilities.
    """

    row: int
    given: str
    suggested: str
    p_given: float
    p_suggested: float
    reasons: tuple[str, ...]


def out_of_fold(
    dataset: TrainingSet,
    *,
    encoder: Encoder,
    config: TrainConfig,
    as_of: datetime,
    folds: int = 5,
    progress: Progress | None = None,
) -> list[dict[str, float]]:
    """For each order the likeliest units and their probabilities, by a ranker that saw neither it nor its group."""
    report = progress or silent
    if dataset.vectors is None:
        dataset = replace(dataset, vectors=encoder.encode(dataset.texts, progress=progress))
    fold_of = grouped_folds(dataset.groups, dataset.units, folds=folds, seed=config.seed)
    found: list[dict[str, float]] = [{} for _ in range(len(dataset))]
    for fold in range(folds):
        report(STEP, fold, folds)
        ranker = fit_ranker(dataset.take(np.flatnonzero(fold_of != fold)), encoder, dataset.directory, config, None)
        rows = np.flatnonzero(fold_of == fold)
        part = dataset.take(rows)
        rankings = ranker.rank_many(
            part.texts,
            part.vectors,  # type: ignore[arg-type]
            as_of=as_of,
            districts=part.districts,
            streets=part.streets,
            fields=part.fields,
            top=SHOWN,
            with_evidence=False,
        )
        for row, ranking in zip(rows.tolist(), rankings, strict=True):
            found[row] = {one.unit: one.probability for one in ranking.units}
    report(STEP, folds, folds)
    return found


def audit(dataset: TrainingSet, probabilities: Sequence[dict[str, float]], *, as_of: datetime) -> list[Suspicion]:
    """The doubted labels, the most doubted first.

    Parameters
    ----------
    dataset : TrainingSet
        With vectors.
    probabilities : sequence of dict
        Of :func:`out_of_fold`.
    as_of : datetime
        The day on whose directory labels are read: a unit that was renamed is not a mistake.
    """
    today = {}
    for name in set(dataset.units):
        now = dataset.directory.forward(name, as_of)
        today[name] = now.name if now else name
    given = [today[name] for name in dataset.units]
    own = np.array([known.get(unit, 0.0) for known, unit in zip(probabilities, given, strict=True)])
    sums: dict[str, list[float]] = defaultdict(list)
    for unit, p in zip(given, own.tolist(), strict=True):
        sums[unit].append(p)
    # A unit with one order has no threshold of its own: nobody can be sure of it.
    threshold = {unit: float(np.mean(values)) for unit, values in sums.items() if len(values) > 1}
    elsewhere = _groups_elsewhere(dataset.groups, given)
    doubted: dict[int, str] = dict(elsewhere)
    for row, (known, unit) in enumerate(zip(probabilities, given, strict=True)):
        sure = {
            other: p
            for other, p in known.items()
            if other != unit and other in threshold and p >= threshold[other] and p > own[row]
        }
        if sure:
            doubted[row] = max(sure, key=lambda other: (sure[other], other))
    near = _near(dataset, sorted(doubted))
    found = []
    for row, suggested in doubted.items():
        p = probabilities[row].get(suggested, 0.0)
        reasons = []
        if row in elsewhere:
            count = sum(group == dataset.groups[row] for group in dataset.groups) - 1
            reasons.append(f"同组其他 {count} 条工单都派给“{elsewhere[row]}”")
        if p > own[row]:
            reasons.append(f"模型以 {p:.0%} 认为应派“{suggested}”，给现有单位 {own[row]:.0%}")
        votes = [other for other in near[row] if given[other] == suggested]
        if len(votes) * 2 > NEIGHBOURS:
            shown = "、".join(dataset.order_ids[other] for other in votes[:2])
            reasons.append(f"最相近的 {NEIGHBOURS} 条工单里 {len(votes)} 条派给“{suggested}”（如 {shown}）")
        found.append(Suspicion(row, given[row], suggested, float(own[row]), float(p), tuple(reasons)))
    return sorted(found, key=lambda one: (-len(one.reasons), one.p_given - one.p_suggested, one.row))


def _groups_elsewhere(groups: Sequence[str], given: Sequence[str]) -> dict[int, str]:
    """Rows whose repetitions, two at least, all went to one other unit; and that unit."""
    members: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    found = {}
    for rows in members.values():
        if len(rows) < 3:
            continue
        for row in rows:
            others = Counter(given[other] for other in rows if other != row)
            if len(others) == 1 and given[row] not in others:
                found[row] = next(iter(others))
    return found


def _near(dataset: TrainingSet, rows: Sequence[int]) -> dict[int, list[int]]:
    """The most similar orders of other groups, for each of these rows."""
    vectors = dataset.vectors
    if vectors is None or not rows:
        return {row: [] for row in rows}
    directions = Space.fit(vectors).direction(vectors)
    found = {}
    for start in range(0, len(rows), PART):
        part = list(rows[start : start + PART])
        order = np.argsort(-(directions[part] @ directions.T), axis=1, kind="stable")[:, : 50 * NEIGHBOURS]
        for row, nearest in zip(part, order.tolist(), strict=True):
            others = [other for other in nearest if dataset.groups[other] != dataset.groups[row]]
            found[row] = others[:NEIGHBOURS]
    return found
