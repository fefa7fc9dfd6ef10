"""Figures over several grouped folds, and over units whose every order was left out of training."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from intake.unit import UnitDirectory
from models.encoder import Encoder
from models.folds import grouped_folds
from models.progress import Progress
from training.config import TrainConfig
from training.dataset import TrainingSet
from training.errors import agreement, error_account
from training.evaluate import measure
from training.metrics import calibration_error, ece_of_chance
from training.train import fit_ranker

FIGURES = (
    "top1",
    "top3",
    "top5",
    "macro_f1",
    "function_top1",
    "function_top3",
    "coverage_at_95",
    "ece",
    "conformal.coverage",
    "conformal.mean_size",
    "abstained.share",
    "train_seconds",
)
#: Orders that a unit needs to be left out in :func:`cold_start`: fewer say little.
LEAST = 5


def five_fold(
    dataset: TrainingSet,
    *,
    encoder: Encoder,
    directory: UnitDirectory,
    config: TrainConfig,
    as_of: datetime,
    folds: int = 5,
    only: Sequence[int] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on all folds but one and evaluate on that, for each fold (or those in ``only``); JSON-able.

    Returns
    -------
    dict
        ``folds``: a list of :meth:`training.evaluate.Evaluation.as_dict`; ``text`` and ``fields`` (``None`` without
        fields): figure -> ``mean``, ``low``, ``high`` of the 95% interval (Student's t over the folds); ``units``:
        unit -> orders, recall, and the unit most often named in its place, over all folds (text only); ``errors``:
        :func:`training.errors.error_account` over all folds; ``agreement``: :func:`training.errors.agreement`;
        ``calibration``: calibration error (``ece``, text only) of the ``n`` answers of all folds together, and what it
        would be on average (``chance``) were they calibrated perfectly.
    """
    if dataset.vectors is None:
        dataset = replace(dataset, vectors=encoder.encode(dataset.texts, progress=progress))
    fold_of = grouped_folds(dataset.groups, dataset.units, folds=folds, seed=config.seed)
    found = []
    told: list[tuple[str, str]] = []
    errors: Counter[str] = Counter()
    confidences: list[np.ndarray] = []
    rights: list[np.ndarray] = []
    for fold in only or range(folds):
        started = time.perf_counter()
        train, test = (dataset.take(np.flatnonzero(rows)) for rows in (fold_of != fold, fold_of == fold))
        ranker = fit_ranker(train, encoder, directory, config, progress)
        seconds = time.perf_counter() - started
        measured = measure(
            ranker,
            test,
            as_of=as_of,
            progress=progress,
            train_seconds=seconds,
            rounds=config.bootstrap,
            seed=config.seed,
        )
        found.append(measured.evaluation.as_dict())
        confidences.append(measured.answers.confidence)
        rights.append(measured.answers.right)
        errors.update(error_account(measured, test, train, directory))
        names = measured.answers.units
        told += [(names[i], names[j]) for i, j in zip(measured.answers.truth, measured.answers.first, strict=True)]
    return summary(found) | {
        "units": _units(told),
        "calibration": _calibration(np.concatenate(confidences), np.concatenate(rights)),
        "errors": dict(errors),
        "agreement": agreement(dataset.groups, dataset.units),
    }


def _calibration(confidence: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Calibration error over the answers of all folds together, and what chance alone would make of it."""
    error = calibration_error(confidence, right)
    return {"n": len(right), "ece": error, "chance": ece_of_chance(confidence)}


def summary(folds: list[dict[str, Any]]) -> dict[str, Any]:
    """Put evaluations of folds together as :func:`five_fold` returns them."""
    fields = [fold["with_fields"] for fold in folds]
    return {
        "folds": folds,
        "text": {name: _interval([_figure(fold, name) for fold in folds]) for name in FIGURES},
        "fields": {name: _interval([_figure(fold, name) for fold in fields]) for name in FIGURES[:-1]}
        if all(fields)
        else None,
    }


def cold_start(
    dataset: TrainingSet,
    *,
    encoder: Encoder,
    directory: UnitDirectory,
    config: TrainConfig,
    as_of: datetime,
    groups: int = 5,
    only: Sequence[int] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Leave every order of a tenth of the units out of training, ``groups`` times, and ask for those orders; JSON-able.

    Returns
    -------
    dict
        ``units`` and ``orders`` that were asked; ``top1``, ``top5``: share of orders whose unit is found; ``top5_units``:
        mean over units of that share.
    """
    if dataset.vectors is None:
        dataset = replace(dataset, vectors=encoder.encode(dataset.texts, progress=progress))
    counts = Counter(dataset.units)
    known = {unit.name for unit in directory.in_force(as_of)}
    units = sorted(unit for unit, count in counts.items() if count >= LEAST and unit in known)
    np.random.default_rng(config.seed).shuffle(units)
    size = max(1, len(units) // 10)
    hits: dict[str, list[int]] = {}
    for group in only or range(groups):
        left = set(units[group * size : (group + 1) * size])
        out = np.array([unit in left for unit in dataset.units])
        if not out.any():
            continue
        ranker = fit_ranker(dataset.take(np.flatnonzero(~out)), encoder, directory, config, progress)
        part = dataset.take(np.flatnonzero(out))
        rankings = ranker.rank_many(
            part.texts,
            np.asarray(part.vectors),
            as_of=as_of,
            districts=part.districts,
            streets=part.streets,
            with_evidence=False,
        )
        for unit, ranking in zip(part.units, rankings, strict=True):
            names = [ranked.unit for ranked in ranking.units]
            hits.setdefault(unit, []).append(names.index(unit) if unit in names else len(names))
    places = np.concatenate([np.array(one) for one in hits.values()])
    return {
        "units": len(hits),
        "orders": len(places),
        "top1": float((places < 1).mean()),
        "top5": float((places < 5).mean()),
        "top5_units": float(np.mean([(np.array(one) < 5).mean() for one in hits.values()])),
        "by_unit": {unit: float((np.array(one) < 5).mean()) for unit, one in sorted(hits.items())},
    }


def _units(told: Sequence[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """From pairs of accepted unit and unit named first."""
    totals, hits = Counter(truth for truth, _ in told), Counter(truth for truth, first in told if truth == first)
    wrong: dict[str, Counter[str]] = {}
    for truth, first in told:
        if truth != first:
            wrong.setdefault(truth, Counter())[first] += 1
    return {
        unit: {
            "n": n,
            "recall": hits[unit] / n,
            "mistaken_for": dict(sorted(wrong.get(unit, Counter()).items(), key=lambda one: (-one[1], one[0]))[:3]),
        }
        for unit, n in sorted(totals.items())
    }


def _figure(fold: dict[str, Any], name: str) -> float:
    found: Any = fold
    for part in name.split("."):
        found = found[part]
    return float(found)


def _interval(values: Sequence[float]) -> dict[str, float]:
    from scipy import stats

    mean, n = float(np.mean(values)), len(values)
    half = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return {"mean": mean, "low": mean - half, "high": mean + half}
