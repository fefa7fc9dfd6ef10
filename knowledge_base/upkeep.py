"""What a maintainer should look at: entries that say the same twice, rest on what has ended, are not found, lack parts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import faiss
import numpy as np

from knowledge_base.citations import KnownClause, repealed_citations
from knowledge_base.contradictions import Contradiction, contradictions, same_people
from knowledge_base.entry import KnowledgeEntry
from knowledge_base.index import KnowledgeIndex
from models.progress import Progress, silent

#: Cosine from which two entries are shown as saying the same. Chosen by reading the pairs of the bundled city.
DUPLICATE = 0.85
#: The same for entries of two different matters: neighbours in meaning that are meant to stand side by side.
ACROSS_MATTERS = 0.9
_NEIGHBOURS = 6
#: Days after which a contact should be checked again, and before the end of validity at which an entry loses points.
CONTACT_DAYS, ENDING_DAYS = 365, 30
_SHORT, _LONG = 20, 1000


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two entries in force for the same people that seem to say the same. ``score``: cosine of their
    vectors, after what all entries have in common is taken off."""

    first: KnowledgeEntry
    second: KnowledgeEntry
    score: float


@dataclass(frozen=True, slots=True)
class Unfound:
    """A question of an entry's own by which it is not among the first hits, and the entry that stands in its place."""

    entry: KnowledgeEntry
    question: str
    instead: KnowledgeEntry | None
    reason: str


