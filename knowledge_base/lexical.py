"""How much a query and a text share in words (BM25) and in characters (TF-IDF), for all texts at once.

A change gives the same scores, to the bit, as an index built from nothing. What is kept of a text are whole numbers that
depend on no other text; everything that does (how rare a term is, how long texts are) is either worked out at the query,
or, as the length of a text's TF-IDF vector, a sum of whole numbers that is corrected for exactly what has moved.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np
from scipy import sparse

from knowledge_base.postings import MOST, Postings, joined
from knowledge_base.words import formal_words, grams, normalise, words

#: BM25 as Robertson and Zaragoza (2009); K3 dampens a word that a long query repeats.
K1, B, K3 = 1.2, 0.75, 2.0
#: Terms of a query that are looked up, the heaviest first: a pasted letter has thousands and its rare ones decide.
MAX_TERMS = 256
#: Postings that a query reads, its heaviest terms first. Not reached below some 20,000 texts; above, what is left out
#: are characters that a tenth of all texts hold.
MAX_POSTINGS = 2_000_000
#: Rounded down to one of these, the number of texts says how rare a term is in TF-IDF: steps of 4%, so that one text
#: more or less does not move the weights of all.
GRADES = np.array(sorted({*range(16), *(int(2 ** (k / 16)) for k in range(64, 31 * 16))}), np.int64)
_GRADES = GRADES.tolist()
_SQUARE, _COUNT = 2**16, 2**8  # Fractions to whole numbers.
_TIMES = 1 + np.log(np.maximum(np.arange(MOST + 1), 1))
_TIMES_SQUARED = np.rint(_TIMES**2 * _COUNT)
_TIMES = _TIMES.astype(np.float32)


#: What each posting weighs (float32): of ``base`` (0) or ``later`` (1), its slots and counts.
Weigh = Callable[[int, np.ndarray, np.ndarray], np.ndarray]


def _grade(found: int) -> int:
    return bisect_right(_GRADES, found) - 1


@lru_cache(maxsize=8)
def _rarity(size: int) -> tuple[np.ndarray, np.ndarray]:
    """idf by the grade of a term's texts, among texts of this grade in number; and its square as a whole number."""
    idf = np.array([math.log((1 + _GRADES[size]) / (1 + found)) + 1 for found in _GRADES[: size + 1]])
    return idf, np.rint(idf**2 * _SQUARE)


# Both: a term that no text holds is as rare as one that a single text holds.
@lru_cache(maxsize=4096)
def _word_idf(size: int, found: int) -> float:
    found = max(found, 1)
    return math.log1p((size - found + 0.5) / (found + 0.5)) if size else 0.0


@lru_cache(maxsize=4096)
def _gram_idf(size: int, found: int) -> float:
    """``size``: the grade of the number of texts."""
    idf, _ = _rarity(size)
    return float(idf[min(_grade(max(found, 1)), len(idf) - 1)])


