"""``python -m benchmarks.knowledge_fusion``: the figures of docs/decisions/0005-search.md.

Everything is chosen on one half of three sets and reported on the other, the halves cut by a hash of the question's id:
two public sets of real questions, and the ways of asking of the bundled city's entries, put to entries without them.
``datasets/kb_queries`` takes part in no choice of a number. ``report`` leaves out the choices. Needs the encoder of ``zhipai setup`` and the real data at
``ZHIPAI_SHARED_DATA``.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.linear_model import LogisticRegression

from knowledge_base import KnowledgeEntry, KnowledgeIndex, dense, lexical
from knowledge_base.dense import DenseIndex, Frame
from knowledge_base.evaluate import METHODS, Query, first_score, measures, separation
from knowledge_base.fusion import DENSE, FUSED, INTERCEPT, LEAST_FUSED, LEAST_SCORE, SIGN_WEIGHTS, Weights, probability
from knowledge_base.quality_sets import SETS, half
from knowledge_base.vectors import FaissBackend, Vectors
from knowledge_base.words import normalise, words
from models.encoder import Encoder
from service.settings import ROOT, settings

DATA = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data"))
GRID = [Weights(1.0, bm25, tfidf) for bm25, tfidf in itertools.product((0, 0.1, 0.2, 0.4), (0, 0.3, 0.5, 0.8))]
SHARES = (0.0, 0.5, 0.7, 0.85, 1.0)
TOP = 5


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
        """Signs, truth and fused score of the first hits of each query, with its answer and without."""
        signs, truth, fused = [], [], []
        for query, vector in zip(self.queries, self.vectors, strict=True):
            text, right = normalise(query.text), self.relevant(query)
            for allowed in (np.ones(len(right), bool), ~right):
                if words(text):
                    ranked = self.index.rank(text, vector, allowed=allowed, top=TOP)
                    signs.extend(ranked.signs)
                    truth.extend(right[ranked.positions])
                    fused.extend(ranked.parts["fused"])
        return np.array(signs), np.array(truth, float), np.array(fused)

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
        index = _Shared(
            self.index.entries,
            encoder,
            dense=_Share(FaissBackend().hold(self.index.entries, rows), frame, share),
            lexical=self.index.lexical,
        )
        return Set(self.name, index, self.queries, self.vectors)


class _Shared(KnowledgeIndex):
    """An index for a comparison."""


class _Share(DenseIndex):
    """Vectors with another share taken off the queries too."""

    def __init__(self, vectors: Vectors, frame: Frame, share: float):
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
    signs, truth, fused = one.pairs()
    scores = probability(signs)
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
    sets = [Set.build(name, *SETS[name].read(ROOT, DATA), encoder) for name in ("haikou", "teddy", "city")]
    tuning = [one.part(0) for one in sets]

    if "report" not in sys.argv[1:]:
        show_choices(tuning, encoder)
    reported = [one.part(1) for one in sets]
    print("\nSecond halves without colloquial.txt")
    with without_sayings():
        for one in reported:
            show(one.name, one.ranks())

    print("\nLogistic of the signs on the tuning halves, each set with the same weight in all")
    pairs = [one.pairs() for one in tuning]
    weight = np.concatenate([np.full(len(truth), 1 / len(truth)) for _, truth, _ in pairs])
    signs, truth, _ = (np.concatenate(column) for column in zip(*pairs, strict=True))
    model = LogisticRegression(C=np.inf).fit(signs, truth, sample_weight=weight * len(weight))
    fitted = ", ".join(f"{one:.3f}" for one in model.coef_[0])
    print(f"  weights {fitted} intercept {model.intercept_[0]:.3f}; in use {SIGN_WEIGHTS} {INTERCEPT}")
    scores = [one.first_scores() for one in tuning]
    cuts = np.arange(0.02, 0.6, 0.01)
    gain = [np.mean([(found >= cut).mean() - (missing >= cut).mean() for found, missing in scores]) for cut in cuts]
    print(f"  best cut between answered and not {cuts[int(np.argmax(gain))]:.2f}; in use {LEAST_SCORE}")

    reported.append(Set.build("kb_queries", *SETS["kb_queries"].read(ROOT, DATA), encoder))
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
