"""A held-out part that shares no group of repeated orders with the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.folds import grouped_folds


def grouped_split(
    groups: Sequence[str], units: Sequence[str], *, holdout: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the training part and of the held-out part.

    The held-out part is one of ``round(1 / holdout)`` grouped folds: whole groups, units spread as evenly as groups
    allow. Rows with an empty group are a group each. Equal arguments give equal parts.

    >>> train, test = grouped_split(["a", "a", "b", "c", "d", "e"], ["x"] * 6, holdout=0.5, seed=0)
    >>> len(train), len(test)
    (3, 3)
    """
    folds = grouped_folds(groups, units, folds=max(2, round(1 / holdout)), seed=seed)
    return np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
