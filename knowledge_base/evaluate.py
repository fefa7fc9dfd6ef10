"""How often the right entry is found: recall and reciprocal rank with intervals, for each way of searching."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register
from knowledge_base.entry import KnowledgeEntry
from knowledge_base.fusion import BM25, DENSE, FUSED, Weights
from knowledge_base.index import KnowledgeIndex
from knowledge_base.words import normalise
from models.encoder import Encoder
from models.progress import Progress

register("E4031", "评测集为空", "评测用的问题一条也没有。请每行写一个 {{“id”, “text”, “relevant”: [条目编号]}}。")
register("E4032", "评测问题有误", "评测问题“{id}”{problem}。")
register("E4033", "评测集读不出", "评测集“{name}”读不出来：{problem}。", exit_code=3)

METHODS: dict[str, Weights] = {"bm25": BM25, "dense": DENSE, "fused": FUSED}
_DEPTH = 10
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Query:
    """A question and the ids of the entries of which any one answers it."""

    id: str
    text: str
    relevant: tuple[str, ...]


def read_queries(path: Path) -> list[Query]:
    """Read JSONL lines with ``id``, ``text`` and ``relevant``, a list of entry ids.

    Raises
    ------
    ZhipaiError
        E4033 with the line.
    """
    queries = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ZhipaiError("E4033", {"name": path.name, "problem": type(error).__name__}) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            relevant = row["relevant"]
            if isinstance(relevant, str):
                raise TypeError("relevant is not a list")
            queries.append(Query(str(row["id"]), str(row["text"]), tuple(map(str, relevant))))
        except (ValueError, KeyError, TypeError) as error:
            problem = "应是含 id、text、relevant（列表）的对象"
            raise ZhipaiError("E4033", {"name": path.name, "problem": problem}, f"第 {number} 行") from error
    return queries


def evaluate(
    entries: Iterable[KnowledgeEntry], queries: Sequence[Query], encoder: Encoder, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Search for every query among all entries, whatever their dates and state.

    Returns
    -------
    dict
        ``n``, ``entries``, ``index`` (id), and for ``bm25``, ``dense`` and ``fused`` each of ``recall_at_1``,
        ``recall_at_5`` (share of queries with a relevant entry among the first k) and ``mrr_at_10`` as
        ``{"value", "low", "high"}``: 95% percentile bootstrap over queries, with a fixed seed.

    Raises
    ------
    ZhipaiError
        E4031 without queries, E4032 if a query names no entry or one that is not there.
    """
    if not queries:
        raise ZhipaiError("E4031")
    index = KnowledgeIndex.build(entries, encoder, progress=progress)
    position = {entry.id: i for i, entry in enumerate(index.entries)}
    for query in queries:
        if not query.relevant:
            raise ZhipaiError("E4032", {"id": query.id, "problem": "没有写正确的条目编号"})
        for entry_id in query.relevant:
            if entry_id not in position:
                raise ZhipaiError("E4032", {"id": query.id, "problem": f"的正确条目“{entry_id}”不在条目中"})
    result: dict[str, Any] = {"n": len(queries), "entries": len(index.entries), "index": index.id}
    texts = [normalise(query.text) for query in queries]
    vectors = encoder.encode(texts, kind="query")
    every = np.ones(len(index.entries), bool)
    for name, weights in METHODS.items():
        ranks = np.full(len(queries), np.inf)
        for i, (query, text, vector) in enumerate(zip(queries, texts, vectors, strict=True)):
            ranked = index.rank(text, vector, allowed=every, top=_DEPTH, weights=weights)
            hits = np.flatnonzero(np.isin(ranked.positions, [position[entry_id] for entry_id in query.relevant]))
            if hits.size:
                ranks[i] = hits[0]
        result[name] = measures(ranks)
    return result


def measures(ranks: np.ndarray) -> dict[str, dict[str, float]]:
    """Measures with intervals from the rank of the first relevant entry of each query (0 is best, inf is absent)."""
    values = {
        "recall_at_1": ranks < 1,
        "recall_at_5": ranks < 5,
        "mrr_at_10": np.where(ranks < _DEPTH, 1 / (ranks + 1), 0.0),
    }
    # How often each query is drawn, rather than which: one matrix product resamples all measures.
    draws = np.random.default_rng(0).multinomial(len(ranks), np.full(len(ranks), 1 / len(ranks)), size=_RESAMPLES)
    return {name: _interval(draws @ value.astype(float) / len(ranks), value) for name, value in values.items()}


def _interval(resampled: np.ndarray, value: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return {"value": round(float(value.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}
