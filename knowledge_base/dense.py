"""How near a query and an entry are in meaning: one vector for each entry, in FAISS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import faiss
import numpy as np

from knowledge_base.entry import KnowledgeEntry
from knowledge_base.words import background_texts, lexicon_id, normalise
from models.encoder import Encoder
from models.progress import Progress

#: An entry's vector leans this much on its title and answer, and the rest on the mean of its questions.
ANSWER_SHARE = 2 / 3
#: Entries, evenly spread, that a score is measured against: a larger sample does not move the mean.
SAMPLE = 1000
_CHUNK = 64


class DenseIndex:
    """Exact inner products with all entries, addressed by their position.

    Parameters
    ----------
    vectors : np.ndarray
        (entries, dim) float32, normalised.
    background : np.ndarray
        (texts, dim) float32; they take part in :meth:`scores` as the measure and are never found.
    """

    def __init__(self, vectors: np.ndarray, background: np.ndarray):
        self.background = background
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(background.shape[1]))
        self._index.add_with_ids(vectors, np.arange(len(vectors), dtype=np.int64))
        self._sampled = np.unique(np.linspace(0, max(len(vectors) - 1, 0), SAMPLE).astype(int))[: len(vectors)]
        self._sample = vectors[self._sampled]

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def nearest(self, vector: np.ndarray, *, allowed: np.ndarray, top: int) -> np.ndarray:
        """Positions of the ``top`` nearest entries among those that the boolean mask ``allowed`` admits."""
        # FAISS's type stubs show the C++ signatures, not the Python ones.
        selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg, arg-type]
        search = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        _, found = self._index.search(vector[None, :], min(top, len(self)), params=search)
        return found[0][found[0] >= 0]

    def scores(
        self, vector: np.ndarray, positions: np.ndarray, *, allowed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores of these entries and of the background, in standard deviations above their mean.

        The mean is over the background and the ``allowed`` entries (a mask), of which up to :data:`SAMPLE` are asked.
        """
        background = self.background @ vector
        measure = np.concatenate([(self._sample @ vector)[allowed[self._sampled]], background])
        deviation = max(float(measure.std()), 1e-9)
        entries = self.vectors(positions) @ vector
        return (entries - measure.mean()) / deviation, (background - measure.mean()) / deviation

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """(positions, dim), as they were added."""
        return self._index.reconstruct_batch(positions.astype(np.int64))


def background_key() -> str:
    """Key of the background's vectors among those of the entries."""
    return f"background-{lexicon_id()}"


def encode_entries(
    entries: Sequence[KnowledgeEntry], encoder: Encoder, *, cached: Mapping[str, np.ndarray], progress: Progress
) -> dict[str, np.ndarray]:
    """Content hash -> (dim,) vector, and :func:`background_key` -> (texts, dim); encodes only what is not cached.

    A citizen's text is near either to how people ask or to what the answer says, seldom to the formal title, so an
    entry's vector is a mean of both. The best of several vectors for each entry does far worse: short questions of
    the wrong entries come too near (docs/decisions/0003-fusion.md).
    """
    wanted = {e.content_hash: [f"{e.title}\n{e.answer}".strip(), *e.questions] for e in entries}
    wanted[background_key()] = list(background_texts())
    blocks = {key: cached[key] for key in wanted if key in cached}
    missing = {key: texts for key, texts in wanted.items() if key not in blocks}
    texts = [normalise(text) for block in missing.values() for text in block]
    encoded = np.empty((len(texts), encoder.dim), np.float32)
    for start in range(0, len(texts), _CHUNK):
        part = slice(start, start + _CHUNK)
        encoded[part] = encoder.encode(texts[part], kind="passage")
        progress("编码知识条目", min(start + _CHUNK, len(texts)), len(texts))
    start = 0
    for key, block in missing.items():
        vectors = encoded[start : start + len(block)]
        blocks[key] = vectors if key == background_key() else _mean_of(vectors)
        start += len(block)
    return blocks


def _mean_of(vectors: np.ndarray) -> np.ndarray:
    """One vector from that of title and answer (first) and those of the questions."""
    answer, questions = vectors[0], vectors[1:]
    mean = ANSWER_SHARE * answer + (1 - ANSWER_SHARE) * questions.mean(axis=0) if len(questions) else answer
    return mean / np.linalg.norm(mean)