@dataclass(frozen=True, slots=True)
class Quality:
    """Points of 100 and what cost how many. The weights are our own judgement: they advise and stop nothing."""

    entry: KnowledgeEntry
    score: int
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Findings:
    """All that was found, and how many entries were looked at."""

    looked_at: int
    duplicates: tuple[Duplicate, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    repealed: tuple[tuple[KnowledgeEntry, str, str], ...] = ()
    unfound: tuple[Unfound, ...] = ()
    quality: tuple[Quality, ...] = ()


def check(
    index: KnowledgeIndex,
    known: Sequence[KnownClause],
    *,
    as_of: datetime,
    search_each: bool = True,
    progress: Progress = silent,
) -> Findings:
    """Look through the entries that are in force at ``as_of`` (aware).

    ``known``: clauses with their dates. ``search_each``: also ask the index every question of every entry, which takes
    as long as so many searches.
    """
    day = as_of.date()
    entries = [entry for entry in index.entries if entry.in_force(as_of)]
    doubles = duplicates(index, day=day)
    opposed = contradictions(entries, [(one.first.id, one.second.id) for one in doubles], day=day)
    ended = [
        (entry, f"《{citation.document}》{citation.article}", reason)
        for entry in entries
        for citation, reason in repealed_citations(entry.citations, known, day=day)
    ]
    missed = unfound(index, entries, as_of=as_of, progress=progress) if search_each else []
    found = {
        "与别的条目矛盾": {entry.id for one in opposed for entry in (one.first, one.second)},
        "依据已失效": {entry.id for entry, _, _ in ended},
        "与别的条目重复": {entry.id for one in doubles for entry in (one.first, one.second)},
        "用自己的问法搜不到": {one.entry.id for one in missed},
    }
    scored = sorted((quality(entry, found, day=day) for entry in entries), key=lambda one: (one.score, one.entry.id))
    return Findings(len(entries), tuple(doubles), tuple(opposed), tuple(ended), tuple(missed), tuple(scored))


def duplicates(index: KnowledgeIndex, *, day: date, least: float = DUPLICATE) -> list[Duplicate]:
    """Pairs of entries in force that seem to say the same, the surest first. Each is compared with its nearest few."""
    in_force = np.flatnonzero(index.allowed(day))
    if len(in_force) < 2:
        return []
    vectors = np.ascontiguousarray(index.dense.vectors(in_force), np.float32)
    near = faiss.IndexFlatIP(vectors.shape[1])
    near.add(vectors)
    _, found = near.search(vectors, min(_NEIGHBOURS, len(in_force)))
    pairs = {(min(i, j), max(i, j)) for i, row in enumerate(found) for j in row.tolist() if j >= 0 and i != j}
    entries = [index.entries[position] for position in in_force]
    doubles = [
        Duplicate(entries[i], entries[j], score)
        for i, j in sorted(pairs)
        if (score := float(vectors[i] @ vectors[j])) >= _needed(entries[i], entries[j], least)
        and same_people(entries[i], entries[j])
    ]
    return sorted(doubles, key=lambda one: (-one.score, one.first.id, one.second.id))


def _needed(one: KnowledgeEntry, other: KnowledgeEntry, least: float) -> float:
    """The cosine that two entries need to be shown."""
    differ = bool(one.matter and other.matter) and one.matter != other.matter
    return max(least, ACROSS_MATTERS) if differ else least


def unfound(
    index: KnowledgeIndex,
    entries: Iterable[KnowledgeEntry],
    *,
    as_of: datetime,
    top: int = 5,
    progress: Progress = silent,
) -> list[Unfound]:
    """The questions of entries by which they are not among the first ``top`` hits, with who stands there and why."""
    asked = [(entry, question) for entry in entries for question in (entry.title, *entry.questions)]
    found = []
    for number, (entry, question) in enumerate(asked, start=1):
        hits = index.search(question, as_of=as_of, district=entry.district, top=top)
        progress("逐条试检索", number, len(asked))
        if any(hit.entry.id == entry.id for hit in hits):
            continue
        instead = hits[0].entry if hits else None
        if instead is None:
            reason = "这句问法里没有可检索的词"
        elif instead.title == entry.title:
            reason = "与排在前面的条目标题相同"
        else:
            reason = "别的条目更像这句问法；这一条的标题、问法和答复里缺少问法用的词"
        found.append(Unfound(entry, question, instead, reason))
    return found


#: What was found about an entry -> the points that it costs.
_FOUND_COSTS = {"与别的条目矛盾": 25, "依据已失效": 25, "与别的条目重复": 10, "用自己的问法搜不到": 10}


def quality(entry: KnowledgeEntry, found: Mapping[str, Collection[str]], *, day: date) -> Quality:
    """Points for one entry, with the reasons, the dearest first. ``found``: kind of finding -> ids that it concerns."""
    reasons = [(kind, _FOUND_COSTS[kind]) for kind, ids in found.items() if entry.id in ids]
    reasons += [(reason, cost) for reason, cost, holds in _lacks(entry, day) if holds]
    reasons.sort(key=lambda reason: -reason[1])
    return Quality(entry, max(0, 100 - sum(cost for _, cost in reasons)), tuple(reasons))


def _lacks(entry: KnowledgeEntry, day: date) -> list[tuple[str, int, bool]]:
    dated = [contact.checked for contact in entry.contacts if contact.checked]
    stale = bool(dated) and min(dated) < day - timedelta(days=CONTACT_DAYS)
    length = len(entry.answer)
    ends = entry.effective_to
    return [
        ("没有写依据", 15, not entry.clause),
        ("没有问法，口语问题不易搜到", 15, not entry.questions),
        ("没有写事项", 5, not entry.matter),
        ("没有联系方式", 5, not entry.contacts),
        ("联系方式没有核对日期", 5, bool(entry.contacts) and len(dated) < len(entry.contacts)),
        (f"联系方式超过 {CONTACT_DAYS} 天没有核对", 10, stale),
        (f"答复要点不到 {_SHORT} 个字", 10, length < _SHORT),
        (f"答复要点超过 {_LONG} 个字，宜把细节放进正文", 5, length > _LONG),
        (f"{ENDING_DAYS} 天内到期", 5, ends is not None and (ends - day).days <= ENDING_DAYS),
    ]
