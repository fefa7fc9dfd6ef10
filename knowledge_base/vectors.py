"""Where the entries' vectors are kept and the nearest looked up: one small interface, in FAISS here, in Milvus there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import faiss
import numpy as np

from knowledge_base.entry import KnowledgeEntry
from knowledge_base.filters import Where

#: Above this many entries FAISS keeps the vectors in two bytes a number instead of four. They are rounded to that for
#: a base of any size, so that it makes no difference to the scores.
WIDE = 50_000


class Vectors(Protocol):
    """The vectors of a base, addressed by the position of their entries. Immutable and safe between threads."""

    def __len__(self) -> int: ...

    def nearest(self, vector: np.ndarray, *, allowed: np.ndarray, where: Where | None, top: int) -> np.ndarray:
        """Positions of the ``top`` nearest of those that the mask ``allowed`` admits, best first, equal ones by position.

        ``where`` is what the mask was made of, if it was made of one, for a store that filters by itself.
        """

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """(positions, dim) float32."""

    def replaced(
        self, stay: np.ndarray, came: np.ndarray, entries: Sequence[KnowledgeEntry], rows: np.ndarray
    ) -> Vectors:
        """With only those that ``stay`` (a mask) and, where the mask ``came`` says, those of other entries.

        ``entries`` are all entries in their new order, ``rows`` the vectors of those that came.
        """

    def compact(self) -> Vectors:
        """The same in one piece."""


class Backend(Protocol):
    """Keeps vectors."""

    def hold(self, entries: Sequence[KnowledgeEntry], rows: np.ndarray) -> Vectors:
        """The vectors of these entries; ``rows`` is (entries, dim)."""


def rounded(rows: np.ndarray) -> np.ndarray:
    """To half precision and back: what every store keeps."""
    return rows.astype(np.float16).astype(np.float32)


@dataclass(frozen=True)
class FaissVectors:
    """Two FAISS indexes, of the entries at the last :meth:`FaissBackend.hold` and of those that came since.

    Parameters
    ----------
    base, later : faiss.Index
    places : np.ndarray
        (entries,) number in ``base`` or, counted on, in ``later``.
    """

    base: Any
    later: Any
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def nearest(self, vector: np.ndarray, *, allowed: np.ndarray, where: Where | None, top: int) -> np.ndarray:
        behind = self.base.ntotal
        by_place = np.zeros(behind + self.later.ntotal, bool)
        by_place[self.places] = allowed
        scores, numbers = _search(self.base, vector, by_place[:behind], top)
        more, others = _search(self.later, vector, by_place[behind:], top)
        near = self._positions[np.concatenate([numbers, others + behind])]
        return near[np.lexsort((near, -np.concatenate([scores, more])))[:top]]

    @cached_property
    def _positions(self) -> np.ndarray:
        """Position by place; -1 for an entry that went."""
        positions = np.full(self.base.ntotal + self.later.ntotal, -1)
        positions[self.places] = np.arange(len(self.places))
        return positions

    def rows(self, positions: np.ndarray) -> np.ndarray:
        places = self.places[positions]
        late = places >= self.base.ntotal
        rows = np.empty((len(places), self.base.d), np.float32)
        rows[~late] = self.base.reconstruct_batch(places[~late])
        rows[late] = self.later.reconstruct_batch(places[late] - self.base.ntotal)
        return rows

    def replaced(
        self, stay: np.ndarray, came: np.ndarray, entries: Sequence[KnowledgeEntry], rows: np.ndarray
    ) -> FaissVectors:
        later = faiss.clone_index(self.later)
        behind = self.base.ntotal + later.ntotal
        later.add(np.ascontiguousarray(rows, np.float32))
        places = np.empty(len(came), np.int64)
        places[~came] = self.places[stay]
        places[came] = np.arange(behind, behind + len(rows))
        return FaissVectors(self.base, later, places)

    def compact(self) -> FaissVectors:
        return _held(self.rows(np.arange(len(self))))


def _search(index: Any, vector: np.ndarray, allowed: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and numbers of the nearest of those allowed; more than ``top`` where those behind it are as near."""
    size = min(top, int(allowed.sum()))
    if not size:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    # FAISS's type stubs show the C++ signatures, not the Python ones.
    bits = np.packbits(allowed, bitorder="little")
    search = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg, arg-type]
    most = size
    while True:
        most = min(2 * most, int(allowed.sum()))
        scores, numbers = index.search(vector[None, :], most, params=search)
        if most == allowed.sum() or scores[0, -1] < scores[0, size - 1]:
            near = scores[0] >= scores[0, size - 1]
            return scores[0][near], numbers[0][near]


def _empty(dim: int, wide: bool) -> Any:
    if wide:
        return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    return faiss.IndexFlatIP(dim)


def _held(rows: np.ndarray) -> FaissVectors:
    dim, wide = rows.shape[1], len(rows) > WIDE
    base, later = _empty(dim, wide), _empty(dim, wide)
    base.add(np.ascontiguousarray(rows, np.float32))
    return FaissVectors(base, later, np.arange(len(rows)))


class FaissBackend:
    """In this process: nothing to install, as fast as memory is read."""

    def hold(self, entries: Sequence[KnowledgeEntry], rows: np.ndarray) -> FaissVectors:
        return _held(rows)
