"""Fields known at filing (工单类型, 行业分类, 渠道): how much more often than in general each unit got such orders.

Silent, that is 0 for every candidate, for a field that is empty or whose value no historic order has: a model that was
trained with fields answers a bare text as one without would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Fields that are read, by their names in :class:`intake.order.WorkOrder`, and what a dispatcher calls them.
FIELDS = {"order_type": "工单类型", "category": "行业分类", "channel": "渠道"}
#: Parts a value into its levels, the widest first.
LEVEL = "/"
#: Orders that the wider level counts for, when a narrower one is asked.
BELIEF = 5.0
#: Added to every unit's count: what a unit without orders is worth.
NO_ORDER = 0.5


def levels(value: str) -> list[str]:
    """``a/b/c`` as ``a``, ``a/b``, ``a/b/c``."""
    parts = [part.strip() for part in value.split(LEVEL)]
    paths = [LEVEL.join(parts[: end + 1]) for end in range(len(parts))]
    return [path for path, part in zip(paths, parts, strict=True) if part]


@dataclass(frozen=True)
class FieldCounts:
    """How many historic orders with a value went to each candidate.

    Parameters
    ----------
    rows : dict
        (field, path of levels) -> row of ``counts``.
    counts : ndarray of float32, (paths, candidates)
    units : ndarray of float32, (candidates,)
        Orders of each candidate, with or without fields.
    functions : ndarray of int, (candidates,)
        Number of each candidate's function.
    """

    rows: dict[tuple[str, str], int]
    counts: np.ndarray
    units: np.ndarray
    functions: np.ndarray

    @classmethod
    def count(cls, fields: Sequence[Mapping[str, str]], targets: np.ndarray, functions: Sequence[str]) -> FieldCounts:
        """``fields`` (n,) maps name to value, ``targets`` (n,) numbers the accepted units."""
        paths = [[(name, path) for name in FIELDS for path in levels(order.get(name, ""))] for order in fields]
        rows = {key: row for row, key in enumerate(sorted({key for keys in paths for key in keys}))}
        counts = np.zeros((len(rows), len(functions)), np.float32)
        for keys, target in zip(paths, targets.tolist(), strict=True):
            for key in keys:
                counts[rows[key], target] += 1
        units = np.bincount(targets, minlength=len(functions)).astype(np.float32)
        return cls(rows, counts, units, function_numbers(functions))

    def margins(self, fields: Mapping[str, str]) -> np.ndarray:
        """For each of :data:`FIELDS` log-odds against what is usual, of the unit and of its function: (2 × fields, candidates)."""
        general = self.units + np.float32(NO_ORDER)
        general /= general.sum()
        layers = []
        for name in FIELDS:
            share = general
            for path in levels(fields.get(name, "")):
                row = self.rows.get((name, path))
                if row is None:
                    break
                counts = self.counts[row]
                share = (counts + np.float32(BELIEF) * share) / (counts.sum() + np.float32(BELIEF))
            if share is general:
                layers += [np.zeros_like(general)] * 2
            else:
                layers += [np.log(share / general), np.log(self._by_function(share) / self._by_function(general))]
        return np.stack(layers)

    def all_margins(self, fields: Sequence[Mapping[str, str]]) -> np.ndarray:
        """(n, candidates, 2 × fields) float32."""
        return np.stack([self.margins(order).T for order in fields])

    def _by_function(self, shares: np.ndarray) -> np.ndarray:
        return np.bincount(self.functions, shares)[self.functions].astype(np.float32)


def function_numbers(functions: Sequence[str]) -> np.ndarray:
    """A number for each candidate's function, the same for the same function: (candidates,)."""
    return np.unique(np.array(functions), return_inverse=True)[1]
