"""The knowledge index: which entries in force answer a text."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import numpy as np

from intake.errors import ZhipaiError
from intake.order import MAX_TEXT
from knowledge_base import store
from knowledge_base.answer import (
    FOUND,
    NO_CHINESE,
    NONE_IN_FORCE,
    NOT_NEAR,
    NOTHING_ASKED,
    NOTHING_NEAR,
    Answer,
    ByWords,
    Hit,
    Question,
    Ranked,
)
from knowledge_base.dense import DenseIndex, encode_entries, frame_key
from knowledge_base.entry import KnowledgeEntry
from knowledge_base.filters import Columns, Where
from knowledge_base.fusion import FUSED, LEAST_FUSED, LEAST_SCORE, Weights, also_ran, signs, standardise
from knowledge_base.lexical import LexicalIndex
from knowledge_base.vectors import Backend, FaissBackend
from knowledge_base.words import background_texts, lexicon_id, normalise, words
from models.encoder import Encoder
from models.progress import Progress, silent

#: Candidates that get all scores: the nearest in meaning, and those that share most words.
NEAREST, SHARED = 100, 50
_IDEOGRAPH = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_BY_ID = attrgetter("id")


def _largest(values: np.ndarray, top: int) -> np.ndarray:
    """Places of the ``top`` largest, in no order: a sample says which of them are worth comparing."""
    sample = values[:: max(len(values) // 2000, 1)]
    least = np.partition(sample, -top)[-top] if len(sample) > top else -np.inf
    some = np.flatnonzero(values >= least)
    return some[np.argpartition(-values[some], top - 1)[:top]] if len(some) > top else some


class KnowledgeIndex:
    """Entries indexed by word, by character and by meaning. Immutable and safe between threads.

    Made by :meth:`build` or :meth:`load`. ``entries`` stand in the order of their ids.
    """

    def __init__(
        self,
        entries: tuple[KnowledgeEntry, ...],
        encoder: Encoder,
        *,
        dense: DenseIndex,
        lexical: LexicalIndex,
        columns: Columns | None = None,
    ):
        self.entries = entries
        self.encoder = encoder
        self.dense = dense
        self.lexical = lexical
        self.columns = columns or Columns.of(entries)

    @classmethod
    def build(
        cls,
        entries: Iterable[KnowledgeEntry],
        encoder: Encoder,
        *,
        cached: Mapping[str, np.ndarray] | None = None,
        backend: Backend | None = None,
        progress: Progress | None = None,
    ) -> KnowledgeIndex:
        """Index entries of any state and time; what may be found is decided at the search.

        Parameters
        ----------
        cached : mapping
            :attr:`vectors` of an index by the same encoder: entries with a known content hash are not encoded again.
        backend : Backend
            Keeps the vectors; by default FAISS in this process.

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
        held = (backend or FaissBackend()).hold(ordered, rows)
        return cls(ordered, encoder, dense=DenseIndex(held, frame), lexical=lexical)

    def changed(self, entries: Iterable[KnowledgeEntry], *, removed: Collection[str] = ()) -> KnowledgeIndex:
        """The index with these entries added or put in the place of those with the same id, and others removed.

        It finds what an index built from nothing finds, with the same scores, in a fraction of the time; after
        thousands of changes :meth:`compact` makes searches and changes fast again. This index is left as it is.
        """
        new = {entry.id: entry for entry in entries}
        ordered = list(self.entries)
        went = sorted(position for name in {*removed, *new} if (position := self._position(name)) is not None)
        for position in reversed(went):
            del ordered[position]
        ordered.extend(new.values())
        ordered.sort(key=_BY_ID)
        places = sorted(bisect_left(ordered, name, key=_BY_ID) for name in new)
        n, after, texts = len(self.entries), len(ordered), len(background_texts())
        stay, came = np.ones(n, bool), np.zeros(after, bool)
        stay[went], came[places] = False, True
        kept = np.full(n + texts, -1)
        kept[:n][stay] = np.flatnonzero(~came)
        kept[n:] = np.arange(after, after + texts)
        added = [ordered[position] for position in places]
        frame = self.dense.frame
        _, rows = encode_entries(added, self.encoder, cached={frame_key(): frame.array}, progress=silent)
        lexical = self.lexical.changed(
            kept,
            after + texts,
            {position: ordered[position].text for position in places},
            [self.entries[position].text for position in went],
        )
        return KnowledgeIndex(
            tuple(ordered),
            self.encoder,
            dense=DenseIndex(self.dense.store.replaced(stay, came, ordered, rows), frame),
            lexical=lexical,
            columns=self.columns.replaced(stay, came, added),
        )

    def difference(self, entries: Iterable[KnowledgeEntry]) -> tuple[list[KnowledgeEntry], list[str]]:
        """What :meth:`changed` has to be given for an index of these entries: new ones, and ids of those that go."""
        before = {entry.id: entry.content_hash for entry in self.entries}
        new = [entry for entry in entries if before.pop(entry.id, None) != entry.content_hash]
        return new, sorted(before.keys() - {entry.id for entry in new})

    def _position(self, name: str) -> int | None:
        position = bisect_left(self.entries, name, key=_BY_ID)
        found = position < len(self.entries) and self.entries[position].id == name
        return position if found else None

    def compact(self) -> KnowledgeIndex:
        """The same in one piece: what has changed since it was built no longer stands apart."""
        dense = DenseIndex(self.dense.store.compact(), self.dense.frame)
        lexical = self.lexical.compact()
        return KnowledgeIndex(self.entries, self.encoder, dense=dense, lexical=lexical, columns=self.columns)

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
        return self.answer(
            self.question(text, as_of=as_of, district=district, unit=unit, state=state), vector=vector, top=top
        )

    def question(self, text: str, *, as_of: datetime, district: str = "", unit: str = "", state: str = "") -> Question:
        """The part of :meth:`ask` that needs no vector, so that it can be done while the text is being encoded."""
        if as_of.tzinfo is None:
            raise ZhipaiError("E1004", {"field": "as_of"})
        text = normalise(text[:MAX_TEXT])
        where = Where(as_of.date(), district=district, unit=unit, state=state)
        allowed = self.columns.mask(where)
        if not words(text):
            return Question(text, where, allowed, None, NOTHING_ASKED)
        if not allowed.any():
            return Question(text, where, allowed, None, NONE_IN_FORCE)
        return Question(text, where, allowed, self._by_words(text, allowed, FUSED))

    def answer(self, question: Question, *, vector: np.ndarray | None = None, top: int = 5) -> Answer:
        """What :meth:`ask` says, to a question that was read before."""
        if question.by_words is None:
            return Answer((), False, question.reason)
        text = question.text
        if vector is None:
            vector = self.encoder.encode([text], kind="query")[0]
        ranked = self._rank(
            question.by_words,
            np.asarray(vector, np.float32),
            allowed=question.allowed,
            top=top,
            weights=FUSED,
            where=question.where,
        )
        hits = tuple(
            Hit(self.entries[position], float(score), {name: float(part[i]) for name, part in ranked.parts.items()})
            for i, (position, score) in enumerate(zip(ranked.positions, ranked.scores, strict=True))
            if ranked.parts["fused"][i] >= LEAST_FUSED
        )
        if hits and hits[0].score >= LEAST_SCORE:
            return Answer(hits, True, FOUND)
        if not _IDEOGRAPH.search(text):
            return Answer(hits, False, NO_CHINESE)
        return Answer(hits, False, NOT_NEAR if hits else NOTHING_NEAR)

    def allowed(self, day: date, *, district: str = "", unit: str = "", state: str = "") -> np.ndarray:
        """Mask of the entries that may be found on a day, in a district, of a unit, in a state."""
        return self.columns.mask(Where(day, district=district, unit=unit, state=state))

    def rank(self, text: str, vector: np.ndarray, *, allowed: np.ndarray, top: int, weights: Weights = FUSED) -> Ranked:
        """The best of the ``allowed`` entries (a mask with at least one) for a normalised text and its vector."""
        by_words = self._by_words(text, allowed, weights)
        return self._rank(by_words, vector, allowed=allowed, top=top, weights=weights, where=None)

    def _by_words(self, text: str, allowed: np.ndarray, weights: Weights) -> ByWords:
        counted = np.concatenate([allowed, np.ones(len(self.dense.frame.background), bool)])
        by_word, by_gram = self.lexical.scores(text)
        bm25, tfidf = (standardise(*one, counted) for one in (by_word, by_gram))
        shared = weights.bm25 * bm25 + weights.tfidf * tfidf
        pool = _largest(np.where(allowed, shared[: len(self.entries)], -np.inf), SHARED)
        return ByWords(bm25, tfidf, by_gram[1], shared, pool)

    def _rank(
        self,
        found: ByWords,
        vector: np.ndarray,
        *,
        allowed: np.ndarray,
        top: int,
        weights: Weights,
        where: Where | None,
    ) -> Ranked:
        """``where`` is what the mask was made of, if it was made of one."""
        vector = self.dense.query(vector)
        pool, shared = found.pool, found.shared
        if weights.dense:
            pool = np.concatenate([pool, self.dense.nearest(vector, allowed=allowed, top=NEAREST, where=where)])
        pool = np.unique(pool)
        pool = pool[allowed[pool]]
        rows = self.dense.vectors(pool)
        dense, background = self.dense.scores(vector, rows, allowed=allowed)
        fused = weights.dense * dense + shared[pool]
        others = also_ran(np.concatenate([fused, weights.dense * background + shared[len(self.entries) :]]))
        # Positions follow the ids, so equal scores come in the order of ids.
        order = np.lexsort((pool, -fused))[:top]
        parts = {"dense": dense, "bm25": found.bm25[pool], "tfidf": found.tfidf[pool], "fused": fused}
        best = {name: part[order] for name, part in parts.items()}
        tells = signs(
            best["fused"],
            others,
            distinct=self.dense.distinct(vector, rows, order),
            tfidf=best["tfidf"],
            share=found.share,
        )
        return Ranked(pool[order], best, tells)

    def save(self, folder: Path) -> None:
        """Write the index to a folder, whole or not at all."""
        rows = self.dense.vectors(np.arange(len(self.entries)))
        stored = store.Stored(self.entries, rows, self.dense.frame, self.lexical.compact())
        store.write(folder, stored, index=self.id, encoder=self.encoder.id, lexicon=lexicon_id())

    @classmethod
    def load(cls, folder: Path, encoder: Encoder, *, backend: Backend | None = None) -> KnowledgeIndex:
        """Read an index that :meth:`save` wrote; ``backend`` as for :meth:`build`.

        Raises
        ------
        ZhipaiError
            E4021 if it is missing or damaged, E4022 if another encoder or other word lists made it: build it again.
        """
        stored = store.read(folder, encoder=encoder.id, lexicon=lexicon_id())
        held = (backend or FaissBackend()).hold(stored.entries, stored.vectors)
        return cls(stored.entries, encoder, dense=DenseIndex(held, stored.frame), lexical=stored.lexical)
