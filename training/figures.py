"""The numbers behind the plots of an evaluation: reliability and accuracy at coverage."""

from __future__ import annotations

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
