"""What more labels buy, and what choosing them well buys: accuracy by the number of labelled orders.

Measured with softmax regression over the encoder's vectors alone. It takes a second where the whole ranker takes a
minute, so that dozens of trainings fit into minutes; its accuracy is below the ranker's, the comparison of ways to
choose labels is what it is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from models.linear import fit_softmax
from models.neighbours import Space
from models.progress import Progress, silent
from training.dataset import TrainingSet
from training.labels import Strategy, suggest
from training.split import grouped_split

STEP = "学习曲线"
#: Orders that are labelled at a time, as a share of those labelled already, and at the least.
BATCH, LEAST = 0.25, 100
FIRST = 250
#: Probabilities that a choice looks at.
SHOWN = 10


def learning_curve(
    dataset: TrainingSet,
    *,
    sizes: Sequence[int] = (500, 1000, 2000, 8000),
    seeds: int = 3,
    strategy: Strategy = "margin",
    softmax_c: float = 30.0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Label orders one batch after the other, at random or as suggested, and measure on a held-out fifth.

    Parameters
    ----------
    dataset : TrainingSet
        With vectors. Its labels play the annotator.
    sizes : sequence of int
        Numbers of labels at which accuracy is read; one beyond the data is read at all of it.
    seeds : int
        Repetitions, each with first orders of its own.

    Returns
    -------
    dict
        ``test`` orders, ``points``: for each size ``random`` and ``suggested`` (mean top-1, top-3 and macro-F1 over
        the seeds), ``margin`` (mean difference in top-1 of the same seeds, with the standard error ``margin_se``).
    """
    if dataset.vectors is None:
        raise ValueError("the learning curve needs vectors")
    report = progress or silent
    train, test = grouped_split(dataset.groups, dataset.units, holdout=0.2, seed=0)
    wanted = sorted({min(size, len(train)) for size in sizes})
    runs: dict[str, list[dict[int, dict[str, float]]]] = {"random": [], "suggested": []}
    for seed in range(seeds):
        for name, how in (("random", "random"), ("suggested", strategy)):
            runs[name].append(_one_run(dataset, train, test, wanted, how, seed, softmax_c))  # type: ignore[arg-type]
            report(STEP, sum(map(len, runs.values())), 2 * seeds)
    points = []
    for size in wanted:
        gains = [b[size]["top1"] - a[size]["top1"] for a, b in zip(runs["random"], runs["suggested"], strict=True)]
        spread = float(np.std(gains, ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else float("nan")
        means = {
            name: {key: float(np.mean([run[size][key] for run in found])) for key in found[0][size]}
            for name, found in runs.items()
        }
        points.append({"labels": size, **means, "margin": float(np.mean(gains)), "margin_se": spread})
    return {"test": len(test), "pool": len(train), "seeds": seeds, "strategy": strategy, "points": points}


def _one_run(
    dataset: TrainingSet,
    train: np.ndarray,
    test: np.ndarray,
    sizes: Sequence[int],
    strategy: Strategy,
    seed: int,
    softmax_c: float,
) -> dict[int, dict[str, float]]:
    """Figures at each size for one way to choose, from the same first orders for every way."""
    rng = np.random.default_rng(seed)
    labelled = rng.permutation(train)[: min(FIRST, min(sizes))].tolist()
    found = {}
    while True:
        wanted = next(size for size in sizes if size >= len(labelled))
        probabilities, names = _probabilities(dataset, labelled, softmax_c)
        if len(labelled) == wanted:
            found[wanted] = _figures(probabilities(test), names, [dataset.units[row] for row in test])
            if wanted == sizes[-1]:
                return found
            wanted = sizes[sizes.index(wanted) + 1]
        inside = set(labelled)
        pool = np.array([row for row in train if row not in inside])
        batch = min(max(LEAST, int(BATCH * len(labelled))), wanted - len(labelled))
        if batch >= len(pool):
            labelled += pool.tolist()
            continue
        shown = np.sort(probabilities(pool), axis=1)[:, ::-1][:, :SHOWN]
        vectors = dataset.vectors[pool]  # type: ignore[index]
        picked = suggest(vectors, shown, count=batch, strategy=strategy, seed=seed)
        rows = [int(pool[one.row]) for one in picked]
        # Fewer than wanted stand apart from one another: the rest is drawn.
        rest = [row for row in rng.permutation(pool).tolist() if row not in set(rows)]
        labelled += (rows + rest)[:batch]


def _probabilities(dataset: TrainingSet, labelled: Sequence[int], softmax_c: float) -> tuple[Any, list[str]]:
    """A function from rows to probabilities (n, units), and the names of the units."""
    vectors = dataset.vectors[list(labelled)]  # type: ignore[index]
    space = Space.fit(vectors)
    model = fit_softmax(space.standard(vectors), [dataset.units[row] for row in labelled], c=softmax_c)

    def of(rows: np.ndarray) -> np.ndarray:
        return softmax(space.standard(dataset.vectors[rows]) @ model.weights + model.bias, axis=1)  # type: ignore[index]

    return of, list(model.classes)


def _figures(probabilities: np.ndarray, names: Sequence[str], truth: Sequence[str]) -> dict[str, float]:
    from sklearn.metrics import f1_score

    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    first = [names[row[0]] for row in order]
    return {
        "top1": float(np.mean([one == unit for one, unit in zip(first, truth, strict=True)])),
        "top3": float(np.mean([unit in [names[i] for i in row] for row, unit in zip(order, truth, strict=True)])),
        "macro_f1": float(f1_score(truth, first, average="macro", zero_division=0)),
    }
