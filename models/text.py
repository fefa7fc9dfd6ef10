"""Text to weighted n-grams: runs of 1–3 characters, and single words and pairs of words.

Training and serving read a text with the same code: :meth:`TextFeatures.matrix` is :meth:`TextFeatures.read` of each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import sparse

from models.segment import Segmenter

CHARS = (1, 2, 3)
#: Joins the two words of a pair in the vocabulary; no text has it.
PAIR = "\t"


@lru_cache(maxsize=1)
def segmenter() -> Segmenter:
    """With the dictionary of jieba and no word besides."""
    return Segmenter()


def _lower(text: str) -> str:
    """Lower case without a change of length, so that places in it are places in the text."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def char_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Every run of 1–3 characters with its place."""
    text = _lower(text)
    for size in CHARS:
        for start in range(len(text) - size + 1):
            yield text[start : start + size], start, start + size


def word_spans(text: str) -> list[tuple[str, int, int]]:
    """Every word and every pair of neighbouring words with its place; punctuation parts them."""
    words: list[tuple[str, int, int]] = []
    end = 0
    for word in segmenter().cut(_lower(text)):
        start, end = end, end + len(word)
        if any(character.isalnum() for character in word):
            words.append((word, start, end))
    pairs = [
        (f"{a}{PAIR}{b}", start, end) for (a, start, middle), (b, next_, end) in pairwise(words) if middle == next_
    ]
    return words + pairs


def _commonest(counts: Counter[str], *, least: int, most: int) -> list[str]:
    """N-grams in at least ``least`` texts, at most ``most`` of them; ties by the n-gram, so that the choice is stable."""
    kept = sorted((gram for gram, count in counts.items() if count >= least), key=lambda gram: (-counts[gram], gram))
    return sorted(kept[:most])


@dataclass(frozen=True, slots=True)
class TextRow:
    """One text as the models read it.

    Parameters
    ----------
    columns : ndarray of int32, (known n-grams,)
        Ascending.
    values : ndarray of float32, (known n-grams,)
        TF-IDF.
    times : ndarray of int, (known n-grams,)
        How often each occurs.
    which : ndarray of int, (occurrences,)
        For each place the known n-gram that stands there.
    places : ndarray of int32, (occurrences, 2)
        Start and end.
    words : ndarray of int32, (words, 2)
        Start and end of each word, known or not.
    """

    columns: np.ndarray
    values: np.ndarray
    times: np.ndarray
    which: np.ndarray
    places: np.ndarray
    words: np.ndarray


@dataclass(frozen=True)
class TextFeatures:
    """TF-IDF over two blocks, n-grams of characters and of words, each of length 1 (L2).

    Parameters
    ----------
    chars, words : dict
        N-gram -> column. Words come after the characters.
    idf : ndarray of float32, (columns,)
    """

    chars: dict[str, int]
    words: dict[str, int]
    idf: np.ndarray

    @classmethod
    def fit(cls, texts: Sequence[str], *, min_df: int, max_chars: int, max_words: int) -> TextFeatures:
        """Choose the n-grams of ``texts`` and weigh them by rarity: ``1 + ln((1 + n) / (1 + df))``."""
        char_counts: Counter[str] = Counter()
        word_counts: Counter[str] = Counter()
        for text in texts:
            char_counts.update({gram for gram, _, _ in char_spans(text)})
            word_counts.update({gram for gram, _, _ in word_spans(text)})
        chars = _commonest(char_counts, least=min_df, most=max_chars)
        words = _commonest(word_counts, least=min_df, most=max_words)
        counts = np.array([char_counts[gram] for gram in chars] + [word_counts[gram] for gram in words], np.float64)
        idf = (1 + np.log((1 + len(texts)) / (1 + counts))).astype(np.float32)
        return cls(*_columns(chars, words), idf)

    @property
    def size(self) -> int:
        return len(self.idf)

    def read(self, text: str) -> TextRow:
        """One text: its n-grams, their values, and where they stand."""
        places = [(self.chars.get(gram), start, end) for gram, start, end in char_spans(text)]
        words = word_spans(text)
        places += [(self.words.get(gram), start, end) for gram, start, end in words]
        table = np.array([place for place in places if place[0] is not None], np.int32).reshape(-1, 3)
        columns, which, times = np.unique(table[:, 0], return_inverse=True, return_counts=True)
        values = (1 + np.log(times.astype(np.float32))) * self.idf[columns]
        for block in (slice(0, middle := int(np.searchsorted(columns, len(self.chars)))), slice(middle, None)):
            length = np.sqrt(values[block] @ values[block])
            if length > 0:
                values[block] /= length
        tokens = [(start, end) for gram, start, end in words if PAIR not in gram]
        return TextRow(columns, values, times, which, table[:, 1:], np.array(tokens, np.int32).reshape(-1, 2))

    def matrix(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """(n, columns) float32."""
        rows = [self.read(text) for text in texts]
        ends = np.cumsum([0] + [len(row.columns) for row in rows])
        columns = np.concatenate([row.columns for row in rows]) if rows else np.zeros(0, np.int32)
        values = np.concatenate([row.values for row in rows]) if rows else np.zeros(0, np.float32)
        return sparse.csr_matrix((values, columns, ends), shape=(len(rows), self.size))

    def to_json(self) -> str:
        """The vocabulary; the weights are an array of their own."""
        return json.dumps({"chars": list(self.chars), "words": list(self.words)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, idf: np.ndarray) -> TextFeatures:
        data = json.loads(text)
        return cls(*_columns(data["chars"], data["words"]), idf)


def _columns(chars: Sequence[str], words: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    first = {gram: column for column, gram in enumerate(chars)}
    return first, {gram: column for column, gram in enumerate(words, start=len(chars))}
