"""How near a query and an entry are in meaning: one vector for each entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge_base.entry import KnowledgeEntry
from knowledge_base.filters import Where
from knowledge_base.vectors import Vectors, rounded
from knowledge_base.words import asked_texts, background_texts, lexicon_id, normalise
from models.encoder import Encoder
from models.progress import Progress

#: An entry's vector leans this much on its title and answer, and the rest on the mean of its questions.
ANSWER_SHARE = 2 / 3
#: How much of what all texts have in common is taken off a vector. The vectors of e5 lie in a narrow cone: without
#: this an entry that is near to everything is near to every query (docs/decisions/0005-search.md).
CENTRING = 0.7
#: Entries, evenly spread, that a score is measured against: a larger sample does not move the mean.
SAMPLE = 1000
#: Neighbours of a query, and ordinary questions near an entry, that :meth:`DenseIndex.distinct` looks at.
RIVALS, ASKERS = 10, 5
_CHUNK = 64


def _mean_of_largest(rows: np.ndarray, count: int) -> np.ndarray:
    """(rows,) the mean of the ``count`` largest of each."""
    return np.sort(rows, axis=1)[:, -count:].mean(axis=1)


def centred(vectors: np.ndarray, common: np.ndarray) -> np.ndarray:
    """(n, dim) vectors of length 1 after a part of ``common`` (dim,) is taken off."""
    moved = vectors - CENTRING * common
    return (moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-9)).astype(np.float32)


@dataclass(frozen=True)
class Frame:
    """What the vectors of a base are seen against: nothing in it depends on the base.

    Parameters
    ----------
    common, said, asked : np.ndarray
        (dim,) what the encoder's vectors have in common: of entries, of the ways of asking that stand in entries, and
        of queries. Without ``said``, entries that list ways of asking would come before all that list none.
    askers : np.ndarray
        (questions, dim) float32, centred and normalised: the queries that ``asked`` is the mean of.
    background : np.ndarray
        (texts, dim) float32, centred and normalised; they are the measure of a score and are never found.
    """

    common: np.ndarray
    said: np.ndarray
    asked: np.ndarray
    askers: np.ndarray
    background: np.ndarray

    @classmethod
    def of(cls, encoder: Encoder) -> Frame:
        passages = encoder.encode([normalise(text) for text in background_texts()], kind="passage")
        sentences = [normalise(text) for text in asked_texts()]
        said, asked = (encoder.encode(sentences, kind=kind) for kind in ("passage", "query"))
        common, usual = passages.mean(axis=0), asked.mean(axis=0)
        return cls(common, said.mean(axis=0), usual, centred(asked, usual), centred(passages, common))

    @classmethod
    def plain(cls, background: np.ndarray) -> Frame:
        """A frame that takes nothing off."""
        nothing = np.zeros(background.shape[1], np.float32)
        return cls(nothing, nothing, nothing, background[:0], background)

    @property
    def array(self) -> np.ndarray:
        """(3 + questions + texts, dim): :meth:`from_array` gives the frame back."""
        return np.vstack([self.common, self.said, self.asked, self.askers, self.background])

    @classmethod
    def from_array(cls, array: np.ndarray) -> Frame:
        end = 3 + len(asked_texts())
        return cls(array[0], array[1], array[2], array[3:end], array[end:])


class DenseIndex:
    """How near entries are to a query, in standard deviations.

    Parameters
    ----------
    vectors : Vectors
        Centred, normalised and :func:`rounded`, by the position of their entries.
    frame : Frame
    """

    def __init__(self, vectors: Vectors, frame: Frame):
        self.frame = frame
        self.store = vectors
        n = len(vectors)
        self._sampled = np.unique(np.linspace(0, max(n - 1, 0), SAMPLE).astype(int))[:n]
        self._sample = vectors.rows(self._sampled)

    def __len__(self) -> int:
        return len(self.store)

    def query(self, vector: np.ndarray) -> np.ndarray:
        """An encoder's query vector as the other methods want it."""
        return centred(vector, self.frame.asked)

    def nearest(self, vector: np.ndarray, *, allowed: np.ndarray, top: int, where: Where | None = None) -> np.ndarray:
        """Positions of the ``top`` nearest entries among those that the mask ``allowed`` (of ``where``) admits."""
        return self.store.nearest(vector, allowed=allowed, where=where, top=top)

    def scores(self, vector: np.ndarray, rows: np.ndarray, *, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the entries of these vectors and of the background, in standard deviations above their mean.

        The mean is over the background and the ``allowed`` entries (a mask), of which up to :data:`SAMPLE` are asked.
        """
        background = self.frame.background @ vector
        measure = np.concatenate([(self._sample @ vector)[allowed[self._sampled]], background])
        deviation = max(float(measure.std()), 1e-9)
        return (rows @ vector - measure.mean()) / deviation, (background - measure.mean()) / deviation

    def distinct(self, vector: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """How much nearer the query and each of the ``chosen`` entries are to one another than either is to its other
        neighbours (CSLS, Conneau et al. 2018, arXiv 1710.04087): (chosen,).

        ``rows`` are the vectors of the entries that may be found, the nearest among them, and ``chosen`` some of them by
        their places. An entry's other neighbours are ordinary questions.
        """
        near = rows @ vector
        rivals = np.concatenate([near, self.frame.background @ vector])
        askers = self.frame.askers
        crowd = _mean_of_largest(rows[chosen] @ askers.T, ASKERS) if len(askers) else 0.0
        return 2 * near[chosen] - _mean_of_largest(rivals[None], RIVALS) - crowd

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """(positions, dim)."""
        return self.store.rows(positions.astype(np.int64))


def frame_key() -> str:
    """Key of the frame's array among the vectors of the entries."""
    return f"frame-{lexicon_id()}"


def encode_entries(
    entries: Sequence[KnowledgeEntry], encoder: Encoder, *, cached: Mapping[str, np.ndarray], progress: Progress
) -> tuple[Frame, np.ndarray]:
    """The frame, and (entries, dim) centred vectors; encodes only what is not ``cached`` (content hash -> vector).

    A citizen's text is near either to how people ask or to what the answer says, seldom to the formal title, so an
    entry's vector is a mean of both. The best of several vectors for each entry does far worse: short questions of the
    wrong entries come too near (docs/decisions/0003-fusion.md).
    """
    # Without the frame they were centred by, cached vectors are of another lexicon and mean nothing here.
    known = cached if frame_key() in cached else {}
    frame = Frame.from_array(known[frame_key()]) if known else Frame.of(encoder)
    rows = np.empty((len(entries), encoder.dim), np.float32)
    missing: list[int] = []
    for position, entry in enumerate(entries):
        vector = known.get(entry.content_hash)
        if vector is None:
            missing.append(position)
        else:
            rows[position] = vector
    total = sum(1 + len(entries[position].questions) for position in missing)
    done = 0
    for first in range(0, len(missing), _CHUNK):
        chunk = missing[first : first + _CHUNK]
        blocks = [
            [f"{entries[position].title}\n{entries[position].answer}".strip(), *entries[position].questions]
            for position in chunk
        ]
        encoded = encoder.encode([normalise(text) for block in blocks for text in block], kind="passage")
        start = 0
        for position, block in zip(chunk, blocks, strict=True):
            rows[position] = _entry_vector(encoded[start : start + len(block)], frame)
            start += len(block)
        done += start
        progress("编码知识条目", done, total)
    return frame, rounded(rows)


def _entry_vector(vectors: np.ndarray, frame: Frame) -> np.ndarray:
    """One vector from that of title and answer (first) and those of the questions."""
    answer, questions = centred(vectors[0], frame.common), vectors[1:]
    if not len(questions):
        return answer
    mean = ANSWER_SHARE * answer + (1 - ANSWER_SHARE) * centred(questions.mean(axis=0), frame.said)
    return mean / np.linalg.norm(mean)
