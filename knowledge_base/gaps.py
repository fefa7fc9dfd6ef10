"""What the base lacks: orders that an entry would have answered, and questions that none answers, by topic."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

import numpy as np

from knowledge_base.answer import Hit
from knowledge_base.columns import stable_id
from knowledge_base.entry import DRAFT, KnowledgeEntry, entry_from_dict
from knowledge_base.index import KnowledgeIndex
from knowledge_base.words import normalise, words
from models.progress import Progress, silent

#: Cosine distance (after what all texts have in common is taken off) up to which two groups of questions are one topic.
DISTANCE = 0.4
#: Questions that are grouped at once: pairwise distances of more would not fit into memory.
_AT_ONCE = 3000
_CHUNK = 64
_TERMS, _SAMPLES, _QUESTIONS = 6, 5, 5
_TITLE = 40
_CLAUSE = re.compile(r"[，。；！？,;!?\n]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as it bears on the base: ``text`` and ``reply`` masked; ``unit`` it went to, empty if it went nowhere."""

    id: str
    text: str
    unit: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Answerable:
    """An order that was dispatched although an entry answers it."""

    asked: Asked
    hit: Hit


@dataclass(frozen=True, slots=True)
class Topic:
    """Questions that no entry answers and that belong together, the most typical first; ``draft`` is made of the unit's
    own reply, None where no reply was given."""

    terms: tuple[str, ...]
    asked: tuple[Asked, ...]
    draft: KnowledgeEntry | None


@dataclass(frozen=True, slots=True)
class Gaps:
    """``read`` orders, of which ``answerable`` were dispatched; topics of at least so many questions, the largest first;
    ``alone``: unanswered questions that belong to no topic."""

    read: int
    answerable: tuple[Answerable, ...]
    topics: tuple[Topic, ...]
    alone: int


def find_gaps(
    asked: Iterable[Asked],
    index: KnowledgeIndex,
    *,
    as_of: datetime,
    least: int = 3,
    source: str = "",
    progress: Progress = silent,
) -> Gaps:
    """Ask the index every order's text.

    Parameters
    ----------
    as_of : datetime
        Aware; entries in force on its day are asked.
    least : int
        Questions that make a topic.
    source : str
        Where the orders come from, named in the drafts.
    """
    orders = list(asked)
    answerable: list[Answerable] = []
    open_ones: list[Asked] = []
    vectors: list[np.ndarray] = []
    for start in range(0, len(orders), _CHUNK):
        chunk = orders[start : start + _CHUNK]
        encoded = index.encoder.encode([normalise(one.text) for one in chunk], kind="query")
        for order, vector in zip(chunk, encoded, strict=True):
            answer = index.ask(order.text, as_of=as_of, vector=vector, top=1)
            if answer.answered:
                if order.unit:
                    answerable.append(Answerable(order, answer.hits[0]))
            elif words(normalise(order.text)):
                open_ones.append(order)
                vectors.append(index.dense.query(vector))
        progress("逐条问知识库", min(start + _CHUNK, len(orders)), len(orders))
    groups = _groups(np.array(vectors, np.float32)) if len(vectors) > 1 else np.zeros(len(vectors), int)
    topics = []
    common = Counter(word for order in open_ones for word in _own_words(order.text))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if len(members) >= least:
            topics.append(
                _topic([open_ones[i] for i in members], np.array([vectors[i] for i in members]), common, source)
            )
    topics.sort(key=lambda topic: (-len(topic.asked), topic.terms))
    answerable.sort(key=lambda one: (-one.hit.score, one.asked.id))
    return Gaps(len(orders), tuple(answerable), tuple(topics), len(open_ones) - sum(len(one.asked) for one in topics))


def _groups(vectors: np.ndarray) -> np.ndarray:
    """The number of the group of each vector."""
    # Here and not above: it would cost every process that opens the base 110 MB.
    from sklearn.cluster import AgglomerativeClustering, MiniBatchKMeans

    parts = np.zeros(len(vectors), int)
    if len(vectors) > _AT_ONCE:
        split = MiniBatchKMeans(ceil(2 * len(vectors) / _AT_ONCE), random_state=0, n_init=3)
        parts = split.fit_predict(vectors)
    groups = np.zeros(len(vectors), int)
    offset = 0
    for part in np.unique(parts):
        members = np.flatnonzero(parts == part)
        if len(members) > 1:
            cluster = AgglomerativeClustering(None, metric="cosine", linkage="average", distance_threshold=DISTANCE)
            groups[members] = cluster.fit_predict(vectors[members]) + offset
        else:
            groups[members] = offset
        offset = int(groups.max()) + 1
    return groups


def _topic(asked: Sequence[Asked], vectors: np.ndarray, common: Counter[str], source: str) -> Topic:
    order = np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")
    ranked = tuple(asked[i] for i in order)
    here = Counter(word for one in asked for word in _own_words(one.text))
    weight = {word: count * count / common[word] for word, count in here.items() if count > 1}
    terms = tuple(sorted(weight, key=lambda word: (-weight[word], word))[:_TERMS])
    return Topic(terms, ranked, draft_of(ranked, terms, source))


def _own_words(text: str) -> set[str]:
    """The words of a text as they stand in it: without synonyms that the search puts beside them, and single characters."""
    return {word for word in words(text) if len(word) > 1 and word in text}


def draft_of(ranked: Sequence[Asked], terms: Sequence[str], source: str) -> KnowledgeEntry | None:
    """An entry for somebody to rewrite: the most typical reply of the unit that answers most of these questions."""
    replied = [one for one in ranked if one.reply.strip() and one.unit]
    if not replied:
        return None
    unit = Counter(one.unit for one in replied).most_common(1)[0][0]
    typical = next(one for one in replied if one.unit == unit)
    row = {
        "title": f"{'、'.join(terms[:3])}：{_first_clause(typical.text)}" if terms else _first_clause(typical.text),
        "questions": list(dict.fromkeys(one.text[:200] for one in ranked))[:_QUESTIONS],
        "answer": typical.reply.strip(),
        "unit": unit,
        "source": f"由{source or '历史工单'}中 {len(ranked)} 条同类诉求的答复整理，工单 {typical.id or '未编号'}",
        "state": DRAFT,
    }
    return entry_from_dict(row | {"id": stable_id(row)})


def _first_clause(text: str) -> str:
    clauses = [clause for clause in _CLAUSE.split(text.strip()) if len(clause) > 3]
    return (clauses[0] if clauses else text.strip())[:_TITLE]


def samples(topic: Topic) -> list[str]:
    """The most typical questions of a topic, cut to a line each."""
    return [one.text[:120] for one in topic.asked[:_SAMPLES]]
