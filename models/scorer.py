"""The trained views folded into few arrays, and the reading of one order through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.candidates import Candidates
from models.duties import Duties
from models.fusion import Calibration
from models.neighbours import NO_VOTE, Neighbours, Space
from models.text import TextFeatures, TextRow
from models.views import LABELS, Views, label_names


@dataclass(frozen=True, slots=True)
class Reading:
    """What the scorer saw in one order; evidence is read off it.

    Parameters
    ----------
    row : TextRow
    probabilities : ndarray, (candidates,)
    nearest : ndarray of float32, (neighbours,)
        Similarities, the nearest first; ``orders`` their numbers and ``votes`` their shares of the vote.
    duty_near : ndarray of float32, (lines,)
        How near the text comes to each duty line; ``duty`` each candidate's margin from it.
    district, street : str
        As given.
    """

    row: TextRow
    probabilities: np.ndarray
    nearest: np.ndarray
    orders: np.ndarray
    votes: np.ndarray
    duty_near: np.ndarray
    duty: np.ndarray
    district: str
    street: str


@dataclass(frozen=True)
class Scorer:
    """Scores one order in about a millisecond, given its vector.

    Parameters
    ----------
    text_weights : ndarray of float16, (n-grams, candidates)
        Unit, function and district models in one, by their weights. May be a memory map shared between processes.
    vector_weights : ndarray of float32, (dim, candidates)
        Likewise, over standardised vectors.
    bias : ndarray of float32, (candidates,)
    """

    features: TextFeatures
    candidates: Candidates
    space: Space
    text_weights: np.ndarray
    vector_weights: np.ndarray
    bias: np.ndarray
    neighbours: Neighbours
    duties: Duties
    calibration: Calibration

    @classmethod
    def fold(cls, views: Views, features: TextFeatures, calibration: Calibration) -> Scorer:
        """Weigh the linear views and add them up."""
        names = label_names(views.candidates)
        folded = []
        bias = np.zeros(len(views.candidates), np.float32)
        for block, models in (("text", views.text), ("vector", views.vector)):
            total: np.ndarray | None = None
            for label, model, wanted in zip(LABELS, models, names, strict=True):
                weight = np.float32(calibration.weights[f"{block}_{label}"])
                weights, intercept = model.spread(wanted)
                weights *= weight
                total = weights if total is None else total + weights
                bias += weight * intercept
            folded.append(total)
        text, vector = folded
        return cls(
            features=features,
            candidates=views.candidates,
            space=views.space,
            text_weights=np.asarray(text, np.float16),
            vector_weights=np.asarray(vector, np.float32),
            bias=bias,
            neighbours=views.neighbours,
            duties=views.duties,
            calibration=calibration,
        )

    def read(self, text: str, vector: np.ndarray, *, district: str, street: str) -> Reading:
        """Read one order. A pure function of its arguments: many orders are read one after the other, with equal bits."""
        weights = self.calibration.weights
        row = self.features.read(text)
        scores = self.bias + row.values @ self.text_weights[row.columns].astype(np.float32)
        scores += self.space.standard(vector) @ self.vector_weights
        nearest, orders = self.neighbours.find(self.space.direction(vector[None]))
        votes = self.neighbours.votes(nearest)
        scores += weights["neighbours"] * self.neighbours.margins(votes, orders, len(self.candidates))[0]
        duty_near = self.duties.near((vector - self.space.mean)[None])
        duty = self.duties.margins(duty_near)[0]
        scores += weights["duty"] * duty
        scores += weights["district"] * self.candidates.district_match(district)
        scores += weights["street"] * self.candidates.street_match(street)
        probabilities = self.calibration.probabilities(scores[None])[0]
        return Reading(row, probabilities, nearest[0], orders[0], votes[0], duty_near[0], duty, district, street)

    def word_contributions(self, row: TextRow, candidate: int) -> np.ndarray:
        """What each occurrence of an n-gram (``row.places``) added to a candidate's log-odds: (occurrences,)."""
        each = row.values * self.text_weights[row.columns, candidate].astype(np.float32) / row.times
        return each[row.which]

    def vote_contribution(self, reading: Reading, candidate: int) -> np.ndarray:
        """What each neighbour added to a candidate's log-odds, against no vote for it at all: (neighbours,)."""
        mine = np.where(self.neighbours.units[reading.orders] == candidate, reading.votes, 0)
        share = mine.sum()
        if share == 0:
            return mine
        gain = self.calibration.weights["neighbours"] * np.log((share + NO_VOTE) / NO_VOTE)
        return mine / share * gain
