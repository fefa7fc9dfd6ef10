"""What the trees see of the likeliest candidates: every view's margin alone, against the best, and what surrounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Places that are kept for candidates without a historic order, the nearest by their duties.
COLD = 5
#: A probability of nothing at all.
NOTHING = np.float32(1e-6)
#: What :func:`columns` adds to the views: sums over a function and a district, and the fusion itself.
SUMS = ("function_sum", "district_sum", "fused")
#: One number of each candidate, and of the order.
OWN = ("place", "orders_unit", "orders_function", "name_overlap", "duty_overlap")
ORDER = ("nearest", "length", "doubt")


def columns(views: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of :meth:`Shortlister.rows`."""
    base = (*views, *SUMS)
    return (*base, *(f"{name}_behind" for name in base), *OWN, *ORDER)


@dataclass(frozen=True)
class Shortlister:
    """Chooses candidates and describes them.

    Parameters
    ----------
    functions, districts : tuple of str, (candidates,)
    duty : int
        Which of the views is the nearness of duties.
    count : int
        Candidates that the trees rank.
    """

    functions: tuple[str, ...]
    districts: tuple[str, ...]
    duty: int
    count: int

    def choose(self, fused: np.ndarray, duty: np.ndarray, orders: np.ndarray) -> np.ndarray:
        """Numbers of the candidates (n, count), the likeliest first. ``orders`` (n or 1, candidates) as in :meth:`rows`."""
        size = fused.shape[1]
        at = np.arange(len(fused))[:, None]
        if size <= self.count:
            return np.argsort(-fused, axis=1, kind="stable")
        wanted = fused
        cold = orders == 0
        if cold.any():
            near = np.where(cold, duty, -np.inf)
            kept = max(1, min(COLD, self.count // 2))
            best = np.argpartition(-near, kept - 1, axis=1)[:, :kept]
            wanted = fused.copy()
            wanted[at, best] = np.where(near[at, best] > -np.inf, np.inf, fused[at, best])
        chosen = np.sort(np.argpartition(-wanted, self.count - 1, axis=1)[:, : self.count], axis=1)
        return chosen[at, np.argsort(-fused[at, chosen], axis=1, kind="stable")]

    def rows(
        self,
        margins: np.ndarray,
        logs: np.ndarray,
        chosen: np.ndarray,
        *,
        orders: np.ndarray,
        overlaps: np.ndarray,
        nearest: np.ndarray,
        lengths: np.ndarray,
    ) -> np.ndarray:
        """Describe the chosen candidates: (n, count, columns) float32.

        Parameters
        ----------
        margins : ndarray of float32, (n, candidates, views)
        logs : ndarray of float32, (n, candidates)
            Logarithms of the probabilities of the linear fusion.
        chosen : ndarray of int, (n, count)
        orders : ndarray of float32, (n or 1, candidates)
            Historic orders of each candidate, of those that the views know.
        overlaps : ndarray of float32, (n, candidates, 2)
            With the unit's name and with its duty lines.
        nearest, lengths : ndarray of float32, (n,)
            Similarity of the nearest order; characters of the text.
        """
        n, count = chosen.shape
        at = np.arange(n)[:, None]
        shares = np.exp(logs)
        views, width = margins.shape[2], margins.shape[2] + len(SUMS)
        found = np.empty((n, count, 2 * width + len(OWN) + len(ORDER)), np.float32)
        base, own = found[:, :, :width], found[:, :, 2 * width :]
        base[:, :, :views] = margins[at, chosen]
        for column, (onehot, numbers) in enumerate(self._sums, start=views):
            base[:, :, column] = np.log(shares @ onehot + NOTHING)[at, numbers[chosen]]
        base[:, :, width - 1] = logs[at, chosen]
        np.subtract(base, base.max(axis=1, keepdims=True), out=found[:, :, width : 2 * width])
        onehot, numbers = self._sums[0]
        who = at if len(orders) > 1 else 0
        own[:, :, 0] = np.arange(count)
        own[:, :, 1] = np.log(orders[who, chosen] + np.float32(0.5))
        own[:, :, 2] = np.log((orders @ onehot)[who, numbers[chosen]] + np.float32(0.5))
        own[:, :, 3:5] = overlaps[at, chosen]
        own[:, :, 5] = nearest[:, None]
        own[:, :, 6] = np.log1p(lengths)[:, None]
        own[:, :, 7] = -(shares * logs).sum(axis=1)[:, None]
        return found

    @cached_property
    def _sums(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """For functions and for districts: which candidates belong to each, (candidates, names), and each one's number."""
        found = []
        for names in (self.functions, self.districts):
            numbers = np.unique(np.array(names), return_inverse=True)[1]
            found.append((np.eye(numbers.max() + 1, dtype=np.float32)[numbers], numbers))
        return tuple(found)
