"""Compare two rankers order by order: the difference of every measure with its interval, and where they disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register
from models.evidence import SHOWN
from models.progress import Progress
from models.ranker import UnitRanker
from training.dataset import TrainingSet
from training.evaluate import SURE, measure
from training.frozen import KeyedAnswers, row_keys
from training.metrics import Answers, coverage_at, draws, ece, macro_f1, top

register(
    "E5106",
    "没有可比的工单",
    "两个模型没有共同的、都没有见过的测试工单，无法比较。请用 --orders 和 --mapping 给出一份两者都没有训练过的工单。",
)

#: Measure -> how it is computed. For all but ``ece`` more is better.
MEASURES: dict[str, Callable[[Answers], float]] = {
    "top1": top(1),
    "top3": top(3),
    "top5": top(5),
    "macro_f1": macro_f1,
    "coverage_at_95": lambda answers: coverage_at(answers, SURE),
    "ece": ece,
}
NAMES = {
    "top1": "前 1 命中",
    "top3": "前 3 命中",
    "top5": "前 5 命中",
    "macro_f1": "宏平均 F1",
    "coverage_at_95": "准确率 95% 时可直接决定的比例",
    "ece": "校准误差（15 箱）",
}
LESS_IS_BETTER = frozenset({"ece"})
#: Pairs of units that are listed where the two differ.
PAIRS = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """``b`` minus ``a`` with its 95% interval (paired bootstrap over groups)."""

    measure: str
    a: float
    b: float
    difference: float
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Whether ``b`` is worse by more than the interval: the whole of it lies on the bad side of 0."""
        return self.low > 0 if self.measure in LESS_IS_BETTER else self.high < 0

    @property
    def better(self) -> bool:
        return self.high < 0 if self.measure in LESS_IS_BETTER else self.low > 0


@dataclass(frozen=True)
class Comparison:
    """Two rankers on the same orders.

    Parameters
    ----------
    n : int
        Orders that both answered and neither was trained on.
    disagreements : int
        Orders on which the first units differ; ``a_right`` and ``b_right`` say who was right on these.
    pairs : list of dict
        The commonest pairs of first units on these orders.
    """

    n: int
    differences: tuple[Difference, ...]
    disagreements: int
    a_right: int
    b_right: int
    pairs: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {
            "differences": [asdict(one) | {"worse": one.worse, "better": one.better} for one in self.differences]
        }


def compare(a: KeyedAnswers, b: KeyedAnswers, *, rounds: int = 1000, seed: int = 0) -> Comparison:
    """Paired comparison on the orders that both have; E5106 when there are none."""
    where = {key: row for row, key in enumerate(b.keys)}
    rows = [(i, where[key]) for i, key in enumerate(a.keys) if key in where]
    if not rows:
        raise ZhipaiError("E5106")
    left, right = a.answers.take(np.array([i for i, _ in rows])), b.answers.take(np.array([j for _, j in rows]))
    drawn: dict[str, list[float]] = {name: [] for name in MEASURES}
    for sample in draws(left.group, rounds=rounds, seed=seed):
        mine, theirs = left.take(sample), right.take(sample)
        for name, figure in MEASURES.items():
            drawn[name].append(figure(theirs) - figure(mine))
    differences = []
    for name, figure in MEASURES.items():
        first, second = figure(left), figure(right)
        values = np.array(drawn[name])
        # Drawing with repetition moves some measures, as in training.metrics.bootstrap; the move is taken off.
        low, high = np.quantile(values, [0.025, 0.975]) - (values.mean() - (second - first))
        differences.append(Difference(name, first, second, second - first, float(low), float(high)))
    said = [(left.units[i], right.units[j]) for i, j in zip(left.first, right.first, strict=True)]
    apart = np.array([one != other for one, other in said])
    counts = Counter(pair for pair, differs in zip(said, apart, strict=True) if differs)
    return Comparison(
        n=len(rows),
        differences=tuple(differences),
        disagreements=int(apart.sum()),
        a_right=int(left.right[apart].sum()),
        b_right=int(right.right[apart].sum()),
        pairs=[
            {"a": one, "b": other, "orders": count}
            for (one, other), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]
        ],
    )


def unseen(dataset: TrainingSet, *rankers: UnitRanker) -> TrainingSet:
    """The orders whose text none of the rankers was trained on (by what their history shows of it); E5106 for none."""
    seen = {text for ranker in rankers for text in ranker.history.texts}
    rows = [row for row, text in enumerate(dataset.texts) if text[:SHOWN] not in seen]
    if not rows:
        raise ZhipaiError("E5106")
    return dataset.take(rows)


def answer(
    ranker: UnitRanker, dataset: TrainingSet, *, as_of: datetime, progress: Progress | None = None, test: str = ""
) -> KeyedAnswers:
    """The ranker's answers to every order of ``dataset`` (which has vectors) whose unit is in force."""
    # The answers are wanted, not the intervals: one round.
    measured = measure(ranker, dataset, as_of=as_of, progress=progress, rounds=1)
    keys = row_keys(dataset)
    return KeyedAnswers(tuple(keys[row] for row in measured.rows), measured.answers, test)
