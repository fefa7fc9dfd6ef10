"""Linear models over n-grams and over vectors, and how their answers spread over all units that may be named."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy import sparse

#: A class that a model never saw gets the margin that this share of the classes it saw stay under.
ABSENT_QUANTILE = 0.2


@dataclass(frozen=True)
class Linear:
    """``margins = rows @ weights + bias``.

    Parameters
    ----------
    classes : tuple of str
    weights : ndarray of float32, (columns, classes)
    bias : ndarray of float32, (classes,)
    absent : float
        The margin of a class that is not among ``classes``.
    """

    classes: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray
    absent: float

    def spread(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Weights (columns, names) and bias (names,) for ``names``, of which several may be the same class."""
        position = {name: i for i, name in enumerate(self.classes)}
        index = np.array([position.get(name, -1) for name in names])
        known = index >= 0
        weights = np.zeros((len(self.weights), len(names)), np.float32)
        weights[:, known] = self.weights[:, index[known]]
        bias = np.full(len(names), self.absent, np.float32)
        bias[known] = self.bias[index[known]]
        return weights, bias


@dataclass(frozen=True)
class Block:
    """Several linear models over the same columns side by side, for serving: one product answers all of them.

    Parameters
    ----------
    weights : ndarray of float16 or float32, (columns, classes of all models)
    index : ndarray of int32, (models, names)
        Which of the classes a name is for each model; -1 for none.
    bias : ndarray of float32, (models, names)
    """

    weights: np.ndarray
    index: np.ndarray
    bias: np.ndarray

    @classmethod
    def of(cls, models: Sequence[Linear], labels: Sequence[Sequence[str]], dtype: type) -> Block:
        """``labels`` says for each model what it calls each name."""
        index, bias, first = [], [], 0
        for model, names in zip(models, labels, strict=True):
            position = {name: i for i, name in enumerate(model.classes)}
            mine = np.array([position.get(name, -1) for name in names], np.int32)
            index.append(np.where(mine >= 0, mine + first, -1).astype(np.int32))
            bias.append(np.where(mine >= 0, model.bias[mine], np.float32(model.absent)))
            first += len(model.classes)
        weights = np.concatenate([model.weights for model in models], axis=1)
        return cls(weights.astype(dtype), np.stack(index), np.stack(bias).astype(np.float32))

    def margins(self, products: np.ndarray) -> np.ndarray:
        """Margins (models, names) from ``row @ weights`` (classes,)."""
        return np.append(products, np.float32(0))[self.index] + self.bias

    def column(self, rows: np.ndarray, name: int, shares: np.ndarray) -> np.ndarray:
        """What each of ``rows`` weighs for one name, summed over the models by ``shares`` (models,): (rows,) float32."""
        mine = self.index[:, name]
        known = mine >= 0
        return self.weights[rows[:, None], mine[known]].astype(np.float32) @ shares[known].astype(np.float32)


def _absent(margins: np.ndarray) -> float:
    return float(np.quantile(margins, ABSENT_QUANTILE, axis=1).mean())


def fit_svm(rows: sparse.csr_matrix, labels: Sequence[str], *, c: float, seed: int) -> Linear:
    """One-against-rest linear SVM (squared hinge), over n-grams: seconds for 120k columns and 250 classes."""
    from sklearn.svm import LinearSVC

    classes = sorted(set(labels))
    if len(classes) == 1:
        return _constant(classes, rows.shape[1])
    # The looser tolerance costs nothing in accuracy and saves a third of the time.
    with _unhurried():
        model = LinearSVC(C=c, tol=1e-2, max_iter=300, random_state=seed).fit(rows, np.asarray(labels))
    weights, bias = model.coef_, model.intercept_
    if len(classes) == 2:
        weights, bias = np.vstack([-weights, weights]), np.concatenate([-bias, bias])
    weights = np.ascontiguousarray(weights.T, np.float32)
    bias = bias.astype(np.float32)
    return Linear(tuple(classes), weights, bias, _absent(rows @ weights + bias))


def fit_softmax(vectors: np.ndarray, labels: Sequence[str], *, c: float) -> Linear:
    """Softmax regression over standardised vectors, its margins centred so that they mean the same in every fold."""
    from sklearn.linear_model import LogisticRegression

    classes = sorted(set(labels))
    if len(classes) == 1:
        return _constant(classes, vectors.shape[1])
    with _unhurried():
        model = LogisticRegression(C=c, max_iter=100, tol=1e-3).fit(vectors, np.asarray(labels))
    weights, bias = model.coef_, model.intercept_
    if len(classes) == 2:
        weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    weights = np.ascontiguousarray((weights - weights.mean(axis=0)).T, np.float32)
    bias = (bias - bias.mean()).astype(np.float32)
    return Linear(tuple(classes), weights, bias, _absent(vectors @ weights + bias))


@contextmanager
def _unhurried() -> Iterator[None]:
    """A model that stops at its limit of rounds is good enough: what it says is calibrated on held-out orders."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _constant(classes: list[str], columns: int) -> Linear:
    """With one class there is nothing to learn; districts of a city without districts are such a case."""
    return Linear(tuple(classes), np.zeros((columns, 1), np.float32), np.zeros(1, np.float32), -1.0)
