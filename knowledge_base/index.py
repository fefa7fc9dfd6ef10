"""The knowledge index: which entries in force answer a text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from intake.errors import ZhipaiError
from intake.order import MAX_TEXT
from knowledge_base import store
from knowledge_base.dense import DenseIndex, background_key, encode_entries
from knowledge_base.entry import PUBLISHED, KnowledgeEntry
from knowledge_base.fusion import FUSED, LEAST_FUSED, Weights, also_ran, probability, standardise
from knowledge_base.lexical import LexicalIndex
from knowledge_base.words import background_texts, lexicon_id, normalise, words
from models.encoder import Encoder
from models.progress import Progress, silent

#: Candidates that get all scores: the nearest in meaning, and those that share most words.
NEAREST, SHARED = 100, 50
_NEVER = date.max.toordinal() + 1


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


@dataclass(frozen=True, slots=True)
class Ranked:
    """Positions of the best entries, best first, their scores by part, and the score of the also-rans."""

    positions: np.ndarray
    parts: dict[str, np.ndarray]
    others: float


class KnowledgeIndex:
    """Entries indexed by word, by character and by meaning. Immutable and safe between threads.

    Made by :meth:`build` or :meth:`load`. ``entries`` stand in the order of their ids.
    """

    def __init__(
        self, entries: tuple[KnowledgeEntry, ...], encoder: Encoder, *, dense: DenseIndex, lexical: LexicalIndex
    ):
        self.entries = entries
        self.encoder = encoder
        self.dense = dense
        self.lexical = lexical
        self._published = np.array([entry.state == PUBLISHED for entry in entries], bool)
        self._from = np.array([entry.effective_from.toordinal() for entry in entries], np.int64)
        self._to = np.array([entry.effective_to.toordinal() if entry.effective_to else _NEVER for entry in entries])
        self._district = np.array([entry.district for entry in entries], object)

    @classmethod
    def build(
        cls,
        entries: Iterable[KnowledgeEntry],
        encoder: Encoder,
        *,
        cached: Mapping[str, np.ndarray] | None = None,
        progress: Progress | None = None,
    ) -> KnowledgeIndex:
        """Index entries of any state and time; what may be found is decided at the search.

        Parameters
        ----------
        cached : mapping
            :attr:`vectors` of an index by the same encoder: entries with a known content hash are not encoded again.

        Raises
        ------
        ZhipaiError
            E4015 if two entries share an id.
        """
        ordered = tuple(sorted(entries, key=lambda entry: entry.id))
        for before, entry in pairwise(ordered):
            if before.id == entry.id:
                raise ZhipaiError("E4015", {"id": entry.id, "first": "同一批条目中"})
        vectors = encode_entries(ordered, encoder, cached=cached or {}, progress=progress or silent)
        background = vectors.pop(background_key())
        rows = np.array([vectors[entry.content_hash] for entry in ordered], np.float32).reshape(-1, encoder.dim)
        lexical = LexicalIndex.build([*(entry.text for entry in ordered), *background_texts()])
        return cls(ordered, encoder, dense=DenseIndex(rows, background), lexical=lexical)

    @cached_property
    def id(self) -> str:
        """``kb-`` and 16 hex digits of the SHA-256 over the content hashes, sorted, and the encoder's id."""
        parts = [*sorted(entry.content_hash for entry in self.entries), self.encoder.id]
        return "kb-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @property
    def vectors(self) -> dict[str, np.ndarray]:
        """Content hash -> (dim,) vector of an entry, and the background's: to be handed to the next :meth:`build`."""
        rows = self.dense.vectors(np.arange(len(self.entries)))
        blocks = dict(zip((entry.content_hash for entry in self.entries), rows, strict=True))
        return blocks | {background_key(): self.dense.background}

    def search(
        self, text: str, *, as_of: datetime, vector: np.ndarray | None = None, district: str = "", top: int = 5
    ) -> tuple[Hit, ...]:
        """The entries that answer the text best, best first; none if the text asks nothing or nothing fits.

        Parameters
        ----------
        text : str
            As the citizen put it; the first 8,000 characters are read.
        as_of : datetime
            Aware. Only entries published and in force on its day are looked at.
        vector : np.ndarray or None
            (dim,) vector of the text as a query, if there is one already.
        district : str
            Only entries of this district or of the whole city are looked at; empty if unknown, which excludes none.

        Raises
        ------
        ZhipaiError
            E1004 for an ``as_of`` without a zone.
        """
        if as_of.tzinfo is None:
            raise ZhipaiError("E1004", {"field": "as_of"})
        text = normalise(text[:MAX_TEXT])
        allowed = self._allowed(as_of.date(), district)
        if not words(text) or not allowed.any():
            return ()
        if vector is None:
            vector = self.encoder.encode([text], kind="query")[0]
        ranked = self.rank(text, np.asarray(vector, np.float32), allowed=allowed, top=top)
        scores = probability(ranked.parts["fused"], ranked.others)
        return tuple(
            Hit(self.entries[position], float(score), {name: float(part[i]) for name, part in ranked.parts.items()})
            for i, (position, score) in enumerate(zip(ranked.positions, scores, strict=True))
            if ranked.parts["fused"][i] >= LEAST_FUSED
        )

    def _allowed(self, day: date, district: str) -> np.ndarray:
        """Mask of the entries that may be found on a day in a district."""
        number = day.toordinal()
        allowed = self._published & (self._from <= number) & (number < self._to)
        if district:
            allowed &= (self._district == "") | (self._district == district)
        return allowed

    def rank(self, text: str, vector: np.ndarray, *, allowed: np.ndarray, top: int, weights: Weights = FUSED) -> Ranked:
        """The best of the ``allowed`` entries (a mask with at least one) for a normalised text and its vector."""
        n = len(self.entries)
        counted = np.concatenate([allowed, np.ones(len(self.dense.background), bool)])
        bm25, tfidf = (standardise(scores, share, counted) for scores, share in self.lexical.scores(text))
        shared = weights.bm25 * bm25 + weights.tfidf * tfidf
        pool = np.argpartition(np.where(allowed, -shared[:n], np.inf), min(SHARED, n) - 1)[:SHARED]
        if weights.dense:
            pool = np.concatenate([pool, self.dense.nearest(vector, allowed=allowed, top=NEAREST)])
        pool = np.unique(pool)
        pool = pool[allowed[pool]]
        dense, background = self.dense.scores(vector, pool, allowed=allowed)
        fused = weights.dense * dense + shared[pool]
        others = also_ran(np.concatenate([fused, weights.dense * background + shared[n:]]))
        # Positions follow the ids, so equal scores come in the order of ids.
        order = np.lexsort((pool, -fused))[:top]
        parts = {"dense": dense, "bm25": bm25[pool], "tfidf": tfidf[pool], "fused": fused}
        return Ranked(pool[order], {name: part[order] for name, part in parts.items()}, others)

    def save(self, folder: Path) -> None:
        """Write the index to a folder, whole or not at all."""
        rows = self.dense.vectors(np.arange(len(self.entries)))
        stored = store.Stored(self.entries, rows, self.dense.background, self.lexical)
        store.write(folder, stored, index=self.id, encoder=self.encoder.id, lexicon=lexicon_id())

    @classmethod
    def load(cls, folder: Path, encoder: Encoder) -> KnowledgeIndex:
        """Read an index that :meth:`save` wrote.

        Raises
        ------
        ZhipaiError
            E4021 if it is missing or damaged, E4022 if another encoder or other word lists made it: build it again.
        """
        stored = store.read(folder, encoder=encoder.id, lexicon=lexicon_id())
        return cls(stored.entries, encoder, dense=DenseIndex(stored.vectors, stored.background), lexical=stored.lexical)
