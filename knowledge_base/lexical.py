"""How much a query and a text share in words (BM25) and in characters (TF-IDF), for all texts at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from knowledge_base.words import formal_words, grams, normalise, words

#: BM25 as Robertson and Zaragoza (2009); K3 dampens a word that a long query repeats.
K1, B, K3 = 1.2, 0.75, 2.0
#: Terms of a query that are looked up, the heaviest first: a pasted letter has thousands and its rare ones decide.
MAX_TERMS = 256
#: Postings that a query reads, its heaviest terms first. Not reached below some 20,000 texts; above, what is left out
#: are characters that a tenth of all texts hold.
MAX_POSTINGS = 2_000_000
#: Above this many texts the weights are kept at half precision.
EXACT = 50_000


@dataclass(frozen=True)
class TermIndex:
    """Weights of terms in texts, precomputed, as inverted lists.

    Parameters
    ----------
    vocabulary : dict
        Term -> its list.
    idf : np.ndarray
        (terms,) float32.
    starts, texts, weights : np.ndarray
        List ``t`` holds the texts ``texts[starts[t]:starts[t + 1]]`` with their ``weights`` (float32 or float16).
    size, mean_length : int, float
        Number of texts, and of terms in one of them on average.
    """

    vocabulary: dict[str, int]
    idf: np.ndarray
    starts: np.ndarray
    texts: np.ndarray
    weights: np.ndarray
    size: int
    mean_length: float

    @classmethod
    def of(
        cls, vocabulary: dict[str, int], idf: np.ndarray, weights: sparse.csr_matrix, mean_length: float
    ) -> TermIndex:
        """From (terms, texts) weights."""
        size = weights.shape[1]
        data = weights.data.astype(np.float16 if size > EXACT else np.float32)
        starts = weights.indptr.astype(np.int64)
        return cls(vocabulary, idf, starts, weights.indices.astype(np.int32), data, size, mean_length)

    def scores(self, query: Mapping[int, float]) -> np.ndarray:
        """(texts,) float32 for a query of term rows and their weights."""
        heaviest = sorted(query.items(), key=lambda item: -item[1])[:MAX_TERMS]
        parts: list[np.ndarray] = []
        weights: list[np.ndarray] = []
        read = 0
        for term, weight in heaviest:
            part = slice(self.starts[term], self.starts[term + 1])
            read += int(part.stop - part.start)
            if read > MAX_POSTINGS and parts:
                break
            parts.append(self.texts[part])
            weights.append(self.weights[part] * np.float32(weight))
        if not parts:
            return np.zeros(self.size, np.float32)
        summed = np.bincount(np.concatenate(parts), np.concatenate(weights), minlength=self.size)
        return summed.astype(np.float32)

    def counted(self, terms: Iterable[str]) -> tuple[dict[int, int], float]:
        """Known terms and how often each occurs, and the share that they have in the weight of all terms.

        A term that no text holds weighs like the rarest: it too is something that was asked.
        """
        known: dict[int, int] = {}
        unknown = 0.0
        for term, n in Counter(terms).items():
            row = self.vocabulary.get(term)
            if row is None:
                unknown += self.rarest
            else:
                known[row] = n
        weight = float(self.idf[list(known)].sum())
        return known, weight / (weight + unknown) if known else 0.0

    @cached_property
    def rarest(self) -> float:
        return float(self.idf.max(initial=0))

    def changed(self, kept: np.ndarray, size: int, added: TermIndex) -> TermIndex:
        """The index after some texts went and others came, in time that does not depend on what the texts say.

        Parameters
        ----------
        kept : np.ndarray
            (self.size,) new position of each text, -1 for one that goes.
        size : int
            How many texts there will be.
        added : TermIndex
            Of the texts that come, by their new positions, with the vocabulary of this index or a longer one.
        """
        moved = kept[self.texts]
        alive = moved >= 0
        before = np.concatenate([[0], np.cumsum(alive)])
        lengths = np.zeros(len(added.idf), np.int64)
        lengths[: len(self.idf)] = before[self.starts[1:]] - before[self.starts[:-1]]
        ends = np.cumsum(lengths)
        place = np.repeat(ends, np.diff(added.starts))
        texts = np.insert(moved[alive].astype(np.int32), place, added.texts)
        weights = np.insert(self.weights[alive], place, added.weights.astype(self.weights.dtype))
        starts = np.concatenate([[0], np.cumsum(lengths + np.diff(added.starts))])
        return TermIndex(added.vocabulary, added.idf, starts, texts, weights, size, self.mean_length)

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Everything as arrays without Python objects."""
        terms = np.frombuffer("\n".join(self.vocabulary).encode(), np.uint8)
        parts = {"terms": terms, "idf": self.idf, "starts": self.starts, "texts": self.texts, "weights": self.weights}
        parts["length"] = np.array([self.mean_length])
        return {f"{prefix}_{name}": part for name, part in parts.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str, size: int) -> TermIndex:
        terms = arrays[f"{prefix}_terms"].tobytes().decode().split("\n")
        idf, starts, texts, weights, length = (
            arrays[f"{prefix}_{name}"] for name in ("idf", "starts", "texts", "weights", "length")
        )
        return cls(dict(zip(terms, range(len(idf)), strict=False)), idf, starts, texts, weights, size, float(length[0]))


