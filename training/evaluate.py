"""Evaluate a ranker on orders it was not trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register
from intake.unit import UnitDirectory
from models.encoder import Encoder
from models.progress import Progress, silent
from models.ranker import UnitRanker
from models.ranking import Ranking
from training.dataset import TrainingSet
from training.metrics import Answers, bootstrap, coverage_at, ece, macro_f1, top, worst_units

register(
    "E5003",
    "没有可评测的工单",
    "测试集里没有一条工单的单位在 {day} 有效（含更名、合并后的单位），无法评测。请核对单位名录的日期。",
)

STEP = "评测"
#: Orders between two calls of ``progress``.
PART = 200
SURE = 0.95
#: Units of each ranking that are looked at; beyond them lies next to no probability.
SHOWN = 30
NOWHERE = 10**6


@dataclass(frozen=True)
class Evaluation:
    """Figures of one evaluation.

    Parameters
    ----------
    n, units, trained_on : int
        Orders and accepted units of the test set; orders of the training part.
    left_out : int
        Orders of the test set whose unit has ended without a successor, not counted in ``n``.
    new_units : int
        Orders of the test set whose unit has no order in the training part: they count as errors.
    top1, top3, top5, macro_f1, ece : float
        Of answers to the bare text, as all that follows.
    function_top1, function_top3 : float
        Share of orders whose unit's function (职能归一) is among the likeliest, by the sum over its units.
    coverage_at_95 : float
        Share that may be decided without a look, at 95% accuracy.
    conformal : dict
        Level that was asked for, coverage that was reached, mean size of the set.
    abstained : dict
        Share, and the accuracy of the first unit among the abstained and among the others.
    intervals : dict
        Measure -> 95% bootstrap interval over groups.
    train_seconds : float
    worst_units : list of dict
    with_fields : dict or None
        The same figures when the fields known at filing are given too; ``None`` when the model or the orders have none.
    """

    n: int
    units: int
    trained_on: int
    left_out: int
    new_units: int
    top1: float
    top3: float
    top5: float
    macro_f1: float
    function_top1: float
    function_top3: float
    ece: float
    coverage_at_95: float
    conformal: dict[str, float]
    abstained: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    train_seconds: float
    worst_units: list[dict[str, Any]]
    with_fields: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def evaluate(
    ranker: UnitRanker,
    test_set: TrainingSet,
    *,
    as_of: datetime,
    progress: Progress | None = None,
    encoder: Encoder | None = None,
    train_seconds: float = 0.0,
    rounds: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Rank every order of ``test_set`` and measure; see :func:`measure`, which hands out the single answers as well."""
    return measure(
        ranker,
        test_set,
        as_of=as_of,
        progress=progress,
        encoder=encoder,
        train_seconds=train_seconds,
        rounds=rounds,
        seed=seed,
    ).evaluation


@dataclass(frozen=True)
class Measured:
    """An evaluation with the answers (to the bare texts) it was made of; ``rows`` are their row numbers in the test set."""

    evaluation: Evaluation
    answers: Answers
    rows: tuple[int, ...]


