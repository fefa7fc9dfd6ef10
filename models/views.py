"""The views of an order that vote on its unit, as they are trained. A later model joins them as one more name.

Each view gives one margin a candidate; :mod:`models.learning` weighs them and ranks by them. At serving the linear views
of one kind are one matrix, see :class:`models.linear.Block`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.candidates import Candidates
from models.duties import Duties
from models.linear import Linear, fit_softmax, fit_svm
from models.neighbours import NO_VOTE, Neighbours, Space
from models.recipe import Recipe

#: What a linear model learns to tell apart.
LABELS = ("unit", "function", "district")
VIEWS = (
    *(f"text_{label}" for label in LABELS),
    *(f"vector_{label}" for label in LABELS),
    "neighbours",
    "duty",
    "district",
    "street",
)


@dataclass(frozen=True)
class Rows:
    """Orders as the views read them.

    Parameters
    ----------
    features : csr_matrix of float32, (n, columns)
    vectors : ndarray of float32, (n, dim)
    targets : ndarray of int, (n,)
        Number of the accepted unit among the candidates.
    districts, streets : sequence of str
        Where the order lies, as far as known.
    """

    features: sparse.csr_matrix
    vectors: np.ndarray
    targets: np.ndarray
    districts: Sequence[str]
    streets: Sequence[str]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> Rows:
        return Rows(
            self.features[rows],
            self.vectors[rows],
            self.targets[rows],
            [self.districts[i] for i in rows],
            [self.streets[i] for i in rows],
        )


@dataclass(frozen=True)
class Views:
    """All views, trained. ``text`` and ``vector`` hold one linear model for each of :data:`LABELS`."""

    candidates: Candidates
    space: Space
    text: tuple[Linear, ...]
    vector: tuple[Linear, ...]
    neighbours: Neighbours
    duties: Duties

    @classmethod
    def fit(cls, rows: Rows, candidates: Candidates, duties: Duties, *, recipe: Recipe, seed: int) -> Views:
        space = Space.fit(rows.vectors)
        standard = space.standard(rows.vectors)
        labels = [[names[target] for target in rows.targets] for names in label_names(candidates)]
        return cls(
            candidates=candidates,
            space=space,
            text=tuple(fit_svm(rows.features, label, c=recipe.svm_c, seed=seed) for label in labels),
            vector=tuple(fit_softmax(standard, label, c=recipe.softmax_c) for label in labels),
            neighbours=Neighbours.build(
                space.direction(rows.vectors), rows.targets, count=recipe.neighbours, sharpness=recipe.sharpness
            ),
            duties=duties,
        )

    @property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """What each of :data:`LABELS` calls a candidate."""
        return label_names(self.candidates)

    def absent(self) -> np.ndarray:
        """What each view says of a candidate whose label it never saw: (views,) float32, NaN for views without labels."""
        said = {f"text_{label}": model.absent for label, model in zip(LABELS, self.text, strict=True)}
        said |= {f"vector_{label}": model.absent for label, model in zip(LABELS, self.vector, strict=True)}
        said["neighbours"] = float(np.log(NO_VOTE))
        return np.array([said.get(view, np.nan) for view in VIEWS], np.float32)

    def margins(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Margins (n, candidates, views) float32 and the similarity of the nearest historic order (n,)."""
        standard = self.space.standard(rows.vectors)
        layers = []
        for inputs, models in ((rows.features, self.text), (standard, self.vector)):
            for model, wanted in zip(models, self.labels, strict=True):
                weights, bias = model.spread(wanted)
                layers.append(inputs @ weights + bias)
        similarities, found = self.neighbours.find(self.space.direction(rows.vectors))
        votes = self.neighbours.votes(similarities)
        layers.append(self.neighbours.margins(votes, found, len(self.candidates)))
        layers.append(self.duties.margins(self.duties.near(rows.vectors - self.space.mean)))
        layers.append(np.stack([self.candidates.district_match(district) for district in rows.districts]))
        layers.append(np.stack([self.candidates.street_match(street) for street in rows.streets]))
        return np.stack(layers, axis=2).astype(np.float32), similarities[:, 0]


def label_names(candidates: Candidates) -> tuple[tuple[str, ...], ...]:
    """What each of :data:`LABELS` calls a candidate."""
    return candidates.names, candidates.functions, candidates.districts