@dataclass(frozen=True)
class TermIndex:
    """The terms of some texts.

    Parameters
    ----------
    base, later : Postings
        Of the texts at the last :meth:`build`, and of those that came since. Texts that went are still in them.
    places : np.ndarray
        (texts,) where each text is found: a slot of ``base`` or, counted on, of ``later``.
    found : np.ndarray
        (terms of ``base``,) how many of the texts hold a term.
    new : dict
        Term that is not in ``base`` -> how many of the texts hold it.
    """

    base: Postings
    later: Postings
    places: np.ndarray
    found: np.ndarray
    new: dict[str, int]

    @property
    def size(self) -> int:
        return len(self.places)

    def holding(self, term: str) -> int:
        """How many texts hold a term."""
        number = self.base.vocabulary.get(term)
        return self.new.get(term, 0) if number is None else int(self.found[number])

    def scores(self, query: Mapping[str, float], weigh: Weigh) -> tuple[np.ndarray, np.ndarray]:
        """By slot of ``base`` and of ``later``: the sum of a term's weight in the query times what it weighs in a text.

        ``weigh`` gives the latter.
        """
        chosen: list[tuple[str, float]] = []
        read = 0
        for term, weight in sorted(query.items(), key=lambda item: (-item[1], item[0]))[:MAX_TERMS]:
            read += self.holding(term)
            if read > MAX_POSTINGS and chosen:
                break
            chosen.append((term, weight))
        return self._summed(0, chosen, weigh), self._summed(1, chosen, weigh)

    def _summed(self, part: int, chosen: Sequence[tuple[str, float]], weigh: Weigh) -> np.ndarray:
        postings = (self.base, self.later)[part]
        known = [(number, weight) for term, weight in chosen if (number := postings.vocabulary.get(term)) is not None]
        if not known:
            return np.zeros(postings.size, np.float32)
        lists = [slice(postings.starts[number], postings.starts[number + 1]) for number, _ in known]
        slots = np.concatenate([postings.slots[one] for one in lists])
        data = weigh(part, slots, np.concatenate([postings.counts[one] for one in lists]))
        ends = np.cumsum([0, *(one.stop - one.start for one in lists)], dtype=np.int32)
        table = sparse.csc_matrix((data, slots, ends), shape=(postings.size, len(lists)), copy=False)
        # Column by column, so that what a text gets is summed in the order of the terms, wherever the text stands.
        return table @ np.array([weight for _, weight in known], np.float32)

    def in_order(self, base: np.ndarray, later: np.ndarray) -> np.ndarray:
        """(texts,) from what stands by slot."""
        return np.concatenate([base, later])[self.places]

    def counted(self, terms: Iterable[str], idf: Callable[[int], float]) -> tuple[dict[str, tuple[int, float]], float]:
        """Known terms, how often each occurs and its idf; and the share that they have in the weight of all terms.

        ``idf`` is by how many texts hold a term. One that no text holds weighs like the rarest: it too is something
        that was asked.
        """
        known: dict[str, tuple[int, float]] = {}
        held = total = 0.0
        for term, times in Counter(terms).items():
            found = self.holding(term)
            weight = idf(found)
            total += weight
            if found:
                known[term] = times, weight
                held += weight
        return known, held / total if known else 0.0

    def moved(
        self, kept: np.ndarray, size: int, added: Mapping[int, Sequence[str]], gone: Iterable[Sequence[str]]
    ) -> TermIndex:
        """After some texts went and others came; :meth:`LexicalIndex.changed` says what the parameters are."""
        places = np.empty(size, np.int64)
        stay = kept >= 0
        places[kept[stay]] = self.places[stay]
        behind = self.base.size + self.later.size
        places[list(added)] = np.arange(behind, behind + len(added))
        found, new = self.found.copy(), dict(self.new)
        for step, texts in ((-1, gone), (1, added.values())):
            for terms in texts:
                for term in set(terms):
                    number = self.base.vocabulary.get(term)
                    if number is None:
                        new[term] = new.get(term, 0) + step
                    else:
                        found[number] += step
        return TermIndex(self.base, self.later.with_texts(added.values()), places, found, new)

    def compact(self) -> TermIndex:
        """The same texts, all of them in ``base``, each in the slot of its position."""
        slots = np.full(self.base.size + self.later.size, -1)
        slots[self.places] = np.arange(self.size)
        return plain(joined(self.base, slots[: self.base.size], self.later, slots[self.base.size :]))


def plain(base: Postings) -> TermIndex:
    """The index of texts none of which has changed."""
    return TermIndex(base, Postings.of([]), np.arange(base.size), np.diff(base.starts), {})


@dataclass(frozen=True)
class WordIndex:
    """BM25."""

    terms: TermIndex

    @classmethod
    def build(cls, texts: Iterable[str]) -> WordIndex:
        return cls(plain(Postings.of(map(words, texts))))

    def idf(self, term: str) -> float:
        return _word_idf(self.terms.size, self.terms.holding(term))

    @cached_property
    def _damping(self) -> list[np.ndarray]:
        """How much its length takes off a text, by slot, of ``base`` and of ``later``."""
        terms = self.terms
        lengths = np.concatenate([terms.base.lengths, terms.later.lengths])
        mean = max(int(lengths[terms.places].sum()) / max(terms.size, 1), 1.0)
        return [(K1 * (1 - B + B * part.lengths / mean)).astype(np.float32) for part in (terms.base, terms.later)]

    def scores(self, terms: Iterable[str]) -> tuple[np.ndarray, float]:
        """(texts,) scores, and the share of the terms, by weight, that the texts know at all."""
        known, share = self.terms.counted(terms, partial(_word_idf, self.terms.size))
        query = {term: n * (K3 + 1) / (n + K3) * idf for term, (n, idf) in known.items()}

        def weigh(part: int, slots: np.ndarray, counts: np.ndarray) -> np.ndarray:
            weights = counts.astype(np.float32)
            damped = self._damping[part].take(slots)
            damped += weights
            weights /= damped
            return weights

        return self.terms.in_order(*self.terms.scores(query, weigh)) * np.float32(K1 + 1), share

    def changed(self, kept: np.ndarray, size: int, added: Mapping[int, str], gone: Iterable[str]) -> WordIndex:
        came = {position: words(text) for position, text in added.items()}
        return WordIndex(self.terms.moved(kept, size, came, [words(text) for text in gone]))