def measure(
    ranker: UnitRanker,
    test_set: TrainingSet,
    *,
    as_of: datetime,
    progress: Progress | None = None,
    encoder: Encoder | None = None,
    train_seconds: float = 0.0,
    rounds: int = 1000,
    seed: int = 0,
) -> Measured:
    """Rank every order of ``test_set`` and measure.

    Parameters
    ----------
    ranker : UnitRanker
    test_set : TrainingSet
        With ``vectors``, or give ``encoder``.
    as_of : datetime
        The day whose directory is asked. The truth is forwarded too: an order of a unit that was merged is right when
        its successor is named.
    progress : Progress, optional
    encoder : Encoder, optional
    train_seconds : float
        Passed on to the result.
    rounds, seed : int
        Of the bootstrap.

    Raises
    ------
    ZhipaiError
        E5003 when no order of the set has a unit in force.
    """
    report = progress or silent
    accepted = _accepted(ranker.directory, test_set.units, as_of)
    rows = [i for i, unit in enumerate(accepted) if unit]
    if not rows:
        raise ZhipaiError("E5003", {"day": as_of.date().isoformat()})
    part = test_set.take(rows)
    truth = [accepted[i] for i in rows]
    vectors = part.vectors
    if vectors is None:
        if encoder is None:
            raise ZhipaiError("E2102")
        ranker.require_encoder(encoder)
        vectors = encoder.encode(part.texts, progress=progress)
    known = part.fields if ranker.scorer.judgement.fields else ()
    steps = len(part) * (2 if known else 1)
    found: list[Answers] = []
    figures: list[dict[str, Any]] = []
    for fields in ((), known) if known else ((),):
        rankings: list[Ranking] = []
        for start in range(0, len(part), PART):
            end = start + PART
            rankings += ranker.rank_many(
                part.texts[start:end],
                vectors[start:end],
                as_of=as_of,
                districts=part.districts[start:end],
                streets=part.streets[start:end],
                fields=fields[start:end],
                top=SHOWN,
                with_evidence=False,
            )
            report(STEP, len(rankings) + len(part) * len(figures), steps)
        answers = Answers.of(rankings, truth, part.groups)
        functions = _function_places(ranker.directory, rankings, truth, as_of)
        found.append(answers)
        figures.append(_figures(answers, functions, ranker.facts, rounds=rounds, seed=seed))
    trained_units = set(ranker.facts.get("trained_units", ()))
    evaluation = Evaluation(
        n=len(part),
        units=len(set(truth)),
        trained_on=int(ranker.facts.get("orders", 0)),
        left_out=len(test_set) - len(part),
        new_units=sum(unit not in trained_units for unit in part.units),
        train_seconds=train_seconds,
        with_fields=figures[1] if known else None,
        **figures[0],
    )
    return Measured(evaluation, found[0], tuple(rows))


def _figures(
    answers: Answers, functions: np.ndarray, facts: dict[str, Any], *, rounds: int, seed: int
) -> dict[str, Any]:
    measures = {"top1": top(1), "top3": top(3), "top5": top(5), "macro_f1": macro_f1, "ece": ece}
    return {
        **{name: one(answers) for name, one in measures.items()},
        "function_top1": float((functions < 1).mean()),
        "function_top3": float((functions < 3).mean()),
        "coverage_at_95": coverage_at(answers, SURE),
        "conformal": {
            "level": float(facts.get("coverage", 0.0)),
            "coverage": float(answers.covered.mean()),
            "mean_size": float(answers.set_size.mean()),
        },
        "abstained": _abstained(answers),
        "intervals": bootstrap(answers, measures, rounds=rounds, seed=seed),
        "worst_units": worst_units(answers),
    }


def _function_places(
    directory: UnitDirectory, rankings: Sequence[Ranking], truth: Sequence[str], as_of: datetime
) -> np.ndarray:
    """Where the function of each accepted unit stands (0 = first): (n,)."""
    functions = {unit.name: unit.function for unit in directory.in_force(as_of)}
    places = []
    for ranking, unit in zip(rankings, truth, strict=True):
        sums: dict[str, float] = defaultdict(float)
        for ranked in ranking.units:
            sums[functions[ranked.unit]] += ranked.probability
        mine = sums.get(functions.get(unit, ""), -1.0)
        places.append(sum(one > mine for one in sums.values()) if mine >= 0 else NOWHERE)
    return np.array(places)


def _accepted(directory: UnitDirectory, units: Sequence[str], as_of: datetime) -> list[str]:
    """The unit that stands for each on that day; empty for one that ended without a successor.

    A name that the directory never had stays as it is: no ranking can hold it, and it counts as an error.
    """
    known = {unit.name for unit in directory.units}
    names = {}
    for name in set(units):
        unit = directory.forward(name, as_of)
        names[name] = unit.name if unit else "" if name in known else name
    return [names[name] for name in units]


def _abstained(answers: Answers) -> dict[str, float]:
    def accuracy(rows: Any) -> float:
        return float(answers.right[rows].mean()) if rows.any() else 0.0

    return {
        "share": float(answers.abstained.mean()),
        "accuracy_abstained": accuracy(answers.abstained),
        "accuracy_decided": accuracy(~answers.abstained),
    }
