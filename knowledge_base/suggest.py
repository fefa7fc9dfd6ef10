"""Entries for a text that is still being typed."""

from __future__ import annotations

from datetime import datetime

from intake.errors import ZhipaiError
from knowledge_base.entry import KnowledgeEntry
from knowledge_base.index import KnowledgeIndex
from knowledge_base.words import normalise

#: Characters of a text that are looked at while it is typed; the end is what is being typed now.
MAX_TYPED = 200
#: Up to this many characters it is looked for in titles and ways of asking only: two characters mean too much.
SHORT = 2


def suggest(
    index: KnowledgeIndex, text: str, *, as_of: datetime, district: str = "", unit: str = "", top: int = 5
) -> tuple[KnowledgeEntry, ...]:
    """Entries in force whose title begins with the text, then those that have it in title or questions, then hits.

    Raises
    ------
    ZhipaiError
        E1004 for an ``as_of`` without a zone.
    """
    if as_of.tzinfo is None:
        raise ZhipaiError("E1004", {"field": "as_of"})
    typed = normalise(text[-MAX_TYPED:]).strip()
    if not typed:
        return ()
    allowed = index.allowed(as_of.date(), district=district, unit=unit)
    named = [entry for entry, may in zip(index.entries, allowed, strict=True) if may and _names(entry, typed)]
    named.sort(key=lambda entry: (not entry.title.startswith(typed), len(entry.title), entry.id))
    found = {entry.id: entry for entry in named[:top]}
    if len(found) < top and len(typed) > SHORT:
        hits = index.search(typed, as_of=as_of, district=district, unit=unit, top=top)
        found |= {hit.entry.id: hit.entry for hit in hits if hit.entry.id not in found}
    return tuple(found.values())[:top]


def _names(entry: KnowledgeEntry, typed: str) -> bool:
    return typed in entry.title or any(typed in question for question in entry.questions)
