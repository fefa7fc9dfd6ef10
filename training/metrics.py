"""What a ranker is worth, in numbers that say of how many orders they speak."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.folds import group_ids
from models.ranking import Ranking

BINS = 15
#: Units with fewer held-out orders are not listed among the worst: one order says nothing.
LEAST_FOR_WORST = 5


@dataclass(frozen=True)
class Answers:
    """Rankings beside the truth, in arrays; one entry an order.

    Parameters
    ----------
    truth, first : ndarray of int
        Number of the accepted unit and of the unit ranked first, in ``units``.
    place : ndarray of int
        Where the accepted unit stands (0 = first); a large number when it is not shown.
    confidence : ndarray of float
        Probability of the first unit.
    covered : ndarray of bool; set_size : ndarray of int
        Whether the coverage set holds the accepted unit, and how many it holds.
    abstained : ndarray of bool
    group : ndarray of int
    units : tuple of str
    """

    truth: np.ndarray
    first: np.ndarray
    place: np.ndarray
    confidence: np.ndarray
    covered: np.ndarray
    set_size: np.ndarray
    abstained: np.ndarray
    group: np.ndarray
    units: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def right(self) -> np.ndarray:
        return self.place == 0

    @classmethod
    def of(cls, rankings: Sequence[Ranking], truth: Sequence[str], groups: Sequence[str]) -> Answers:
        names = sorted({*truth, *(ranking.units[0].unit for ranking in rankings)})
        number = {name: i for i, name in enumerate(names)}
        shown = [[ranked.unit for ranked in ranking.units] for ranking in rankings]
        nowhere = 10**6
        return cls(
            truth=np.array([number[unit] for unit in truth], np.int64),
            first=np.array([number[units[0]] for units in shown], np.int64),
            place=np.array(
                [units.index(unit) if unit in units else nowhere for units, unit in zip(shown, truth, strict=True)]
            ),
            confidence=np.array([ranking.units[0].probability for ranking in rankings]),
            covered=np.array([unit in ranking.coverage_set for ranking, unit in zip(rankings, truth, strict=True)]),
            set_size=np.array([len(ranking.coverage_set) for ranking in rankings]),
            abstained=np.array([ranking.abstained for ranking in rankings]),
            group=group_ids(groups),
            units=tuple(names),
        )

    def take(self, rows: np.ndarray) -> Answers:
        columns = ("truth", "first", "place", "confidence", "covered", "set_size", "abstained", "group")
        return Answers(**{name: getattr(self, name)[rows] for name in columns}, units=self.units)


def top(k: int) -> Callable[[Answers], float]:
    """Share of orders whose accepted unit is among the first ``k``."""
    return lambda answers: float((answers.place < k).mean())


def macro_f1(answers: Answers) -> float:
    """Mean F1 over the units that are accepted or named first in these orders: each unit counts the same."""
    size = len(answers.units)
    hits = np.bincount(answers.truth[answers.right], minlength=size)
    total = np.bincount(answers.truth, minlength=size) + np.bincount(answers.first, minlength=size)
    present = total > 0
    return float((2 * hits[present] / total[present]).mean())


def ece(answers: Answers) -> float:
    """Expected calibration error of the first unit's probability, in 15 bins of equal width."""
    return calibration_error(answers.confidence, answers.right)


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """:func:`ece` of bare arrays (n,): probabilities of the first units, and whether each was right."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(bins, confidence - right, minlength=BINS)).sum() / len(confidence))


def ece_of_chance(confidence: np.ndarray, *, rounds: int = 200, seed: int = 0) -> float:
    """What :func:`ece` would be, on average, of as many answers of the same confidences that are calibrated perfectly.

    In bins of some hundred answers chance alone makes a gap; an error below this is none that can be seen.
    """
    rng = np.random.default_rng(seed)
    draws = (rng.random(len(confidence)) < confidence for _ in range(rounds))
    return float(np.mean([calibration_error(confidence, right) for right in draws]))


def coverage_at(answers: Answers, accuracy: float) -> float:
    """The largest share of orders, the surest first, among which the first unit is right in at least ``accuracy``."""
    order = np.argsort(-answers.confidence, kind="stable")
    running = np.cumsum(answers.right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(running >= accuracy)
    return float((enough[-1] + 1) / len(order)) if len(enough) else 0.0


def worst_units(answers: Answers, count: int = 10) -> list[dict[str, Any]]:
    """Units of the lowest recall, with at least five orders each."""
    size = len(answers.units)
    totals = np.bincount(answers.truth, minlength=size)
    hits = np.bincount(answers.truth[answers.right], minlength=size)
    rows: list[dict[str, Any]] = [
        {"unit": answers.units[i], "n": int(totals[i]), "recall": float(hits[i] / totals[i])}
        for i in np.flatnonzero(totals >= LEAST_FOR_WORST)
    ]
    return sorted(rows, key=lambda row: (row["recall"], -row["n"], row["unit"]))[:count]


def bootstrap(
    answers: Answers, measures: dict[str, Callable[[Answers], float]], *, rounds: int, seed: int
) -> dict[str, tuple[float, float]]:
    """95% intervals. Whole groups are drawn, since repeated orders are right or wrong together."""
    drawn: dict[str, list[float]] = {name: [] for name in measures}
    for rows in draws(answers.group, rounds=rounds, seed=seed):
        sample = answers.take(rows)
        for name, measure in measures.items():
            drawn[name].append(measure(sample))
    return {name: _interval(np.array(values), measures[name](answers)) for name, values in drawn.items()}


def draws(group: np.ndarray, *, rounds: int, seed: int) -> Iterator[np.ndarray]:
    """Row numbers of each round of a bootstrap over whole groups, with repetition."""
    rng = np.random.default_rng(seed)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    members = np.split(order, starts[1:])
    for _ in range(rounds):
        yield np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])


def _interval(values: np.ndarray, figure: float) -> tuple[float, float]:
    """Percentiles, moved by what drawing with repetition does to the measure: it raises a calibration error, say."""
    low, high = np.quantile(values, [0.025, 0.975]) - (values.mean() - figure)
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))
