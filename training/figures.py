"""The numbers behind the plots of an evaluation: reliability, accuracy at coverage, and what more labels buy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.metrics import BINS, Answers


def reliability(answers: Answers) -> list[dict[str, Any]]:
    """Of each of the 15 bins that holds orders: mean probability of the first unit, share that was right, orders."""
    bins = np.minimum((answers.confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    confidence = np.bincount(bins, answers.confidence, minlength=BINS)
    right = np.bincount(bins, answers.right, minlength=BINS)
    return [
        {"confidence": float(confidence[i] / counts[i]), "accuracy": float(right[i] / counts[i]), "n": int(counts[i])}
        for i in np.flatnonzero(counts)
    ]


def at_coverage(answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    """For 1, 2, … n orders, the surest first: their share of all, and how often the first unit is right among them."""
    order = np.argsort(-answers.confidence, kind="stable")
    decided = np.arange(1, len(order) + 1)
    return decided / len(order), np.cumsum(answers.right[order]) / decided


def curve_points(measured: Mapping[str, Any]) -> dict[str, list[tuple[float, float, float, float]]]:
    """Of each way to choose labels (in words, for a plot) the points ``(labels, top-1, low, high)``.

    The interval is that of the test alone (95%, normal): 1.96 times the root of p(1-p)/n, within 0 and 1.
    """
    found = {}
    for key, name in (("random", "随机标"), ("suggested", "按建议标")):
        values = [(float(point["labels"]), float(point[key]["top1"])) for point in measured["points"]]
        spreads = [1.96 * float(np.sqrt(value * (1 - value) / measured["test"])) for _, value in values]
        found[name] = [
            (labels, value, max(0.0, value - spread), min(1.0, value + spread))
            for (labels, value), spread in zip(values, spreads, strict=True)
        ]
    return found
