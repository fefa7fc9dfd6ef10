"""``python -m benchmarks.knowledge_fusion``: the figures of docs/decisions/0003-fusion.md.

Weights and calibration are chosen on one half of two public sets of real questions, the halves cut by a hash of the
question's id; everything reported is from the other half. The bundled city takes no part in the choice of either.
Needs the encoder of ``zhipai setup`` and the real data at ``ZHIPAI_SHARED_DATA``; takes about five minutes.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.linear_model import LogisticRegression

from knowledge_base import KnowledgeEntry, KnowledgeIndex, read_entries
from knowledge_base.dense import DenseIndex
from knowledge_base.evaluate import METHODS, Query, measures
from knowledge_base.fusion import FUSED, INTERCEPT, LEAST_FUSED, SLOPE, Weights, probability, standardise
from knowledge_base.words import normalise, words
from models.encoder import Encoder
from service.settings import ROOT, settings

DATA = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data"))
GRID = [Weights(1.0, bm25, tfidf) for bm25, tfidf in itertools.product((0, 0.1, 0.2, 0.3, 0.5, 1), repeat=2)]
TOP = 5


def half(query: Query) -> int:
    """0: to choose by, 1: to report."""
    return hashlib.sha256(query.id.encode()).digest()[0] % 2


def question_answer(name: str, file: str, key: str, asked: Sequence[str], answer: str) -> tuple[list, list[Query]]:
    """Entries are the distinct answers, with neither title nor questions; a query is relevant to its answer."""
    ids: dict[str, str] = {}
    queries = []
    with (DATA / file).open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream)):
            text = "\n".join(row[column] for column in asked)
            entry_id = ids.setdefault(normalise(row[answer]), f"{len(ids):05d}")
            queries.append(Query(f"{name}:{row[key]}:{number}", text, (entry_id,)))
    return [KnowledgeEntry(entry_id, "", (), text) for text, entry_id in ids.items()], queries


@dataclass(frozen=True)
class Set:
    """An index, the queries put to it and their vectors."""

    name: str
    index: KnowledgeIndex
    queries: list[Query]
    vectors: np.ndarray

    @classmethod
    def build(cls, name: str, entries: Sequence[KnowledgeEntry], queries: list[Query], encoder: Encoder) -> Set:
        vectors = encoder.encode([normalise(query.text) for query in queries], kind="query")
        return cls(name, KnowledgeIndex.build(entries, encoder), queries, vectors)

    def part(self, side: int) -> Set:
        keep = [i for i, query in enumerate(self.queries) if half(query) == side]
        return Set(self.name, self.index, [self.queries[i] for i in keep], self.vectors[keep])

    def relevant(self, query: Query) -> np.ndarray:
        return np.array([entry.id in query.relevant for entry in self.index.entries])

    def ranks(self, weights: Weights) -> np.ndarray:
        every = np.ones(len(self.index.entries), bool)
        result = np.full(len(self.queries), np.inf)
        for i, (query, vector) in enumerate(zip(self.queries, self.vectors, strict=True)):
            ranked = self.index.rank(normalise(query.text), vector, allowed=every, top=10, weights=weights)
            hits = np.flatnonzero(self.relevant(query)[ranked.positions])
            if hits.size:
                result[i] = hits[0]
        return result

    def reciprocal_ranks(self) -> np.ndarray:
        """Ranks by reciprocal rank fusion with the usual 60, for comparison."""
        every = np.ones(len(self.index.entries), bool)
        result = np.full(len(self.queries), np.inf)
        only = (Weights(1, 0, 0), Weights(0, 1, 0), Weights(0, 0, 1))
        for i, (query, vector) in enumerate(zip(self.queries, self.vectors, strict=True)):
            points: dict[int, float] = defaultdict(float)
            for weights in only:
                ranked = self.index.rank(normalise(query.text), vector, allowed=every, top=50, weights=weights)
                for rank, position in enumerate(ranked.positions):
                    points[int(position)] += 1 / (60 + rank)
            best = sorted(points, key=lambda position: (-points[position], position))[:10]
            hits = np.flatnonzero(self.relevant(query)[best])
            if hits.size:
                result[i] = hits[0]
        return result

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ratio to the also-rans, truth and fused score of the first hits of each query, with its answer and without."""
        ratios, truth, fused = [], [], []
        for query, vector in zip(self.queries, self.vectors, strict=True):
            text, right = normalise(query.text), self.relevant(query)
            for allowed in [np.ones(len(right), bool), ~right] if right.any() else [~right]:
                if words(text):
                    ranked = self.index.rank(text, vector, allowed=allowed, top=TOP)
                    ratios.extend(np.maximum(ranked.parts["fused"], 0.1) / ranked.others)
                    truth.extend(right[ranked.positions])
                    fused.extend(ranked.parts["fused"])
        return np.array(ratios), np.array(truth, float), np.array(fused)


