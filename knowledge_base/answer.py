"""What a text asks of the knowledge index, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from knowledge_base.entry import KnowledgeEntry
from knowledge_base.filters import Where
from knowledge_base.fusion import probability


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found.

    Parameters
    ----------
    entry : KnowledgeEntry
    score : float
        Probability in [0, 1] that the entry answers the text, for texts of which half have an answer in the base. It
        is fitted on real questions and answers; with the bundled city's entries it is about half of what it should be
        (docs/decisions/0003-fusion.md). The order of hits is that of ``parts["fused"]``.
    parts : dict
        ``dense``, ``bm25``, ``tfidf`` in standard deviations above the average text, and ``fused``, their sum by weight.
    """

    entry: KnowledgeEntry
    score: float
    parts: dict[str, float]


#: Why a text is answered or not.
FOUND = "找到了答得上的条目"
NOTHING_ASKED = "文字里没有可查的内容"
NONE_IN_FORCE = "当日、当地没有可用的条目"
NO_CHINESE = "文字里没有汉字，可能是拼音或外文，请写成汉字再查"
NOT_NEAR = "没有一条足够接近，列出的只供参考"
NOTHING_NEAR = "没有接近的条目"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a text found.

    Parameters
    ----------
    hits : tuple of Hit
        Best first; may hold entries although none answers.
    answered : bool
        Whether the first hit's score reaches :data:`knowledge_base.fusion.LEAST_SCORE`.
    reason : str
        Why, in a few Chinese words.
    """

    hits: tuple[Hit, ...]
    answered: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """Positions of the best entries, best first, their scores by part, and the :func:`knowledge_base.fusion.signs` of
    whether they answer."""

    positions: np.ndarray
    parts: dict[str, np.ndarray]
    signs: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """Probabilities that they answer. None is likelier than one before it: the order is that of the fused scores."""
        return np.minimum.accumulate(probability(self.signs))


@dataclass(frozen=True, slots=True)
class ByWords:
    """What entries and background texts have in common with a text by its words and characters alone.

    Parameters
    ----------
    bm25, tfidf : ndarray of float32, (entries and background,)
        In standard deviations above the mean of those that may be found.
    share : float
        The share of the text, by the weight of its characters, that the texts know.
    shared : ndarray of float32, (entries and background,)
        The two summed by their weights.
    pool : ndarray of int
        Positions of the entries that share most.
    """

    bm25: np.ndarray
    tfidf: np.ndarray
    share: float
    shared: np.ndarray
    pool: np.ndarray


@dataclass(frozen=True, slots=True)
class Question:
    """A text read as far as it can be while its vector is not known.

    Parameters
    ----------
    text : str
        Normalised.
    where : Where
        Which entries may be found; ``allowed`` is the mask of them.
    by_words : ByWords or None
        None for a question that nothing can answer, and ``reason`` says why.
    """

    text: str
    where: Where
    allowed: np.ndarray
    by_words: ByWords | None
    reason: str = ""
