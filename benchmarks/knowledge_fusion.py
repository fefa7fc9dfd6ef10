"""``python -m benchmarks.knowledge_fusion``: the figures of docs/decisions/0005-search.md.

Everything is chosen on one half of three sets and reported on the other, the halves cut by a hash of the question's id:
two public sets of real questions, and the ways of asking of the bundled city's entries, put to entries without them.
``datasets/kb_queries`` takes part in no choice of a number. ``report`` leaves out the choices. Needs the encoder of ``zhipai setup`` and the real data at
``ZHIPAI_SHARED_DATA``.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.linear_model import LogisticRegression

from knowledge_base import KnowledgeEntry, KnowledgeIndex, dense, lexical, read_entries
from knowledge_base.dense import DenseIndex, Frame
from knowledge_base.evaluate import METHODS, Query, first_score, measures, separation
from knowledge_base.fusion import DENSE, FUSED, INTERCEPT, LEAST_FUSED, LEAST_SCORE, SLOPE, Weights, probability
from knowledge_base.words import normalise, words
from models.encoder import Encoder
from service.settings import ROOT, settings

DATA = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data"))
GRID = [Weights(1.0, bm25, tfidf) for bm25, tfidf in itertools.product((0, 0.1, 0.2, 0.4), (0, 0.3, 0.5, 0.8))]
SHARES = (0.0, 0.5, 0.7, 0.85, 1.0)
TOP = 5
#: Pairs of entries by different writers of the city that answer the same: the other one is right as well.
SAME = (
    "K3044/K5016 K3054/K5022 K3056/K5023 K3061/K5025 K3065/K5027 K3068/K5028 K3069/K5028 K3033/K5008 K3035/K5010 "
    "K3036/K5010 K3037/K5011 K3039/K5013 K3040/K5014 K3041/K5014 K3042/K5015 K3043/K5015 K3028/K5003 K3031/K5006 "
    "K3032/K5007 K3058/K5024 K3059/K5024 K3064/K5026 K3073/K5029 K3053/K5021 K3048/K5018 K3049/K5018 K2067/K2076 "
    "K3029/K5004 K3030/K5005 K3052/K5020 K3025/K5001 K1032/K2059 K3047/K5017 K3046/K5017 K3051/K5019 K2034/K2053 "
    "K3026/K5002"
)


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


def city() -> tuple[list, list[Query]]:
    """The city's entries without their questions; the questions are the queries. The halves part entries."""
    entries = read_entries(ROOT / "datasets" / "city" / "knowledge.jsonl")
    same: dict[str, set[str]] = {entry.id: {entry.id} for entry in entries}
    for pair in SAME.split():
        one, other = pair.split("/")
        same[one].add(other)
        same[other].add(one)
    # The id of a query is that of its entry, so that no entry is asked for in both halves.
    queries = [Query(entry.id, text, tuple(same[entry.id])) for entry in entries for text in entry.questions]
    return [replace(entry, questions=()) for entry in entries], queries