def _count(texts: Iterable[Sequence[str]], vocabulary: dict[str, int]) -> sparse.csr_matrix:
    """(texts, terms) counts; new terms are added to the vocabulary."""
    starts, columns, counts = [0], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    for terms in texts:
        counter = Counter(terms)
        column = [vocabulary.setdefault(term, len(vocabulary)) for term in counter]
        columns.append(np.array(column, np.int32))
        counts.append(np.fromiter(counter.values(), np.float32, len(counter)))
        starts.append(starts[-1] + len(counter))
    flat = np.concatenate(counts), np.concatenate(columns), np.array(starts)
    return sparse.csr_matrix(flat, shape=(len(starts) - 1, len(vocabulary)))


def _bm25_idf(found: np.ndarray, n: int) -> np.ndarray:
    return np.log1p((n - found + 0.5) / (found + 0.5)).astype(np.float32)


def _tfidf_idf(found: np.ndarray, n: int) -> np.ndarray:
    return (np.log((1 + n) / (1 + found)) + 1).astype(np.float32)


def _bm25_weights(counts: sparse.csr_matrix, idf: np.ndarray, mean_length: float) -> sparse.csr_matrix:
    length = np.asarray(counts.sum(axis=1)).ravel()
    damping = K1 * (1 - B + B * length / max(mean_length, 1.0))
    counts.data = counts.data * (K1 + 1) / (counts.data + np.repeat(damping, np.diff(counts.indptr)).astype(np.float32))
    return counts.T.tocsr()


def _tfidf_weights(counts: sparse.csr_matrix, idf: np.ndarray, mean_length: float) -> sparse.csr_matrix:
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    norm = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(np.maximum(norm, 1e-9), np.diff(counts.indptr)).astype(np.float32)
    return counts.T.tocsr()


@dataclass(frozen=True)
class _Kind:
    """A way of counting: what the terms of a text are and what they weigh."""

    terms: Callable[[str], Sequence[str]]
    idf: Callable[[np.ndarray, int], np.ndarray]
    weights: Callable[[sparse.csr_matrix, np.ndarray, float], sparse.csr_matrix]

    def build(self, texts: Sequence[str]) -> TermIndex:
        vocabulary: dict[str, int] = {}
        counts = _count(map(self.terms, texts), vocabulary)
        idf = self.idf(np.bincount(counts.indices, minlength=len(vocabulary)), len(texts))
        length = float(counts.sum()) / len(texts) if texts else 0.0
        return TermIndex.of(vocabulary, idf, self.weights(counts, idf, length), length)

    def changed(self, index: TermIndex, kept: np.ndarray, size: int, added: Mapping[int, str]) -> TermIndex:
        """With the statistics of ``index``: a term that it does not know weighs like one that a single text holds."""
        vocabulary = dict(index.vocabulary)
        counts = _count((self.terms(text) for text in added.values()), vocabulary)
        rare = self.idf(np.ones(len(vocabulary) - len(index.idf)), index.size)
        idf = np.concatenate([index.idf, rare])
        weights = self.weights(counts, idf, index.mean_length)
        new = TermIndex.of(vocabulary, idf, weights, index.mean_length)
        places = np.fromiter(added, np.int32, len(added))
        moved = TermIndex(vocabulary, idf, new.starts, places[new.texts], new.weights, size, index.mean_length)
        return index.changed(kept, size, moved)


_WORDS = _Kind(words, _bm25_idf, _bm25_weights)
_GRAMS = _Kind(grams, _tfidf_idf, _tfidf_weights)


@dataclass(frozen=True)
class LexicalIndex:
    """BM25 over words with synonyms, and TF-IDF over characters and pairs, of the same texts."""

    word_index: TermIndex
    gram_index: TermIndex

    @classmethod
    def build(cls, texts: Sequence[str]) -> LexicalIndex:
        normal = [normalise(text) for text in texts]
        return cls(_WORDS.build(normal), _GRAMS.build(normal))

    def changed(self, kept: np.ndarray, size: int, added: Mapping[int, str]) -> LexicalIndex:
        """After some texts went and others came; how rare a term is stays as it was at the last :meth:`build`.

        Parameters
        ----------
        kept : np.ndarray
            New position of each text, -1 for one that goes.
        size : int
            How many texts there will be.
        added : mapping
            New position -> text.
        """
        normal = {position: normalise(text) for position, text in added.items()}
        return LexicalIndex(
            _WORDS.changed(self.word_index, kept, size, normal), _GRAMS.changed(self.gram_index, kept, size, normal)
        )

    def scores(self, text: str) -> tuple[tuple[np.ndarray, float], tuple[np.ndarray, float]]:
        """BM25 and TF-IDF of a normalised text with every indexed text, on scales of their own.

        Each is (texts,) scores and the share of the text, by weight, that the indexed texts know at all. What the text
        says in the citizen's words is looked up in the entries' words as well (:func:`formal_words`).
        """
        formal = formal_words(text)
        # Apart, so that the segmentation of the text is the one that the search has made already.
        added = " ".join(formal)
        by_word, word_share = self.word_index.counted((*words(text), *words(added)))
        by_gram, gram_share = self.gram_index.counted([*grams(text), *grams(added)])
        word_idf, gram_idf = self.word_index.idf, self.gram_index.idf
        bm25 = {term: n * (K3 + 1) / (n + K3) * float(word_idf[term]) for term, n in by_word.items()}
        tfidf = {term: (1 + float(np.log(n))) * float(gram_idf[term]) for term, n in by_gram.items()}
        return (self.word_index.scores(bm25), word_share), (self.gram_index.scores(tfidf), gram_share)

    def arrays(self) -> dict[str, np.ndarray]:
        return self.word_index.arrays("word") | self.gram_index.arrays("gram")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], texts: int) -> LexicalIndex:
        return cls(TermIndex.from_arrays(arrays, "word", texts), TermIndex.from_arrays(arrays, "gram", texts))
