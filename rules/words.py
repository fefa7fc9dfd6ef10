"""Word lists: which words in an order point to which fact. Hints for people, never a judgement."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from intake.errors import ZhipaiError
from rules.fact_dictionary import FactDictionary, Value, fact_dictionary

_SENTENCE = re.compile(r"[。！？；!?;\n]+")
_CLAUSE = re.compile(r"[，、：,:…—（）()“”]+")
_LISTS = ("words", "near", "unless", "along", "barred")
_SITUATION = re.compile(r"NA(0[1-9]|1[0-5])|-")
TEXTS = ("order", "return_reason")


@dataclass(frozen=True, slots=True)
class Family:
    """Words that point to one fact. See the head of ``words.yaml`` for what counts as a match.

    ``of`` is the text that the family reads: the order itself, or the reason that a unit gave for a return.
    """

    family: str
    fact: str
    situation: str
    words: tuple[str, ...]
    near: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    along: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    value: Value = True
    of: str = "order"

    def matches(self, text: str, sentences: Iterable[tuple[str, tuple[str, ...]]]) -> bool:
        """Whether a word stands in a clause without an exception, with the companions it needs around it."""
        if not _holds(text, self.words) or _holds(text, self.barred):
            return False
        if self.along and not _holds(text, self.along):
            return False
        return any(
            _holds(clause, self.words) and not _holds(clause, self.unless)
            for sentence, clauses in sentences
            if not self.near or _holds(sentence, self.near)
            for clause in clauses
        )


def _holds(text: str, words: tuple[str, ...]) -> bool:
    """Whether the text has one of the words. A loop: a generator takes twice the time, and this is the hot path."""
    for word in words:  # noqa: SIM110
        if word in text:
            return True
    return False


class WordLists:
    """All families. Immutable; ``id`` is the content hash."""

    def __init__(self, families: Iterable[Family], dictionary: FactDictionary):
        self.families = tuple(families)
        names: set[str] = set()
        for family in self.families:
            fact = dictionary.get(family.fact)
            problem = ""
            if fact is None or fact.source != "text":
                problem = f"“{family.fact}”不是由正文推断的事实"
            elif fact.literal(family.value) is None:
                problem = f"“{family.value}”不能作“{family.fact}”的值"
            elif not family.words or not _SITUATION.fullmatch(family.situation):
                problem = "缺少 words，或 situation 不是 NA01—NA15"
            elif family.of not in TEXTS:
                problem = f"of 只能是 {'、'.join(TEXTS)}"
            elif family.family in names:
                problem = "词族名写了两次"
            if problem:
                raise ZhipaiError("E3302", {"problem": f"词族“{family.family}”：{problem}"})
            names.add(family.family)
        self._silent = tuple(fact.name for fact in dictionary if fact.silence == "false")
        self._of = {of: tuple(family for family in self.families if family.of == of) for of in TEXTS}

    @cached_property
    def id(self) -> str:
        rows = json.dumps([asdict(family) for family in self.families], ensure_ascii=False, sort_keys=True)
        return "words-" + hashlib.sha256(rows.encode()).hexdigest()[:16]

    def read(self, text: str, *, of: str = "order") -> dict[str, Value]:
        """The facts that the words point to; for an order, a fact whose silence means "false" is there in any case.

        Where several families give values to one fact, the first in the file wins.
        """
        sentences = tuple(_sentences(text))
        facts: dict[str, Value] = dict.fromkeys(self._silent, False) if of == "order" else {}
        for family in self._of[of]:
            if facts.get(family.fact, False) is False and family.matches(text, sentences):
                facts[family.fact] = family.value
        return facts


def _sentences(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for sentence in _SENTENCE.split(text):
        if sentence:
            yield sentence, tuple(clause for clause in _CLAUSE.split(sentence) if clause)


def _flat(words: Any) -> Iterator[str]:
    """A list of words that may hold shared lists."""
    for word in words or ():
        if isinstance(word, list):
            yield from _flat(word)
        else:
            yield str(word)


def words_from_file(path: Path, dictionary: FactDictionary) -> WordLists:
    """Read a word file; E3302 says what is wrong."""
    families = []
    for row in yaml.safe_load(path.read_text(encoding="utf-8"))["families"]:
        lists = {key: tuple(dict.fromkeys(_flat(row[key]))) for key in _LISTS if key in row}
        try:
            families.append(Family(**(row | lists)))
        except TypeError as error:
            raise ZhipaiError("E3302", {"problem": f"词族“{row.get('family')}”的键不对（{error}）"}) from error
    return WordLists(families, dictionary)


@cache
def word_lists() -> WordLists:
    """The word lists of the house, ``rules/words.yaml``."""
    return words_from_file(Path(__file__).with_name("words.yaml"), fact_dictionary())
