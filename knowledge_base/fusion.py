"""From three scores on three scales to one probability. Why so, and the figures: docs/decisions/0003-fusion.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Weights:
    """What a standard deviation of each score counts for."""

    dense: float = 1.0
    bm25: float = 0.1
    tfidf: float = 0.3


FUSED = Weights()
DENSE = Weights(dense=1.0, bm25=0.0, tfidf=0.0)
BM25 = Weights(dense=0.0, bm25=1.0, tfidf=0.0)

#: A word that one text of 50,000 holds would otherwise stand two hundred deviations out and outvote all else.
MAX_DEVIATIONS = 10.0
#: Ranks of the also-rans: what a query scores with texts that are near but, as a rule, not the answer.
ALSO_RAN = slice(5, 20)
#: The also-rans of a base of a few entries are background texts, which lie farther off than those of a full base.
LEAST_ALSO_RAN = 2.0
#: Odds of an answer are ``exp(INTERCEPT) * ratio ** SLOPE``; fitted on the tuning halves of two sets of real questions.
SLOPE, INTERCEPT = 5.39, -5.48
#: Below this an entry is noise; a reader is better served by an empty list.
MIN_SCORE = 0.02


def standardise(scores: np.ndarray) -> np.ndarray:
    """Lexical scores in standard deviations above their mean over all texts, at most :data:`MAX_DEVIATIONS`."""
    deviation = max(float(scores.std()), 1e-9)
    return np.minimum((scores - scores.mean()) / deviation, MAX_DEVIATIONS)


def also_ran(fused: np.ndarray) -> float:
    """Mean fused score of the also-rans, from the fused scores of entries and background together."""
    ranked = np.sort(fused)[::-1]
    return max(float(ranked[ALSO_RAN].mean()), LEAST_ALSO_RAN)


def probability(fused: np.ndarray, others: float) -> np.ndarray:
    """Probability that an entry with this fused score answers the query whose :func:`also_ran` is ``others``.

    What counts is how many times the also-rans an entry scores, which means the same in a base of ten entries and of
    two thousand, of short answers and of long ones; the fused score itself does not.
    """
    ratio = np.maximum(fused, 0.1) / others
    return 1 / (1 + np.exp(-(SLOPE * np.log(ratio) + INTERCEPT)))
