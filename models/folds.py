"""Seeded folds that never cut through a group of repeated orders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np


def group_ids(groups: Sequence[str]) -> np.ndarray:
    """A number for each row; rows without a group are a group of their own."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(group or f"\0{i}", len(seen)) for i, group in enumerate(groups)], np.int64)


def grouped_folds(groups: Sequence[str], labels: Sequence[object], *, folds: int, seed: int) -> np.ndarray:
    """The fold (0 … folds-1) of each row: whole groups, equal sizes, labels spread as evenly as groups allow.

    Groups are dealt out in random order, the largest first, each to the fold that has fewest of the group's main
    label, then fewest rows.
    """
    ids = group_ids(groups)
    members: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(ids.tolist()):
        members[group].append(row)
    order = np.random.default_rng(seed).permutation(len(members)).tolist()
    order.sort(key=lambda group: -len(members[group]))
    per_label: dict[object, list[int]] = defaultdict(lambda: [0] * folds)
    sizes = [0] * folds
    result = np.zeros(len(ids), np.int64)
    for group in order:
        rows = members[group]
        counts = Counter(labels[row] for row in rows)
        main = max(counts, key=lambda label: (counts[label], str(label)))
        fold = min(range(folds), key=lambda k: (per_label[main][k], sizes[k], k))
        result[rows] = fold
        sizes[fold] += len(rows)
        for label, count in counts.items():
            per_label[label][fold] += count
    return result
