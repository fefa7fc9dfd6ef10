"""How often the right entry is found: recall and reciprocal rank with intervals, for each way of searching."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register
from knowledge_base.entry import KnowledgeEntry
from knowledge_base.fusion import BM25, DENSE, FUSED, LEAST_SCORE, Weights
from knowledge_base.index import KnowledgeIndex
from knowledge_base.words import normalise, words
from models.encoder import Encoder
from models.progress import Progress, silent

register("E4031", "评测集为空", "评测用的{what}一条也没有。请检查文件，每行写一个 JSON 对象。")
register("E4032", "评测问题有误", "评测问题“{id}”{problem}。")

METHODS: dict[str, Weights] = {"bm25": BM25, "dense": DENSE, "fused": FUSED}
_DEPTH = 10
_CHUNK = 64
_RESAMPLES = 2000
_PAIRED = 2000


@dataclass(frozen=True, slots=True)
class Query:
    """A question and the ids of the entries of which any one answers it."""

    id: str
    text: str
    relevant: tuple[str, ...]


def evaluate(
    entries: Iterable[KnowledgeEntry], queries: Sequence[Query], encoder: Encoder, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Search for every query among all entries, whatever their dates and state.

    Returns
    -------
    dict
        ``n``, ``entries``, ``index`` (id); for ``bm25``, ``dense`` and ``fused`` what :func:`measures` gives; and
        ``no_answer``, what :func:`separation` gives for the score of the first hit with the right entries in the base
        and with them taken out.

    Raises
    ------
    ZhipaiError
        E4031 without queries or entries, E4032 if a query names no entry or one that is not there.
    """
    report = progress or silent
    index = KnowledgeIndex.build(entries, encoder, progress=report)
    for what, some in (("问题", queries), ("条目", index.entries)):
        if not some:
            raise ZhipaiError("E4031", {"what": what})
    position = {entry.id: i for i, entry in enumerate(index.entries)}
    for query in queries:
        if not query.relevant:
            raise ZhipaiError("E4032", {"id": query.id, "problem": "没有写正确的条目编号"})
        for entry_id in query.relevant:
            if entry_id not in position:
                raise ZhipaiError("E4032", {"id": query.id, "problem": f"的正确条目“{entry_id}”不在条目中"})
    texts = [normalise(query.text) for query in queries]
    vectors = np.empty((len(texts), encoder.dim), np.float32)
    for start in range(0, len(texts), _CHUNK):
        vectors[start : start + _CHUNK] = encoder.encode(texts[start : start + _CHUNK], kind="query")
        report("编码问题", min(start + _CHUNK, len(texts)), len(texts))
    every = np.ones(len(index.entries), bool)
    ranks = {name: np.full(len(queries), np.inf) for name in METHODS}
    found, missing = np.zeros(len(queries)), np.zeros(len(queries))
    for i, (query, text, vector) in enumerate(zip(queries, texts, vectors, strict=True)):
        right = [position[entry_id] for entry_id in query.relevant]
        for name, weights in METHODS.items():
            ranked = index.rank(text, vector, allowed=every, top=_DEPTH, weights=weights)
            # An entry that shares nothing with the query is not found by it, wherever it stands in the list.
            hits = np.flatnonzero(np.isin(ranked.positions, right) & (ranked.parts["fused"] > 0))
            if hits.size:
                ranks[name][i] = hits[0]
        found[i] = first_score(index, text, vector, every)
        without = every.copy()
        without[right] = False
        missing[i] = first_score(index, text, vector, without)
        report("检索", i + 1, len(queries))
    result: dict[str, Any] = {"n": len(queries), "entries": len(index.entries), "index": index.id}
    result |= {name: measures(values) for name, values in ranks.items()}
    return result | {"no_answer": separation(found, missing)}


def first_score(index: KnowledgeIndex, text: str, vector: np.ndarray, allowed: np.ndarray) -> float:
    """Score of the first hit among the ``allowed`` entries, 0 without one."""
    if not allowed.any() or not words(text):
        return 0.0
    ranked = index.rank(text, vector, allowed=allowed, top=1)
    return float(ranked.scores[0])


def separation(found: np.ndarray, missing: np.ndarray) -> dict[str, Any]:
    """How well the first hit's score tells queries whose answer is in the base from those whose is not.

    Returns
    -------
    dict
        ``auroc`` with its ``interval`` (95%, bootstrap over queries), the ``threshold`` in use, and the share of
        queries it calls ``answered`` with the answer in the base and ``answered_without`` it.
    """
    # The interval is over at most this many queries, evenly spread: all pairs of 20,000 would not fit.
    some = np.unique(np.linspace(0, len(found) - 1, _PAIRED).astype(int))
    higher = (found[some, None] > missing[some]) + 0.5 * (found[some, None] == missing[some])
    weights = _draws(len(some)) / len(some)
    # A resampled query brings both of its scores.
    resampled = ((weights @ higher) * weights).sum(axis=1)
    ordered = np.sort(missing)
    below = (np.searchsorted(ordered, found, "left") + np.searchsorted(ordered, found, "right")) / 2
    return {
        "auroc": round(float(below.mean() / len(found)), 4),
        "interval": _interval(resampled),
        "threshold": LEAST_SCORE,
        "answered": round(float((found >= LEAST_SCORE).mean()), 4),
        "answered_without": round(float((missing >= LEAST_SCORE).mean()), 4),
    }


def measures(ranks: np.ndarray) -> dict[str, Any]:
    """Measures from the rank of the first relevant entry of each query (0 is best, inf is absent).

    Returns
    -------
    dict
        ``recall_at_1``, ``recall_at_5`` (share of queries with a relevant entry among the first k), ``mrr_at_10``, and
        ``intervals``: for each, the 95% percentile bootstrap over queries, with a fixed seed.
    """
    values = {
        "recall_at_1": ranks < 1,
        "recall_at_5": ranks < 5,
        "mrr_at_10": np.where(ranks < _DEPTH, 1 / (ranks + 1), 0.0),
    }
    draws = _draws(len(ranks)) / len(ranks)
    means = {name: round(float(value.mean()), 4) for name, value in values.items()}
    return means | {"intervals": {name: _interval(draws @ value.astype(float)) for name, value in values.items()}}


def _draws(n: int) -> np.ndarray:
    """How often each of n queries is drawn, rather than which: one matrix product resamples all measures."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)


def _interval(resampled: np.ndarray) -> list[float]:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return [round(float(low), 4), round(float(high), 4)]
