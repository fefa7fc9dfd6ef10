"""From held-out margins: the weight of each view, calibrated probabilities, the coverage set, and when to abstain."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import optimize
from scipy.special import logsumexp, softmax

#: Pulls a weight to zero where the data do not speak.
RIDGE = 1e-4


@dataclass(frozen=True, slots=True)
class Calibration:
    """What :func:`calibrate` learns from held-out orders.

    Parameters
    ----------
    weights : dict
        View -> weight, not negative. Their common size is the temperature.
    inclusion : float
        A unit of at least this probability belongs to the coverage set.
    torn : float
        Lead of the first unit over the second (difference of probabilities) below which the ranker abstains.
    near : float
        Similarity of the nearest historic order below which the ranker abstains.
    """

    weights: dict[str, float]
    inclusion: float
    torn: float
    near: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def calibrate(
    margins: np.ndarray,
    nearest: np.ndarray,
    targets: np.ndarray,
    *,
    views: tuple[str, ...],
    coverage: float,
    far: float,
    torn_accuracy: float,
) -> Calibration:
    """Learn the weights by maximum likelihood, then read the thresholds off the probabilities that follow.

    Parameters
    ----------
    margins : ndarray, (n, candidates, views)
        Of orders that the views were not trained on.
    nearest : ndarray, (n,)
        Similarity of the nearest order, from another group.
    targets : ndarray of int, (n,)
    views : tuple of str
    coverage, far, torn_accuracy : float
        See :class:`models.recipe.Recipe`.
    """
    weights = fit_weights(margins, targets)
    probabilities = softmax(margins @ weights, axis=1)
    return Calibration(
        weights={view: float(weight) for view, weight in zip(views, weights, strict=True)},
        inclusion=_inclusion(probabilities[np.arange(len(targets)), targets], coverage),
        torn=_torn(probabilities, targets, torn_accuracy),
        near=float(np.quantile(nearest, far)),
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
