"""How much a query and a text share in words (BM25) and in characters (TF-IDF), for all texts at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from knowledge_base.words import grams, normalise, words

#: BM25 as Robertson and Zaragoza (2009); K3 dampens a word that a long query repeats.
K1, B, K3 = 1.2, 0.75, 2.0
#: Terms of a query that are looked up, the heaviest first: a pasted letter has thousands and its rare ones decide.
MAX_TERMS = 256


@dataclass(frozen=True)
class TermIndex:
    """Weights of terms in texts, precomputed: a query costs one sparse product.

    Parameters
    ----------
    vocabulary : dict
        Term -> row of ``weights``.
    idf : np.ndarray
        (terms,) float32.
    weights : scipy.sparse.csr_matrix
        (terms, texts) float32.
    """

    vocabulary: dict[str, int]
    idf: np.ndarray
    weights: sparse.csr_matrix

    def scores(self, query: Mapping[int, float]) -> np.ndarray:
        """(texts,) float32 for a query of term rows and their weights."""
        terms = np.fromiter(query.keys(), np.int32, len(query))
        values = np.fromiter(query.values(), np.float32, len(query))
        if len(terms) > MAX_TERMS:
            heaviest = np.argsort(-values, kind="stable")[:MAX_TERMS]
            terms, values = terms[heaviest], values[heaviest]
        row = sparse.csr_matrix((values, terms, [0, len(terms)]), shape=(1, self.weights.shape[0]))
        return (row @ self.weights).toarray()[0]

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

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Everything as arrays without Python objects."""
        terms = np.frombuffer("\n".join(self.vocabulary).encode(), np.uint8)
        parts = {"indptr": self.weights.indptr, "indices": self.weights.indices, "data": self.weights.data}
        return {f"{prefix}_{name}": part for name, part in {"terms": terms, "idf": self.idf, **parts}.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str, texts: int) -> TermIndex:
        terms = arrays[f"{prefix}_terms"].tobytes().decode().split("\n")
        csr = tuple(arrays[f"{prefix}_{name}"] for name in ("data", "indices", "indptr"))
        idf = arrays[f"{prefix}_idf"]
        weights = sparse.csr_matrix(csr, shape=(len(idf), texts))
        return cls(dict(zip(terms, range(len(idf)), strict=False)), idf, weights)


def _count(texts: Iterable[Sequence[str]]) -> tuple[dict[str, int], sparse.csr_matrix]:
    """Vocabulary and (texts, terms) counts."""
    vocabulary: dict[str, int] = {}
    starts, columns, counts = [0], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    for terms in texts:
        counter = Counter(terms)
        column = [vocabulary.setdefault(term, len(vocabulary)) for term in counter]
        columns.append(np.array(column, np.int32))
        counts.append(np.fromiter(counter.values(), np.float32, len(counter)))
        starts.append(starts[-1] + len(counter))
    flat = np.concatenate(counts), np.concatenate(columns), np.array(starts)
    return vocabulary, sparse.csr_matrix(flat, shape=(len(starts) - 1, len(vocabulary)))


def _bm25(texts: Iterable[Sequence[str]]) -> TermIndex:
    vocabulary, counts = _count(texts)
    n = counts.shape[0]
    found = np.bincount(counts.indices, minlength=len(vocabulary))
    idf = np.log1p((n - found + 0.5) / (found + 0.5)).astype(np.float32)
    length = np.asarray(counts.sum(axis=1)).ravel()
    damping = K1 * (1 - B + B * length / max(float(length.mean()), 1.0)) if n else length
    tf = counts.data
    counts.data = tf * (K1 + 1) / (tf + np.repeat(damping, np.diff(counts.indptr)).astype(np.float32))
    return TermIndex(vocabulary, idf, counts.T.tocsr())


def _tfidf(texts: Iterable[Sequence[str]]) -> TermIndex:
    vocabulary, counts = _count(texts)
    found = np.bincount(counts.indices, minlength=len(vocabulary))
    idf = (np.log((1 + counts.shape[0]) / (1 + found)) + 1).astype(np.float32)
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    norm = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(np.maximum(norm, 1e-9), np.diff(counts.indptr)).astype(np.float32)
    return TermIndex(vocabulary, idf, counts.T.tocsr())


@dataclass(frozen=True)
class LexicalIndex:
    """BM25 over words with synonyms, and TF-IDF over characters and pairs, of the same texts."""

    word_index: TermIndex
    gram_index: TermIndex

    @classmethod
    def build(cls, texts: Sequence[str]) -> LexicalIndex:
        normal = [normalise(text) for text in texts]
        return cls(_bm25(map(words, normal)), _tfidf(map(grams, normal)))

    def scores(self, text: str) -> tuple[tuple[np.ndarray, float], tuple[np.ndarray, float]]:
        """BM25 and TF-IDF of a normalised text with every indexed text, on scales of their own.

        Each is (texts,) scores and the share of the text, by weight, that the indexed texts know at all.
        """
        by_word, word_share = self.word_index.counted(words(text))
        by_gram, gram_share = self.gram_index.counted(grams(text))
        word_idf, gram_idf = self.word_index.idf, self.gram_index.idf
        bm25 = {term: n * (K3 + 1) / (n + K3) * word_idf[term] for term, n in by_word.items()}
        tfidf = {term: (1 + np.log(n)) * gram_idf[term] for term, n in by_gram.items()}
        return (self.word_index.scores(bm25), word_share), (self.gram_index.scores(tfidf), gram_share)

    def arrays(self) -> dict[str, np.ndarray]:
        return self.word_index.arrays("word") | self.gram_index.arrays("gram")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], texts: int) -> LexicalIndex:
        return cls(TermIndex.from_arrays(arrays, "word", texts), TermIndex.from_arrays(arrays, "gram", texts))
