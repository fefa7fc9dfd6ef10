"""How near a text comes to what the directory says a unit does. It reaches units that have few historic orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intake.unit import UnitDirectory
from models.candidates import Candidates, latest_units
from models.encoder import Encoder
from models.progress import Progress


@dataclass(frozen=True)
class Duties:
    """Lines of all candidates with their vectors, centred on their mean.

    Parameters
    ----------
    lines : tuple of str
        The duty lines of each unit; the function's name for a unit without any.
    owners : ndarray of int32, (lines,)
        Number of the candidate that a line belongs to, ascending; each candidate has at least one line.
    vectors : ndarray of float32, (lines, dim)
    """

    lines: tuple[str, ...]
    owners: np.ndarray
    vectors: np.ndarray

    @classmethod
    def build(
        cls, candidates: Candidates, directory: UnitDirectory, encoder: Encoder, progress: Progress | None
    ) -> Duties:
        units = latest_units(directory)
        rows = [
            (i, line)
            for i, name in enumerate(candidates.names)
            for line in units[name].duties or (candidates.functions[i] or name,)
        ]
        lines = tuple(line for _, line in rows)
        distinct = sorted(set(lines))
        encoded = encoder.encode(distinct, kind="passage", progress=progress)
        vectors = encoded[[distinct.index(line) for line in lines]]
        return cls(lines, np.array([i for i, _ in rows], np.int32), vectors - vectors.mean(axis=0))

    def near(self, centred: np.ndarray) -> np.ndarray:
        """How near texts come to each line: (n, lines). ``centred`` is (n, dim), with the orders' mean taken off."""
        return centred @ self.vectors.T

    def margins(self, near: np.ndarray) -> np.ndarray:
        """Each candidate's nearest line, in standard deviations over the candidates: (n, candidates)."""
        starts = np.flatnonzero(np.diff(self.owners, prepend=-1))
        best = np.maximum.reduceat(near, starts, axis=1)
        spread = best.std(axis=1, keepdims=True)
        return ((best - best.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)).astype(np.float32)
