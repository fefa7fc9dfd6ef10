"""From held-out margins to a calibration: weights, probabilities, the coverage set, and when to abstain."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import logsumexp

#: Pulls a weight to zero where the data do not speak.
RIDGE = 1e-4
#: Parts of equal size, by confidence, that get a temperature each, and how many orders each needs at the least.
PARTS, PART = 4, 50
#: A part is sharpened or blunted within these bounds; past them there are too few orders to believe it.
SHARPEN = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How scores become probabilities, what belongs to the coverage set and when a lead is too small.

    Parameters
    ----------
    layers : tuple of str
        Names of the layers of scores, in the order of ``weights``.
    weights : tuple of float
        Of each layer, not negative.
    confidences, sharpening : tuple of float
        By what scores are multiplied, as a function (linear between the points) of the first unit's probability
        without it. Views agree too easily on what they all get wrong: where they are surest they need blunting.
    inclusion : float
        A unit of at least this probability belongs to the coverage set.
    torn : float
        Lead of the first unit over the second (difference of probabilities) below which the ranker abstains.
    """

    layers: tuple[str, ...]
    weights: tuple[float, ...]
    confidences: tuple[float, ...]
    sharpening: tuple[float, ...]
    inclusion: float
    torn: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Calibration:
        tuples = {name: tuple(row[name]) for name in ("layers", "weights", "confidences", "sharpening")}
        return cls(**{**row, **tuples})

    def probabilities(self, layers: np.ndarray) -> np.ndarray:
        """From layers of scores (n, candidates, layers) to probabilities (n, candidates)."""
        scores = layers @ np.array(self.weights, np.float32)
        confidence = softmax(scores).max(axis=1)
        factor = np.interp(confidence, self.confidences, self.sharpening).astype(np.float32)
        return softmax(scores * factor[:, None])


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Over the last axis; scipy's takes ten times as long for one order."""
    less = scores - scores.max(axis=-1, keepdims=True)
    return less - np.log(np.exp(less).sum(axis=-1, keepdims=True))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def calibrate(
    layers: np.ndarray, targets: np.ndarray, *, names: tuple[str, ...], coverage: float, torn_accuracy: float
) -> Calibration:
    """Learn the weights by maximum likelihood, fit confidence to accuracy, then read off the thresholds.

    Parameters
    ----------
    layers : ndarray of float32, (n, candidates, layers)
        Scores of orders that what gave them was not trained on.
    targets : ndarray of int, (n,)
    names : tuple of str, (layers,)
    coverage, torn_accuracy : float
        See :class:`models.recipe.Recipe`.
    """
    weights = fit_weights(layers, targets)
    confidences, sharpening = _sharpen(layers @ weights, targets)
    found = Calibration(names, tuple(map(float, weights)), confidences, sharpening, 0.0, 0.0)
    probabilities = found.probabilities(layers)
    return replace(
        found,
        inclusion=_inclusion(probabilities[np.arange(len(targets)), targets], coverage),
        torn=_torn(probabilities, targets, torn_accuracy),
    )


def fit_weights(margins: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Weights (views,) that make the accepted units likeliest; float32-exact, so that they are saved as they are."""
    rows = np.arange(len(targets))
    silent = np.atleast_1d(~margins.any(axis=(0, 1)))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = margins @ weights.astype(np.float32)
        log_norm = logsumexp(scores, axis=1)
        probabilities = np.exp(scores - log_norm[:, None])
        expected = np.einsum("nc,ncv->nv", probabilities, margins)
        gradient = (expected - margins[rows, targets]).mean(axis=0, dtype=np.float64) + 2 * RIDGE * weights
        return float((log_norm - scores[rows, targets]).mean(dtype=np.float64) + RIDGE * weights @ weights), gradient

    start = np.where(silent, 0.0, 0.5)
    bounds = [(0.0, 0.0 if quiet else None) for quiet in silent]
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x.astype(np.float32)


def _sharpen(scores: np.ndarray, targets: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """For orders of like confidence, the factor by which mean confidence becomes the share that is right."""
    confidence = softmax(scores).max(axis=1)
    right = scores.argmax(axis=1) == targets
    points, factors = [], []
    for rows in np.array_split(np.argsort(confidence, kind="stable"), max(1, min(PARTS, len(targets) // PART))):
        part, share = scores[rows], float(right[rows].mean())

        def excess(factor: float, part: np.ndarray = part, share: float = share) -> float:
            return float(softmax(part * np.float32(factor)).max(axis=1).mean(dtype=np.float64)) - share

        low, high = SHARPEN
        if excess(low) >= 0:
            factor = low
        elif excess(high) <= 0:
            factor = high
        else:
            factor = float(optimize.brentq(excess, low, high, xtol=1e-4))
        points.append(float(confidence[rows].mean(dtype=np.float64)))
        factors.append(factor)
    return tuple(points), tuple(factors)


def _inclusion(accepted: np.ndarray, coverage: float) -> float:
    """Split-conformal threshold: sets of units at least this probable hold the accepted one in ``coverage`` of orders."""
    ranked = np.sort(accepted)[::-1]
    needed = int(np.ceil((len(accepted) + 1) * coverage))
    return float(ranked[needed - 1]) if needed <= len(ranked) else 0.0


def _torn(probabilities: np.ndarray, targets: np.ndarray, least: float) -> float:
    """The lead below which the first unit is right less often than ``least``, by isotonic regression on the lead."""
    from sklearn.isotonic import IsotonicRegression

    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    lead = (first - second).astype(np.float64)
    right = probabilities.argmax(axis=1) == targets
    accuracy = IsotonicRegression().fit_transform(lead, right)
    doubtful = lead[accuracy < least]
    return float(doubtful.max()) if len(doubtful) else 0.0
