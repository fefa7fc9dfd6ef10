"""Text to the terms that the lexical index counts: words with their synonyms, and character n-grams."""

from __future__ import annotations

import hashlib
import re
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import jieba

from intake.clean import clean_text, to_simplified
from models.segment import Segmenter

DATA = Path(__file__).parent / "data"
_RUN = re.compile(r"[0-9a-z\u3400-\u4dbf\u4e00-\u9fff]+")
_GRAM_RUN = re.compile(r"[0-9a-z]+|[\u3400-\u4dbf\u4e00-\u9fff]+")
#: Raise when a change here alters the terms of a text; a saved index of other terms is then not loaded.
_VERSION = 4


def normalise(text: str) -> str:
    """Clean and in simplified characters: the form in which texts are compared."""
    return to_simplified(clean_text(text))


def _lines(name: str) -> list[str]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


@cache
def background_texts() -> tuple[str, ...]:
    """Texts any city's base might hold; scores are read against them. They are never returned."""
    return tuple(_lines("background.txt"))


@cache
def asked_texts() -> tuple[str, ...]:
    """How citizens put things, whatever the matter; the measure of queries, as the background is that of entries."""
    return tuple(_lines("asked.txt"))


@cache
def sayings() -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Ways of saying something (没开支, 没发钱) and the words in which entries say it (拖欠, 工资)."""
    pairs = (line.split("=>") for line in _lines("colloquial.txt"))
    return tuple((tuple(said.split()), tuple(meant.split())) for said, meant in pairs)


@cache
def _phrases() -> tuple[tuple[str, int], ...]:
    """What citizens say, each with its line of :func:`sayings`."""
    return tuple((phrase, line) for line, (said, _) in enumerate(sayings()) for phrase in said)


def formal_words(text: str) -> tuple[str, ...]:
    """Words of the entries' language for what a normalised text says in the citizen's, without those it has already."""
    lines = dict.fromkeys([line for phrase, line in _phrases() if phrase in text])
    found = [word for line in lines for word in sayings()[line][1]]
    return tuple(dict.fromkeys(word for word in found if word not in text))


@cache
def stop_words() -> frozenset[str]:
    """Words that alone do not say what is asked."""
    return frozenset(word for line in _lines("stopwords.txt") for word in line.split())


@cache
def synonyms() -> dict[str, str]:
    """Word -> the first word of its group, marked so that it cannot be mistaken for a word of the text."""
    groups = [line.split() for line in _lines("synonyms.txt")]
    return {word: f"≈{group[0]}" for group in groups for word in group}


@cache
def _segmenter() -> Segmenter:
    """Knows the words that have synonyms."""
    return Segmenter(synonyms())


# A search asks for the words of its text twice; a second segmentation would cost a tenth of the whole proposal.
@lru_cache(maxsize=16)
def words(text: str) -> tuple[str, ...]:
    """Words of a normalised text without stop words; a word with synonyms is followed by its group's mark."""
    stop, groups = stop_words(), synonyms()
    terms: list[str] = []
    for word in _segmenter().cut_for_search(text.lower()):
        drawn_out = len(set(word)) == 1 and word[0] in stop  # 啊啊啊
        if word in stop or drawn_out or not _RUN.fullmatch(word):
            continue
        terms.append(word)
        if word in groups:
            terms.append(groups[word])
    return tuple(terms)


def grams(text: str) -> list[str]:
    """Single ideographs and pairs of a normalised text, never across punctuation; Latin words and numbers whole."""
    terms: list[str] = []
    for run in _GRAM_RUN.findall(text.lower()):
        terms.extend([run] if run.isascii() else run)
        if not run.isascii():
            terms.extend(map("".join, pairwise(run)))
    return terms


@cache
def lexicon_id() -> str:
    """16 hex digits that change whenever the same text would give other terms or be read against other texts."""
    digest = hashlib.sha256(f"{_VERSION} jieba {jieba.__version__}".encode())
    for name in ("stopwords.txt", "synonyms.txt", "colloquial.txt", "background.txt", "asked.txt"):
        digest.update((DATA / name).read_bytes())
    return digest.hexdigest()[:16]