def city(encoder: Encoder) -> Set:
    """Orders of the bundled city against its entries; an entry of the order's matter is relevant."""
    folder = ROOT / "datasets" / "city"
    entries = read_entries(folder / "knowledge.jsonl")
    by_matter: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        by_matter[entry.matter].append(entry.id)
    orders = [json.loads(line) for line in (folder / "orders.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = [Query(order["id"], order["text"], tuple(by_matter.get(order["matter"], ()))) for order in orders]
    return Set.build("city", entries, queries, encoder)


def show_entry_vectors(whole: Set, encoder: Encoder) -> None:
    """Ways to give an entry its vectors, by orders of the city whose matter has an entry; lexical scores are the same.

    The way in use was chosen on the entries of two of the five writers (K1, K2) before those of the others existed.
    """
    entries, n = whole.index.entries, len(whole.index.entries)
    parts = [[f"{e.title}\n{e.answer}", e.title, *e.questions] for e in entries]
    ways = {"title and answer": [[p[0]] for p in parts], "one text": [[e.text] for e in entries], "best of all": parts}
    every = np.arange(n)
    counted = np.ones(n + len(whole.index.dense.background), bool)
    dense = {"mean, in use": lambda vector: whole.index.dense.scores(vector, every, allowed=counted[:n])[0]}
    for name, texts in ways.items():
        flat = encoder.encode([normalise(text) for block in texts for text in block], kind="passage")
        index, starts = DenseIndex(flat, whole.index.dense.background), np.cumsum([0, *map(len, texts)][:-1])
        dense[name] = lambda vector, index=index, starts=starts: np.maximum.reduceat(
            index.scores(vector, np.arange(len(index)), allowed=np.ones(len(index), bool))[0], starts
        )
    for prefixes in (("K1", "K2"), ("K3", "K4", "K5")):
        mask = np.array([entry.id.startswith(prefixes) for entry in entries])
        ranks: dict[str, list[float]] = defaultdict(list)
        for query, vector in zip(whole.queries, whole.vectors, strict=True):
            right = whole.relevant(query) & mask
            if not right.any():
                continue
            bm25, tfidf = (
                standardise(scores, share, counted)[:n]
                for scores, share in whole.index.lexical.scores(normalise(query.text))
            )
            for name, score in dense.items():
                fused = np.where(mask, score(vector) + FUSED.bm25 * bm25 + FUSED.tfidf * tfidf, -np.inf)
                ranks[name].append(np.sum(fused > fused[right].max()))
        print(f"\nEntries {', '.join(prefixes)}: {mask.sum()}, orders with an entry: {len(next(iter(ranks.values())))}")
        for name, values in ranks.items():
            show(name, np.array(values, float))


def calibration_error(scores: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Mean gap between probability and share of right ones over bins of equal size."""
    order = np.argsort(scores, kind="stable")
    chunks = np.array_split(order, bins)
    return float(sum(abs(scores[chunk].mean() - truth[chunk].mean()) * len(chunk) for chunk in chunks) / len(order))


def show(name: str, ranks: np.ndarray) -> None:
    cells = [f"{100 * m['value']:5.1f} [{100 * m['low']:.1f}, {100 * m['high']:.1f}]" for m in measures(ranks).values()]
    print(f"  {name:16} R@1 {cells[0]}  R@5 {cells[1]}  MRR@10 {cells[2]}")


def show_calibration(one: Set) -> None:
    ratios, truth, fused = one.pairs()
    scores = probability(ratios, 1.0)
    print(
        f"  {one.name}: {len(truth)} pairs, right {truth.mean():.3f}, mean score {scores.mean():.3f}, "
        f"Brier {np.mean((scores - truth) ** 2):.3f} (constant {truth.mean() * (1 - truth.mean()):.3f}), "
        f"ECE {calibration_error(scores, truth):.3f}; left out of the list: "
        f"{100 * np.mean(fused[truth == 0] < LEAST_FUSED):.1f}% of the wrong, "
        f"{100 * np.mean(fused[truth == 1] < LEAST_FUSED):.2f}% of the right"
    )


def main() -> None:
    encoder = Encoder.load(settings().encoder_folder, threads=2)
    haikou = question_answer("haikou", "haikou_12345_orders/kb_consult.csv", "工单编号", ["问题"], "答案")
    teddy = question_answer(
        "teddy", "teddy2020_smartgov/a4_replies.csv", "留言编号", ["留言主题", "留言详情"], "答复意见"
    )
    sets = [Set.build("haikou", *haikou, encoder), Set.build("teddy", *teddy, encoder)]

    print("Weights, mean MRR@10 of the two tuning halves (the five best, then the one in use)")
    tuning = [one.part(0) for one in sets]
    quality = {w: np.mean([measures(one.ranks(w))["mrr_at_10"]["value"] for one in tuning]) for w in GRID}
    for weights in [*sorted(GRID, key=lambda w: -quality[w])[:5], FUSED]:
        print(f"  {100 * quality[weights]:.2f}  {weights}")

    print("\nLogistic of the log ratio on the tuning halves, each set with the same weight in all")
    pairs = [one.pairs() for one in tuning]
    weight = np.concatenate([np.full(len(truth), 1 / len(truth)) for _, truth, _ in pairs])
    ratios, truth, _ = (np.concatenate(column) for column in zip(*pairs, strict=True))
    model = LogisticRegression(C=np.inf).fit(np.log(ratios)[:, None], truth, sample_weight=weight * len(weight))
    print(f"  slope {model.coef_[0, 0]:.3f} intercept {model.intercept_[0]:.3f}; in use {SLOPE} {INTERCEPT}")

    whole = city(encoder)
    answered = [i for i, query in enumerate(whole.queries) if query.relevant]
    known = Set("city", whole.index, [whole.queries[i] for i in answered], whole.vectors[answered])
    for one in [*(one.part(1) for one in sets), known]:
        print(f"\n{one.name}: {len(one.queries)} queries, {len(one.index.entries)} entries")
        for name, weights in METHODS.items():
            show(name, one.ranks(weights))
        show("rrf", one.reciprocal_ranks())
    show_entry_vectors(known, encoder)
    print("\nScores of the first five hits, with the answer in the base and without")
    for one in [*(one.part(1) for one in sets), known]:
        show_calibration(one)


if __name__ == "__main__":
    main()