@dataclass(frozen=True)
class GramIndex:
    """TF-IDF. ``squares`` are the squared lengths of the vectors of the texts in ``terms.base``, as whole numbers."""

    terms: TermIndex
    squares: np.ndarray

    @classmethod
    def build(cls, texts: Iterable[str]) -> GramIndex:
        return cls.of(plain(Postings.of(map(grams, texts))))

    @classmethod
    def of(cls, terms: TermIndex) -> GramIndex:
        _, square = _rarity(_grade(terms.size))
        grades = np.searchsorted(GRADES, terms.found, "right") - 1
        return cls(terms, terms.base.summed(_TIMES_SQUARED, square[grades]))

    def idf(self, term: str) -> float:
        return _gram_idf(_grade(self.terms.size), self.terms.holding(term))

    @cached_property
    def _norms(self) -> np.ndarray:
        """(texts,) lengths of the vectors."""
        terms = self.terms
        _, square = _rarity(_grade(terms.size))
        weights = np.array([square[_grade(terms.holding(term))] for term in terms.later.vocabulary], np.float64)
        squares = terms.in_order(self.squares, terms.later.summed(_TIMES_SQUARED, weights))
        return np.maximum(np.sqrt(squares / (_SQUARE * _COUNT)), 1e-9).astype(np.float32)

    def scores(self, terms: Iterable[str]) -> tuple[np.ndarray, float]:
        """(texts,) scores, and the share of the terms, by weight, that the texts know at all."""
        known, share = self.terms.counted(terms, partial(_gram_idf, _grade(self.terms.size)))
        query = {term: (1 + math.log(n)) * idf**2 for term, (n, idf) in known.items()}
        found = self.terms.scores(query, lambda _, slots, counts: _TIMES.take(counts, mode="clip"))
        return self.terms.in_order(*found) / self._norms, share

    def changed(self, kept: np.ndarray, size: int, added: Mapping[int, str], gone: Iterable[str]) -> GramIndex:
        came, went = {position: grams(text) for position, text in added.items()}, [grams(text) for text in gone]
        terms = self.terms.moved(kept, size, came, went)
        if _grade(size) != _grade(self.terms.size):
            return GramIndex.of(terms)
        _, square = _rarity(_grade(size))
        squares, base = self.squares.copy(), terms.base
        for term in {term for text in (*came.values(), *went) for term in text}:
            number = base.vocabulary.get(term)
            if number is None:
                continue
            before, after = _grade(int(self.terms.found[number])), _grade(int(terms.found[number]))
            if before != after:
                part = slice(base.starts[number], base.starts[number + 1])
                step = _TIMES_SQUARED[base.counts[part]] * (square[after] - square[before])
                squares[base.slots[part]] += step.astype(np.int64)
        return GramIndex(terms, squares)

    def compact(self) -> GramIndex:
        return GramIndex.of(self.terms.compact())


@dataclass(frozen=True)
class LexicalIndex:
    """BM25 over words with synonyms, and TF-IDF over characters and pairs, of the same texts."""

    word_index: WordIndex
    gram_index: GramIndex

    @classmethod
    def build(cls, texts: Iterable[str]) -> LexicalIndex:
        normal = [normalise(text) for text in texts]
        return cls(WordIndex.build(normal), GramIndex.build(normal))

    @property
    def later(self) -> int:
        """Texts that came since the index was last in one piece; they make a search and a change slower."""
        return self.word_index.terms.later.size

    def changed(self, kept: np.ndarray, size: int, added: Mapping[int, str], gone: Sequence[str]) -> LexicalIndex:
        """After some texts went and others came: the scores are those of an index built from nothing.

        Parameters
        ----------
        kept : np.ndarray
            New position of each text, -1 for one that goes.
        size : int
            How many texts there will be.
        added : mapping
            New position -> text.
        gone : sequence of str
            The texts that go.
        """
        came = {position: normalise(text) for position, text in added.items()}
        went = [normalise(text) for text in gone]
        return LexicalIndex(
            self.word_index.changed(kept, size, came, went), self.gram_index.changed(kept, size, came, went)
        )

    def compact(self) -> LexicalIndex:
        """The same in one piece; itself where it is."""
        if not self.later and self.word_index.terms.size == self.word_index.terms.base.size:
            return self
        return LexicalIndex(WordIndex(self.word_index.terms.compact()), self.gram_index.compact())

    def scores(self, text: str) -> tuple[tuple[np.ndarray, float], tuple[np.ndarray, float]]:
        """BM25 and TF-IDF of a normalised text with every indexed text, on scales of their own.

        Each is (texts,) scores and the share of the text, by weight, that the indexed texts know at all. What the text
        says in the citizen's words is looked up in the entries' words as well (:func:`formal_words`).
        """
        formal = formal_words(text)
        # Apart, so that the segmentation of the text is the one that the search has made already.
        added = " ".join(formal)
        by_word = self.word_index.scores((*words(text), *words(added)))
        return by_word, self.gram_index.scores([*grams(text), *grams(added)])

    def arrays(self) -> dict[str, np.ndarray]:
        """Of an index in one piece (:meth:`compact`)."""
        return (
            self.word_index.terms.base.arrays("word")
            | self.gram_index.terms.base.arrays("gram")
            | {"gram_squares": self.gram_index.squares}
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> LexicalIndex:
        gram_terms = plain(Postings.from_arrays(arrays, "gram"))
        return cls(
            WordIndex(plain(Postings.from_arrays(arrays, "word"))), GramIndex(gram_terms, arrays["gram_squares"])
        )
