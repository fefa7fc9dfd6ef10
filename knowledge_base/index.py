"""The knowledge index: which entries in force answer a text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import compress, pairwise
from pathlib import Path

import numpy as np

from intake.errors import ZhipaiError
from intake.order import MAX_TEXT
from knowledge_base import store
from knowledge_base.dense import DenseIndex, encode_entries, frame_key
from knowledge_base.entry import IN_USE, KnowledgeEntry
from knowledge_base.fusion import FUSED, LEAST_FUSED, LEAST_SCORE, Weights, also_ran, probability, standardise
from knowledge_base.lexical import LexicalIndex
from knowledge_base.words import background_texts, lexicon_id, normalise, words
from models.encoder import Encoder
from models.progress import Progress, silent

#: Candidates that get all scores: the nearest in meaning, and those that share most words.
NEAREST, SHARED = 100, 50
_IDEOGRAPH = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
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
    """Positions of the best entries, best first, their scores by part, and the score of the also-rans."""

    positions: np.ndarray
    parts: dict[str, np.ndarray]
    others: float


class _Codes:
    """Words as numbers, so that 200,000 of them are compared at once."""

    def __init__(self, words: Sequence[str]):
        self._codes: dict[str, int] = {}
        self._array = np.array([self._codes.setdefault(word, len(self._codes)) for word in words], np.int32)

    def equal(self, word: str) -> np.ndarray:
        return self._array == self._codes.get(word, -1)


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
        self._state = _Codes([entry.state for entry in entries])
        self._from = np.array([entry.effective_from.toordinal() for entry in entries], np.int64)
        self._to = np.array([entry.effective_to.toordinal() if entry.effective_to else _NEVER for entry in entries])
        self._district = _Codes([entry.district for entry in entries])
        self._unit = _Codes([entry.unit for entry in entries])

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
        frame, rows = encode_entries(ordered, encoder, cached=cached or {}, progress=progress or silent)
        lexical = LexicalIndex.build([*(entry.text for entry in ordered), *background_texts()])
        return cls(ordered, encoder, dense=DenseIndex(rows, frame), lexical=lexical)

    def changed(self, entries: Iterable[KnowledgeEntry], *, removed: Collection[str] = ()) -> KnowledgeIndex:
        """The index with these entries added or put in the place of those with the same id, and others removed.

        The time it takes hardly depends on how many entries stay. How rare a word is stays as it was at the last
        :meth:`build`, so that scores may differ in the third digit; build anew when a tenth of the base has changed.
        This index is left as it is.
        """
        new = {entry.id: entry for entry in entries}
        gone = set(removed) | set(new)
        staying = [entry.id not in gone for entry in self.entries]
        ordered = tuple(sorted([*compress(self.entries, staying), *new.values()], key=lambda entry: entry.id))
        places = {entry.id: position for position, entry in enumerate(ordered) if entry.id in new}
        n, after, texts = len(self.entries), len(ordered), len(background_texts())
        kept = np.full(n + texts, -1)
        came = np.zeros(after, bool)
        came[list(places.values())] = True
        kept[:n][np.array(staying, bool)] = np.flatnonzero(~came)
        kept[n:] = np.arange(after, after + texts)
        frame = self.dense.frame
        cached = {frame_key(): frame.array}
        _, encoded = encode_entries(list(new.values()), self.encoder, cached=cached, progress=silent)
        rows = np.empty((after, self.encoder.dim), np.float32)
        rows[~came] = self.dense.vectors(np.flatnonzero(staying))
        rows[list(places.values())] = encoded[[list(new).index(entry_id) for entry_id in places]]
        lexical = self.lexical.changed(
            kept, after + texts, {position: ordered[position].text for position in places.values()}
        )
        return KnowledgeIndex(ordered, self.encoder, dense=DenseIndex(rows, frame), lexical=lexical)

    @cached_property
    def id(self) -> str:
        """``kb-`` and 16 hex digits of the SHA-256 over the content hashes, sorted, and the encoder's id."""
        parts = [*sorted(entry.content_hash for entry in self.entries), self.encoder.id]
        return "kb-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @property
    def vectors(self) -> dict[str, np.ndarray]:
        """Content hash -> (dim,) vector of an entry, and the frame's array: to be handed to the next :meth:`build`."""
        rows = self.dense.vectors(np.arange(len(self.entries)))
        blocks = dict(zip((entry.content_hash for entry in self.entries), rows, strict=True))
        return blocks | {frame_key(): self.dense.frame.array}

    def search(
        self,
        text: str,
        *,
        as_of: datetime,
        vector: np.ndarray | None = None,
        district: str = "",
        unit: str = "",
        state: str = "",
        top: int = 5,
    ) -> tuple[Hit, ...]:
        """The entries that answer the text best, best first; none if the text asks nothing or nothing fits.

        Parameters
        ----------
        text : str
            As the citizen put it; the first 8,000 characters are read.
        as_of : datetime
            Aware. Only entries in force on its day are looked at.
        vector : np.ndarray or None
            (dim,) vector of the text as a query, if there is one already.
        district : str
            Only entries of this district or of the whole city are looked at; empty if unknown, which excludes none.
        unit : str
            Only entries that this unit maintains are looked at; empty for all.
        state : str
            Only entries in this state are looked at; empty for those in use (:data:`knowledge_base.entry.IN_USE`).

        Raises
        ------
        ZhipaiError
            E1004 for an ``as_of`` without a zone.
        """
        return self.ask(text, as_of=as_of, vector=vector, district=district, unit=unit, state=state, top=top).hits

    def ask(
        self,
        text: str,
        *,
        as_of: datetime,
        vector: np.ndarray | None = None,
        district: str = "",
        unit: str = "",
        state: str = "",
        top: int = 5,
    ) -> Answer:
        """:meth:`search`, and whether the first hit answers the text or why none does."""
        if as_of.tzinfo is None:
            raise ZhipaiError("E1004", {"field": "as_of"})
        text = normalise(text[:MAX_TEXT])
        if not words(text):
            return Answer((), False, NOTHING_ASKED)
        allowed = self.allowed(as_of.date(), district=district, unit=unit, state=state)
        if not allowed.any():
            return Answer((), False, NONE_IN_FORCE)
        if vector is None:
            vector = self.encoder.encode([text], kind="query")[0]
        ranked = self.rank(text, np.asarray(vector, np.float32), allowed=allowed, top=top)
        scores = probability(ranked.parts["fused"], ranked.others)
        hits = tuple(
            Hit(self.entries[position], float(score), {name: float(part[i]) for name, part in ranked.parts.items()})
            for i, (position, score) in enumerate(zip(ranked.positions, scores, strict=True))
            if ranked.parts["fused"][i] >= LEAST_FUSED
        )
        if hits and hits[0].score >= LEAST_SCORE:
            return Answer(hits, True, FOUND)
        if not _IDEOGRAPH.search(text):
            return Answer(hits, False, NO_CHINESE)
        return Answer(hits, False, NOT_NEAR if hits else NOTHING_NEAR)

    def allowed(self, day: date, *, district: str = "", unit: str = "", state: str = "") -> np.ndarray:
        """Mask of the entries that may be found on a day, in a district, of a unit, in a state."""
        number = day.toordinal()
        mask = (self._from <= number) & (number < self._to)
        mask &= np.logical_or.reduce([self._state.equal(one) for one in ([state] if state else sorted(IN_USE))])
        if district:
            mask &= self._district.equal("") | self._district.equal(district)
        if unit:
            mask &= self._unit.equal(unit)
        return mask

    def rank(self, text: str, vector: np.ndarray, *, allowed: np.ndarray, top: int, weights: Weights = FUSED) -> Ranked:
        """The best of the ``allowed`` entries (a mask with at least one) for a normalised text and its vector."""
        n = len(self.entries)
        vector = self.dense.query(vector)
        counted = np.concatenate([allowed, np.ones(len(self.dense.frame.background), bool)])
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
        stored = store.Stored(self.entries, rows, self.dense.frame, self.lexical)
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
        return cls(stored.entries, encoder, dense=DenseIndex(stored.vectors, stored.frame), lexical=stored.lexical)
