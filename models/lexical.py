"""Characters that an order shares with a unit's name and with its duty lines: what a vector blurs, a pair of them says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


def _pairs(text: str) -> set[str]:
    return {a + b for a, b in pairwise(text) if a.isalnum() and b.isalnum()}


@dataclass(frozen=True)
class Lexical:
    """Pairs of characters in lines, weighed by how few of the lines have them. Units may share a line.

    Parameters
    ----------
    terms : dict
        Pair -> row of ``weights``.
    weights : ndarray of float32, (pairs, distinct lines)
        What a pair adds when the order has it; the whole of a line makes 1.
    lines : ndarray of int, (lines,)
        Which of the distinct lines each is.
    starts : ndarray of int, (candidates,)
        The first line of each candidate.
    """

    terms: dict[str, int]
    weights: np.ndarray
    lines: np.ndarray
    starts: np.ndarray

    @classmethod
    def build(cls, lines: Sequence[str], owners: np.ndarray) -> Lexical:
        """``owners`` (lines,) numbers the candidate of each line, ascending; each candidate has at least one."""
        distinct = sorted(set(lines))
        held = [_pairs(line) for line in distinct]
        counts = Counter(pair for pairs in held for pair in pairs)
        terms = {pair: row for row, pair in enumerate(sorted(counts))}
        weights = np.zeros((len(terms), len(distinct)), np.float32)
        for column, pairs in enumerate(held):
            for pair in pairs:
                weights[terms[pair], column] = np.log((1 + len(distinct)) / counts[pair])
        total = weights.sum(axis=0)
        number = {line: column for column, line in enumerate(distinct)}
        return cls(
            terms,
            weights / np.where(total > 0, total, 1),
            np.array([number[line] for line in lines]),
            np.flatnonzero(np.diff(owners, prepend=-1)),
        )

    def overlap(self, text: str) -> np.ndarray:
        """Each candidate's best line: the share of its weight that stands in the text, (candidates,) float32."""
        found = [self.terms[pair] for pair in sorted(_pairs(text)) if pair in self.terms]
        return np.maximum.reduceat(self.weights[found].sum(axis=0)[self.lines], self.starts)

    def overlaps(self, texts: Sequence[str]) -> np.ndarray:
        """(n, candidates) float32."""
        return np.stack([self.overlap(text) for text in texts])
