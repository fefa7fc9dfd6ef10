"""Historic orders nearby: they vote for their units, they are shown as evidence, and their distance says "unlike any"."""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np

#: Added to a unit's share of the votes before the logarithm: what no vote at all is worth.
NO_VOTE = 1e-3


@dataclass(frozen=True)
class Space:
    """Standardises vectors. e5 vectors lie in a narrow cone, where plain cosines say little."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray) -> Space:
        spread = vectors.std(axis=0, dtype=np.float64)
        scale = np.where(spread > 0, spread, 1) * np.sqrt(vectors.shape[1])
        return cls(vectors.mean(axis=0, dtype=np.float64).astype(np.float32), scale.astype(np.float32))

    def standard(self, vectors: np.ndarray) -> np.ndarray:
        """For linear models: about length 1, not exactly."""
        return (vectors - self.mean) / self.scale

    def direction(self, vectors: np.ndarray) -> np.ndarray:
        """For neighbours: exactly length 1."""
        standard = self.standard(vectors)
        length = np.linalg.norm(standard, axis=-1, keepdims=True)
        return np.ascontiguousarray(standard / np.where(length > 0, length, 1), np.float32)


class Neighbours:
    """A flat FAISS index over directions, and the unit (a candidate's number) of each order in it."""

    def __init__(self, index: faiss.Index, units: np.ndarray, *, count: int, sharpness: float):
        self.index = index
        self.units = units
        self._count = count
        self._sharpness = sharpness

    @classmethod
    def build(cls, directions: np.ndarray, units: np.ndarray, *, count: int, sharpness: float) -> Neighbours:
        index = faiss.IndexFlatIP(directions.shape[1])
        index.add(directions)
        return cls(index, units.astype(np.int32), count=count, sharpness=sharpness)

    def find(self, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Similarities and row numbers of the nearest orders, the nearest first: two (n, count) arrays."""
        return self.index.search(directions, min(self._count, len(self.units)))

    @property
    def settings(self) -> dict[str, float]:
        """What :meth:`__init__` needs besides the arrays."""
        return {"count": self._count, "sharpness": self._sharpness}

    def votes(self, similarities: np.ndarray) -> np.ndarray:
        """Each neighbour's share of the vote: (n, count), rows sum to 1."""
        votes = np.exp((similarities - similarities[:, :1]) * self._sharpness)
        return votes / votes.sum(axis=1, keepdims=True)

    def margins(self, votes: np.ndarray, rows: np.ndarray, candidates: int) -> np.ndarray:
        """Logarithm of each candidate's share: (n, candidates)."""
        shares = np.zeros((len(rows), candidates), np.float32)
        np.add.at(shares, (np.arange(len(rows))[:, None], self.units[rows]), votes)
        return np.log(shares + np.float32(NO_VOTE))
