"""From three scores on three scales to one probability. Why so, and the figures: docs/decisions/0003-fusion.md, 0005-search.md."""

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
#: In a base of a few entries the also-rans are background texts, which lie farther off than those of a full base; among
#: many twins of one entry they are as good as the answer. Real questions lie between these.
ALSO_RAN_RANGE = (2.0, 4.5)
#: Weights of :func:`signs` in the logarithm of the odds of an answer; fitted on the tuning halves of three sets.
SIGN_WEIGHTS, INTERCEPT = (3.75, 1.26, 0.168), -5.45
#: Of a query that the base hardly knows, characters say nothing.
LEAST_SHARE = 0.2
#: An entry whose fused score is below this is noise; a reader is better served by an empty list.
LEAST_FUSED = 1.5
#: The first hit answers from this score on. The cut that tells questions with and without an answer in the base apart
#: best on the tuning halves is 0.13; it is set higher because a quote that does not answer costs more than a look at
#: the list (docs/decisions/0005-search.md).
LEAST_SCORE = 0.2


def standardise(scores: np.ndarray, share: float, counted: np.ndarray) -> np.ndarray:
    """Lexical scores in standard deviations above the mean of those ``counted`` (a mask), cut at the maximum.

    Times the ``share`` of the query that the texts know: "世界杯谁赢了" is not answered by the one entry with 赢.
    """
    measure = scores[counted]
    deviation = max(float(measure.std()), 1e-9)
    return share * np.minimum((scores - measure.mean()) / deviation, MAX_DEVIATIONS)


def also_ran(fused: np.ndarray) -> float:
    """Mean fused score of the also-rans, from the fused scores of entries and background together."""
    ranked = np.sort(fused)[::-1]
    return float(np.clip(ranked[ALSO_RAN].mean(), *ALSO_RAN_RANGE))


def signs(fused: np.ndarray, others: float, *, distinct: np.ndarray, tfidf: np.ndarray, share: float) -> np.ndarray:
    """What tells whether entries answer a query: (entries, 3).

    How many times the also-rans an entry scores, which means the same in a base of ten entries and of two thousand, of
    short answers and of long ones, where the fused score itself does not; whether query and entry are one another's
    nearest (:meth:`knowledge_base.dense.DenseIndex.distinct`); and how far its characters set it off from other entries,
    whatever share of the query the base knows.

    Parameters
    ----------
    fused, distinct, tfidf : np.ndarray
        (entries,)
    others : float
        :func:`also_ran` of the query.
    share : float
        That :func:`standardise` was given for ``tfidf``.
    """
    ratio = np.log(np.maximum(fused, 0.1) / others)
    return np.stack([ratio, distinct, tfidf / max(share, LEAST_SHARE)], axis=1)


def probability(found: np.ndarray) -> np.ndarray:
    """Probability that entries with these :func:`signs` answer their queries."""
    return 1 / (1 + np.exp(-(found @ np.array(SIGN_WEIGHTS) + INTERCEPT)))
