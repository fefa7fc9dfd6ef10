"""Which sentence of an entry answers a text: quoted as it stands, by its place."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from math import sqrt

from knowledge_base.entry import KnowledgeEntry
from knowledge_base.lexical import LexicalIndex
from knowledge_base.words import formal_words, grams, normalise

#: Sentences of an answer that are looked at; the rest of a book does not make a search slow.
MOST = 200
_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]?")


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence of an entry: ``field`` is ``answer`` or ``body``, ``text`` its characters from ``start`` to ``end``."""

    field: str
    start: int
    end: int
    text: str


def passages(entry: KnowledgeEntry) -> list[Passage]:
    """The sentences of an entry's answer and body, in their order."""
    found = []
    for field in ("answer", "body"):
        whole = getattr(entry, field)
        for match in _SENTENCE.finditer(whole):
            text = match.group()
            start = match.start() + len(text) - len(text.lstrip())
            if text.strip():
                found.append(Passage(field, start, start + len(text.strip()), text.strip()))
    return found[:MOST]


def best_passage(entry: KnowledgeEntry, text: str, lexical: LexicalIndex) -> Passage | None:
    """The sentence that shares the weightiest characters with the text; the first where none does, None without any.

    What the title already says is worth half: it is true of every sentence of the entry.
    """
    choices = passages(entry)
    if not choices:
        return None
    asked = normalise(text)
    terms = set(grams(f"{asked}\n{' '.join(formal_words(asked))}"))
    titled = set(grams(normalise(entry.title)))
    index = lexical.gram_index

    def weight(term: str) -> float:
        idf = index.idf(term)
        return idf / 2 if term in titled else idf

    def score(passage: Passage) -> float:
        counts = Counter(grams(normalise(passage.text)))
        return sum(weight(term) for term in counts if term in terms) / sqrt(10 + len(passage.text))

    return max(choices, key=score)
