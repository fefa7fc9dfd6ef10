"""Search, suggestions and quotes from the knowledge base, as plain dictionaries: what the API and the command line say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from knowledge_base import KnowledgeEntry, KnowledgeIndex
from knowledge_base.fusion import LEAST_SCORE
from knowledge_base.passage import Passage, best_passage
from knowledge_base.suggest import suggest


def _source(entry: KnowledgeEntry) -> dict[str, Any]:
    """Where an entry comes from and how long it holds: it goes with whatever is shown of it."""
    return {
        "id": entry.id,
        "title": entry.title,
        "unit": entry.unit,
        "district": entry.district,
        "clause": entry.clause,
        "source": entry.source,
        "state": entry.state,
        "secrecy": entry.secrecy,
        "effective_from": entry.effective_from.isoformat(),
        "effective_to": entry.effective_to.isoformat() if entry.effective_to else None,
        "content_hash": entry.content_hash,
    }


def _passage(passage: Passage | None) -> dict[str, Any] | None:
    if passage is None:
        return None
    return {"field": passage.field, "start": passage.start, "end": passage.end, "text": passage.text}


def search(
    index: KnowledgeIndex,
    text: str,
    *,
    as_of: datetime,
    district: str = "",
    unit: str = "",
    state: str = "",
    top: int = 5,
) -> dict[str, Any]:
    """The entries that answer, each with the passage that does; ``answered`` and ``reason`` say whether one does."""
    found = index.ask(text, as_of=as_of, district=district, unit=unit, state=state, top=top)
    hits = [
        {
            **_source(hit.entry),
            "answer": hit.entry.answer,
            "score": round(hit.score, 4),
            "parts": {name: round(part, 2) for name, part in hit.parts.items()},
            "passage": _passage(best_passage(hit.entry, text, index.lexical)),
        }
        for hit in found.hits
    ]
    return {"answered": found.answered, "reason": found.reason, "index": index.id, "hits": hits}


def typed(
    index: KnowledgeIndex, text: str, *, as_of: datetime, district: str = "", unit: str = "", top: int = 5
) -> dict[str, Any]:
    """Entries for a text that is still being typed: ids, titles and units."""
    entries = suggest(index, text, as_of=as_of, district=district, unit=unit, top=top)
    rows = [{"id": entry.id, "title": entry.title, "unit": entry.unit} for entry in entries]
    return {"index": index.id, "suggestions": rows}


def quote(
    index: KnowledgeIndex, text: str, *, as_of: datetime, district: str = "", unit: str = "", top: int = 3
) -> dict[str, Any]:
    """Sentences of entries as they stand there, with their source; none where no entry answers."""
    found = index.ask(text, as_of=as_of, district=district, unit=unit, top=top)
    quotes = []
    for hit in found.hits if found.answered else ():
        passage = best_passage(hit.entry, text, index.lexical)
        if hit.score >= LEAST_SCORE and passage is not None:
            quotes.append({"quote": _passage(passage), **_source(hit.entry), "score": round(hit.score, 4)})
    return {"answered": found.answered, "reason": found.reason, "index": index.id, "quotes": quotes}
