"""Which texts hold which terms, and how often: whole numbers only, so that nothing here depends on the other texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

import numpy as np
from scipy import sparse

#: A term is counted up to here in one text: a byte for each posting.
MOST = 255
_CHUNK = 4000
#: Postings worked on at a time where all of them are.
STRIDE = 4_000_000


class _Numbers(dict[str, int]):
    """Gives a term that it does not know the next number."""

    def __missing__(self, term: str) -> int:
        number = self[term] = len(self)
        return number


@dataclass(frozen=True)
class Postings:
    """Inverted lists of some texts, addressed by slot.

    Parameters
    ----------
    vocabulary : dict
        Term -> its list.
    starts : np.ndarray
        (terms + 1,) int64: list ``t`` is ``slots[starts[t]:starts[t + 1]]`` with ``counts`` of the same places.
    slots, counts : np.ndarray
        int32 and uint8: the texts that hold a term, and how often (at most :data:`MOST`).
    lengths : np.ndarray
        (slots,) int64: terms of each text, repetitions included.
    """

    vocabulary: dict[str, int]
    starts: np.ndarray
    slots: np.ndarray
    counts: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]]) -> Postings:
        """From the terms of each text."""
        numbers = _Numbers()
        blocks, lengths = [], []
        every = iter(texts)
        while chunk := list(islice(every, _CHUNK)):
            sizes = np.array([len(terms) for terms in chunk], np.int64)
            columns = np.fromiter(map(numbers.__getitem__, chain.from_iterable(chunk)), np.int32, int(sizes.sum()))
            ends = np.concatenate([[0], np.cumsum(sizes)])
            block = sparse.csr_matrix(
                (np.ones(len(columns), np.int32), columns, ends), shape=(len(chunk), len(numbers))
            )
            block.sum_duplicates()
            blocks.append((block.indices, np.minimum(block.data, MOST).astype(np.uint8), np.diff(block.indptr)))
            lengths.append(sizes)
        if not blocks:
            return cls({}, np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.int64))
        columns, counts, held = (np.concatenate(part) for part in zip(*blocks, strict=True))
        ends = np.concatenate([[0], np.cumsum(held)])
        by_term = sparse.csr_matrix((counts, columns, ends), shape=(len(held), len(numbers))).tocsc()
        starts, slots = by_term.indptr.astype(np.int64), by_term.indices.astype(np.int32)
        return cls(dict(numbers), starts, slots, by_term.data, np.concatenate(lengths))

    @property
    def size(self) -> int:
        return len(self.lengths)

    @cached_property
    def terms(self) -> list[str]:
        """The vocabulary by number."""
        return list(self.vocabulary)

    def summed(self, values: np.ndarray, of_term: np.ndarray) -> np.ndarray:
        """(slots,) int64 sums of ``values[count] * of_term[term]`` over what each text holds; both are whole numbers."""
        total = np.zeros(self.size, np.float64)  # Exact: the sums stay below 2 ** 53.
        widths = np.diff(self.starts)
        first = 0
        while first < len(widths):
            last = max(int(np.searchsorted(self.starts, self.starts[first] + STRIDE, "right")) - 1, first + 1)
            part = slice(self.starts[first], self.starts[last])
            weights = values[self.counts[part]] * np.repeat(of_term[first:last], widths[first:last])
            total += np.bincount(self.slots[part], weights, minlength=self.size)
            first = last
        return total.astype(np.int64)

    def with_texts(self, texts: Iterable[Sequence[str]]) -> Postings:
        """These texts and, behind them, others."""
        other = Postings.of(texts)
        return joined(self, np.arange(self.size), other, self.size + np.arange(other.size))

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Everything as arrays without Python objects."""
        terms = np.frombuffer("\n".join(self.vocabulary).encode(), np.uint8)
        parts = {"terms": terms, "starts": self.starts, "slots": self.slots, "counts": self.counts}
        return {f"{prefix}_{name}": part for name, part in (parts | {"lengths": self.lengths}).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str) -> Postings:
        starts, slots, counts, lengths = (
            arrays[f"{prefix}_{name}"] for name in ("starts", "slots", "counts", "lengths")
        )
        terms = arrays[f"{prefix}_terms"].tobytes().decode().split("\n")
        return cls(dict(zip(terms, range(len(starts) - 1), strict=False)), starts, slots, counts, lengths)


def joined(one: Postings, places: np.ndarray, other: Postings, others: np.ndarray) -> Postings:
    """Two sets of postings as one; ``places`` and ``others`` are the new slot of each text, -1 for one that goes."""
    vocabulary = _Numbers(one.vocabulary)
    numbers = np.fromiter(map(vocabulary.__getitem__, other.vocabulary), np.int64, len(other.vocabulary))
    stay, widths = _alive(one, places)
    came, more = _alive(other, others)
    widths = np.concatenate([widths, np.zeros(len(vocabulary) - len(widths), np.int64)])
    # The lists of ``other`` in the order of the common vocabulary, each put at the end of the list of ``one``.
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(more)
    taken = np.concatenate([[0], np.cumsum(more[order])])
    source = np.repeat((ends - more)[order] - taken[:-1], more[order]) + np.arange(taken[-1])
    place = np.repeat(np.cumsum(widths)[numbers[order]], more[order])
    slots = np.insert(places[one.slots[stay]].astype(np.int32), place, others[other.slots[came]][source])
    counts = np.insert(one.counts[stay], place, other.counts[came][source])
    widths[numbers] += more
    lengths = np.zeros(int((places >= 0).sum() + (others >= 0).sum()), np.int64)
    lengths[places[places >= 0]] = one.lengths[places >= 0]
    lengths[others[others >= 0]] = other.lengths[others >= 0]
    return Postings(dict(vocabulary), np.concatenate([[0], np.cumsum(widths)]), slots, counts, lengths)


def _alive(postings: Postings, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask of the postings of texts that stay, and how many each list has of them."""
    stay = (places >= 0)[postings.slots]
    before = np.concatenate([[0], np.cumsum(stay)])
    return stay, before[postings.starts[1:]] - before[postings.starts[:-1]]
