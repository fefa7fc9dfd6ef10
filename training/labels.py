"""Which orders to label next: those the model is torn about, spread over what it has not seen, one of each repetition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.neighbours import Space

Strategy = Literal["margin", "entropy", "random"]
STRATEGIES: tuple[Strategy, ...] = ("margin", "entropy", "random")
#: The most useful orders, this many times the wanted number, are clustered; one of each cluster is taken.
BREADTH = 5
#: Orders that are looked at together, in turn, for repetitions.
PART = 256
#: Orders nearer than this (cosine, about their mean) repeat one another: one label is enough for both.
SAME = 0.9


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An order worth labelling: its row, how unsure the model is (0 to 1), and how many others it stands for."""

    row: int
    usefulness: float
    stands_for: int


def usefulness(probabilities: np.ndarray, strategy: Strategy) -> np.ndarray:
    """How unsure the model is of each order, 0 to 1.

    Parameters
    ----------
    probabilities : ndarray, (n, shown)
        Of the likeliest units, the best first; what is not shown is the rest to 1.
    strategy : str
        ``margin``: 1 less the lead of the first over the second; ``entropy``: over the shown units and the rest,
        divided by its largest value; ``random``: all the same.
    """
    if strategy == "random":
        return np.ones(len(probabilities))
    if strategy == "margin":
        second = probabilities[:, 1] if probabilities.shape[1] > 1 else np.zeros(len(probabilities))
        return np.clip(1 - (probabilities[:, 0] - second), 0, 1)
    rest = np.clip(1 - probabilities.sum(axis=1, keepdims=True), 0, 1)
    full = np.clip(np.hstack([probabilities, rest]), 1e-12, 1)
    return -(full * np.log(full)).sum(axis=1) / np.log(full.shape[1])


def suggest(
    vectors: np.ndarray,
    probabilities: np.ndarray,
    *,
    count: int,
    strategy: Strategy = "margin",
    groups: Sequence[str] = (),
    seed: int = 0,
) -> list[Suggestion]:
    """Choose ``count`` orders, the most useful first.

    The most useful ones are clustered by k-means weighted with their usefulness, and of each cluster the order nearest
    to its centre is taken (Zhdanov 2019, Diverse mini-batch Active Learning): unsure, typical and unlike one another.

    Parameters
    ----------
    vectors : ndarray of float32, (n, dim)
        From the encoder.
    probabilities : ndarray, (n, shown)
    groups : sequence of str, optional
        Known groups of repetitions; near-equal vectors are found besides.
    """
    useful = usefulness(probabilities, strategy)
    # The encoder's vectors lie in a narrow cone; about their mean they tell orders apart.
    vectors = Space.fit(vectors).direction(vectors)
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.permutation(len(useful)), -useful))
    kept, stands_for = _first_of_each(vectors, order, groups, limit=BREADTH * count)
    if strategy == "random" or len(kept) <= count:
        chosen = kept[:count]
    else:
        chosen = _one_of_each_cluster(vectors, useful, kept, count, seed)
    chosen = sorted(chosen, key=lambda row: (-useful[row], row))
    return [Suggestion(int(row), float(useful[row]), stands_for[row]) for row in chosen]


def _first_of_each(
    vectors: np.ndarray, order: np.ndarray, groups: Sequence[str], *, limit: int
) -> tuple[list[int], dict[int, int]]:
    """The first ``limit`` rows of ``order`` that repeat none before them, and how many each stands for, itself too."""
    kept: list[int] = []
    stands_for: dict[int, int] = {}
    by_group: dict[str, int] = {}
    for start in range(0, len(order), PART):
        part = order[start : start + PART]
        among = vectors[part] @ vectors[part].T
        # The nearest of those kept before this part; within the part, of those kept so far.
        before = vectors[part] @ vectors[kept].T if kept else np.zeros((len(part), 0))
        inside: list[int] = []
        for place, row in enumerate(part.tolist()):
            group = groups[row] if groups else ""
            near = by_group.get(group) if group else None
            if near is None and before.shape[1] and before[place].max() >= SAME:
                near = kept[int(before[place].argmax())]
            if near is None and inside and among[place, inside].max() >= SAME:
                near = int(part[inside[int(among[place, inside].argmax())]])
            if near is not None:
                stands_for[near] += 1
                continue
            if len(kept) + len(inside) == limit:
                return kept + part[inside].tolist(), stands_for
            inside.append(place)
            stands_for[row] = 1
            if group:
                by_group[group] = row
        kept += part[inside].tolist()
    return kept, stands_for


def _one_of_each_cluster(
    vectors: np.ndarray, useful: np.ndarray, rows: Sequence[int], count: int, seed: int
) -> list[int]:
    from sklearn.cluster import KMeans

    part, weights = vectors[list(rows)], useful[list(rows)] + 1e-6
    found = KMeans(count, n_init=1, max_iter=20, random_state=seed).fit(part, sample_weight=weights)
    distances = found.transform(part)
    chosen = []
    for cluster in range(count):
        members = np.flatnonzero(found.labels_ == cluster)
        if len(members):
            chosen.append(rows[int(members[distances[members, cluster].argmin()])])
    return chosen