def own() -> tuple[list, list[Query]]:
    """``datasets/kb_queries``: the city's entries as they are, and its own near-twins."""
    folder = ROOT / "datasets" / "kb_queries"
    entries = [*read_entries(ROOT / "datasets" / "city" / "knowledge.jsonl"), *read_entries(folder / "entries.jsonl")]
    queries = []
    for number, line in enumerate((folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        queries.append(
            Query(str(number), row["text"], tuple(row["id"] if isinstance(row["id"], list) else [row["id"]]))
        )
    return entries, queries


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

    def ranks(self, weights: Weights = FUSED) -> np.ndarray:
        every = np.ones(len(self.index.entries), bool)
        result = np.full(len(self.queries), np.inf)
        for i, (query, vector) in enumerate(zip(self.queries, self.vectors, strict=True)):
            ranked = self.index.rank(normalise(query.text), vector, allowed=every, top=10, weights=weights)
            hits = np.flatnonzero(self.relevant(query)[ranked.positions] & (ranked.parts["fused"] > 0))
            if hits.size:
                result[i] = hits[0]
        return result

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ratio to the also-rans, truth and fused score of the first hits of each query, with its answer and without."""
        ratios, truth, fused = [], [], []
        for query, vector in zip(self.queries, self.vectors, strict=True):
            text, right = normalise(query.text), self.relevant(query)
            for allowed in (np.ones(len(right), bool), ~right):
                if words(text):
                    ranked = self.index.rank(text, vector, allowed=allowed, top=TOP)
                    ratios.extend(np.maximum(ranked.parts["fused"], 0.1) / ranked.others)
                    truth.extend(right[ranked.positions])
                    fused.extend(ranked.parts["fused"])
        return np.array(ratios), np.array(truth, float), np.array(fused)

    def first_scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Score of the first hit of each query, with its answers in the base and without."""
        every = np.ones(len(self.index.entries), bool)
        rows = [
            [first_score(self.index, normalise(query.text), vector, mask) for mask in (every, ~self.relevant(query))]
            for query, vector in zip(self.queries, self.vectors, strict=True)
        ]
        return np.array(rows).T[0], np.array(rows).T[1]

    def with_share(self, share: float, encoder: Encoder) -> Set:
        """The same with another part of what is common taken off the vectors; the words stay."""
        used, dense.CENTRING = dense.CENTRING, share
        try:
            frame, rows = dense.encode_entries(self.index.entries, encoder, cached={}, progress=lambda *_: None)
        finally:
            dense.CENTRING = used
        index = _Shared(self.index.entries, encoder, dense=_Share(rows, frame, share), lexical=self.index.lexical)
        return Set(self.name, index, self.queries, self.vectors)


class _Shared(KnowledgeIndex):
    """An index for a comparison."""


class _Share(DenseIndex):
    """Vectors with another share taken off the queries too."""

    def __init__(self, vectors: np.ndarray, frame: Frame, share: float):
        super().__init__(vectors, frame)
        self.share = share

    def query(self, vector: np.ndarray) -> np.ndarray:
        moved = vector - self.share * self.frame.asked
        return moved / np.linalg.norm(moved)


class Remembering:
    """The encoder, asked once for each text: the comparisons encode the same entries again."""

    def __init__(self, encoder: Encoder):
        self.encoder, self.id, self.dim = encoder, encoder.id, encoder.dim
        self.seen: dict[tuple[str, str], np.ndarray] = {}

    def encode(self, texts: Sequence[str], *, kind: str) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if (kind, text) not in self.seen]
        for text, vector in zip(new, self.encoder.encode(new, kind=kind), strict=True):  # type: ignore[arg-type]
            self.seen[kind, text] = vector
        return np.array([self.seen[kind, text] for text in texts], np.float32).reshape(-1, self.dim)


def calibration_error(scores: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Mean gap between probability and share of right ones over bins of equal size."""
    order = np.argsort(scores, kind="stable")
    chunks = np.array_split(order, bins)
    return float(sum(abs(scores[chunk].mean() - truth[chunk].mean()) * len(chunk) for chunk in chunks) / len(order))


def show(name: str, ranks: np.ndarray) -> None:
    found = measures(ranks)
    cells = [
        f"{100 * found[key]:5.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        for key, (low, high) in found["intervals"].items()
    ]
    print(f"  {name:16} R@1 {cells[0]}  R@5 {cells[1]}  MRR@10 {cells[2]}", flush=True)


def show_calibration(one: Set) -> None:
    ratios, truth, fused = one.pairs()
    scores = probability(ratios, 1.0)
    print(
        f"  {one.name}: {len(truth)} pairs, right {truth.mean():.3f}, mean score {scores.mean():.3f}, "
        f"Brier {np.mean((scores - truth) ** 2):.3f} (constant {truth.mean() * (1 - truth.mean()):.3f}), "
        f"ECE {calibration_error(scores, truth):.3f}; left out of the list: "
        f"{100 * np.mean(fused[truth == 0] < LEAST_FUSED):.1f}% of the wrong, "
        f"{100 * np.mean(fused[truth == 1] < LEAST_FUSED):.2f}% of the right",
        flush=True,
    )


def mean_quality(sets: Sequence[Set], weights: Weights = FUSED) -> str:
    found = [measures(one.ranks(weights))["mrr_at_10"] for one in sets]
    return f"{100 * np.mean(found):.2f} ({', '.join(f'{100 * value:.1f}' for value in found)})"


@contextmanager
def without_sayings() -> Iterator[None]:
    """Queries as they stand, without the formal words for what they say."""
    used, lexical.formal_words = lexical.formal_words, lambda _: ()
    try:
        yield
    finally:
        lexical.formal_words = used


def show_choices(tuning: Sequence[Set], encoder: Encoder) -> None:
    print("Tuning halves: mean MRR@10 (haikou, teddy, city)")
    for share in SHARES:
        shared = [one.with_share(share, encoder) for one in tuning]
        print(f"  centring {share}: {mean_quality(shared)}; dense alone {mean_quality(shared, DENSE)}", flush=True)
    for weights in GRID:
        print(f"  bm25 {weights.bm25} tfidf {weights.tfidf}: {mean_quality(tuning, weights)}", flush=True)
    with without_sayings():
        print(f"  without colloquial.txt: {mean_quality(tuning)}")


def main() -> None:
    encoder: Encoder = Remembering(Encoder.load(settings().encoder_folder, threads=2))  # type: ignore[assignment]
    haikou = question_answer("haikou", "haikou_12345_orders/kb_consult.csv", "工单编号", ["问题"], "答案")
    teddy = question_answer(
        "teddy", "teddy2020_smartgov/a4_replies.csv", "留言编号", ["留言主题", "留言详情"], "答复意见"
    )
    named = {"haikou": haikou, "teddy": teddy, "city": city()}
    sets = [Set.build(name, *found, encoder) for name, found in named.items()]
    tuning = [one.part(0) for one in sets]

    if "report" not in sys.argv[1:]:
        show_choices(tuning, encoder)
    reported = [one.part(1) for one in sets]
    print("\nSecond halves without colloquial.txt")
    with without_sayings():
        for one in reported:
            show(one.name, one.ranks())

    print("\nLogistic of the log ratio on the tuning halves, each set with the same weight in all")
    pairs = [one.pairs() for one in tuning]
    weight = np.concatenate([np.full(len(truth), 1 / len(truth)) for _, truth, _ in pairs])
    ratios, truth, _ = (np.concatenate(column) for column in zip(*pairs, strict=True))
    model = LogisticRegression(C=np.inf).fit(np.log(ratios)[:, None], truth, sample_weight=weight * len(weight))
    print(f"  slope {model.coef_[0, 0]:.3f} intercept {model.intercept_[0]:.3f}; in use {SLOPE} {INTERCEPT}")
    scores = [one.first_scores() for one in tuning]
    cuts = np.arange(0.02, 0.6, 0.01)
    gain = [np.mean([(found >= cut).mean() - (missing >= cut).mean() for found, missing in scores]) for cut in cuts]
    print(f"  best cut between answered and not {cuts[int(np.argmax(gain))]:.2f}; in use {LEAST_SCORE}")

    reported.append(Set.build("kb_queries", *own(), encoder))
    for one in reported:
        print(f"\n{one.name}: {len(one.queries)} queries, {len(one.index.entries)} entries")
        for name, weights in METHODS.items():
            show(name, one.ranks(weights))
        print("  no answer:", separation(*one.first_scores()), flush=True)
    print("\nScores of the first five hits, with the answer in the base and without")
    for one in reported:
        show_calibration(one)


if __name__ == "__main__":
    main()
