"""The trained views in few arrays, and the reading of one order through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.candidates import Candidates
from models.duties import Duties
from models.fields import FieldCounts
from models.fusion import Calibration, log_softmax
from models.lexical import Lexical
from models.linear import Block
from models.neighbours import NO_VOTE, Neighbours, Space
from models.shortlist import Shortlister
from models.text import TextFeatures, TextRow
from models.trees import Trees
from models.views import VIEWS, Views

#: Layers of scores that become a probability; those of the fields come after.
LAYERS = ("trees", "fused")


@dataclass(frozen=True)
class Judgement:
    """What was learned from held-out answers.

    Parameters
    ----------
    fusion : dict
        View -> weight of the linear fusion, not negative.
    trees : Trees
        They rank the likeliest candidates of the fusion; none for small data.
    shortlist : int
        How many candidates those are.
    text, fields : Calibration
        Of answers to a bare text, and to one with fields known at filing (``None`` when no historic order has any).
    near : float
        Similarity of the nearest historic order below which the ranker abstains.
    """

    fusion: dict[str, float]
    trees: Trees
    shortlist: int
    text: Calibration
    fields: Calibration | None
    near: float


@dataclass(frozen=True, slots=True)
class Words:
    """What a text says before its vector is known.

    Parameters
    ----------
    row : TextRow
    margins : ndarray of float32, (models, candidates)
        Of the linear models over n-grams.
    overlaps : ndarray of float32, (candidates, 2)
        Characters shared with the units' names and with their duty lines; without trees nobody asks, and it is empty.
    """

    row: TextRow
    margins: np.ndarray
    overlaps: np.ndarray


@dataclass(frozen=True, slots=True)
class Reading:
    """What the scorer saw in one order; evidence is read off it.

    Parameters
    ----------
    row : TextRow
    probabilities : ndarray, (candidates,)
    calibration : Calibration
        That the probabilities are of: with fields or without.
    nearest : ndarray of float32, (neighbours,)
        Similarities, the nearest first; ``orders`` their numbers and ``votes`` their shares of the vote.
    duty_near : ndarray of float32, (lines,)
        How near the text comes to each duty line.
    margins : ndarray of float32, (candidates, views)
    fields : ndarray of float32 or None, (2 × fields, candidates)
        Margins of the fields; ``None`` when they say nothing.
    district, street : str
        As given.
    values : mapping
        Fields as given.
    """

    row: TextRow
    probabilities: np.ndarray
    calibration: Calibration
    nearest: np.ndarray
    orders: np.ndarray
    votes: np.ndarray
    duty_near: np.ndarray
    margins: np.ndarray
    fields: np.ndarray | None
    district: str
    street: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Scorer:
    """Scores one order in about a millisecond, given its vector.

    Parameters
    ----------
    text, vector : Block
        The linear views over n-grams and over standardised vectors. The n-grams' weights may be a memory map that
        processes share.
    counts : FieldCounts
        Historic orders by field and by unit.
    names, duty_words : Lexical
        Of the units' names and of their duty lines.
    """

    features: TextFeatures
    candidates: Candidates
    space: Space
    text: Block
    vector: Block
    neighbours: Neighbours
    duties: Duties
    counts: FieldCounts
    names: Lexical
    duty_words: Lexical
    judgement: Judgement

    @classmethod
    def of(
        cls,
        views: Views,
        features: TextFeatures,
        counts: FieldCounts,
        lexical: tuple[Lexical, Lexical],
        judged: Judgement,
    ) -> Scorer:
        return cls(
            features=features,
            candidates=views.candidates,
            space=views.space,
            text=Block.of(views.text, views.labels, np.float16),
            vector=Block.of(views.vector, views.labels, np.float32),
            neighbours=views.neighbours,
            duties=views.duties,
            counts=counts,
            names=lexical[0],
            duty_words=lexical[1],
            judgement=judged,
        )

    def words(self, text: str) -> Words:
        """The part of :meth:`read` that can be done while the text is being encoded."""
        row = self.features.read(text)
        overlaps = np.zeros((0, 2), np.float32)
        if len(self.judgement.trees):
            overlaps = np.stack([self.names.overlap(text), self.duty_words.overlap(text)], axis=1)
        return Words(row, self.text.margins(row.values @ self.text.weights[row.columns].astype(np.float32)), overlaps)

    def read(
        self,
        text: str,
        vector: np.ndarray,
        *,
        district: str,
        street: str,
        fields: Mapping[str, str],
        words: Words | None = None,
    ) -> Reading:
        """Read one order. A pure function of its arguments: many orders are read one after the other, with equal bits.

        ``words`` are those of the text, if they are known already."""
        judged = self.judgement
        words = words or self.words(text)
        nearest, orders = self.neighbours.find(self.space.direction(vector[None]))
        votes = self.neighbours.votes(nearest)
        duty_near = self.duties.near((vector - self.space.mean)[None])
        margins = np.stack(
            [
                *words.margins,
                *self.vector.margins(self.space.standard(vector) @ self.vector.weights),
                self.neighbours.margins(votes, orders, len(self.candidates))[0],
                self.duties.margins(duty_near)[0],
                self.candidates.district_match(district),
                self.candidates.street_match(street),
            ],
            axis=1,
        )
        fused = margins @ self._fusion
        logs = log_softmax(fused)
        layers = np.stack([self._ranked(text, words, margins, logs, nearest[0, 0]), logs], axis=1)
        known, calibration = None, judged.text
        if judged.fields is not None and any(fields.values()):
            said = self.counts.margins(fields)
            if said.any():
                known, calibration = said, judged.fields
                layers = np.concatenate([layers, said.T], axis=1)
        probabilities = calibration.probabilities(layers[None])[0]
        return Reading(
            words.row,
            probabilities,
            calibration,
            nearest[0],
            orders[0],
            votes[0],
            duty_near[0],
            margins,
            known,
            district,
            street,
            fields,
        )

    def _ranked(self, text: str, words: Words, margins: np.ndarray, logs: np.ndarray, nearest: float) -> np.ndarray:
        """What the trees say of each candidate; of those they are not asked about, the least they said of any."""
        trees = self.judgement.trees
        if not len(trees):
            return np.zeros(len(logs), np.float32)
        orders = self.counts.units[None]
        chosen = self._shortlister.choose(logs[None], margins[None, :, self._shortlister.duty], orders)
        rows = self._shortlister.rows(
            margins[None],
            logs[None],
            chosen,
            orders=orders,
            overlaps=words.overlaps[None],
            nearest=np.array([nearest], np.float32),
            lengths=np.array([len(text)], np.float32),
        )
        return spread(trees.scores(rows[0])[None], chosen, len(logs))[0]

    def word_contributions(self, row: TextRow, candidate: int) -> np.ndarray:
        """What each occurrence of an n-gram (``row.places``) added to a candidate's fused log-odds: (occurrences,)."""
        weights = self.text.column(row.columns, candidate, self._fusion[: len(self.text.index)])
        each = row.values * weights / row.times
        return each[row.which]

    def vote_contribution(self, reading: Reading, candidate: int) -> np.ndarray:
        """What each neighbour added to a candidate's fused log-odds, against no vote for it at all: (neighbours,)."""
        mine = np.where(self.neighbours.units[reading.orders] == candidate, reading.votes, 0)
        share = mine.sum()
        if share == 0:
            return mine
        gain = self.judgement.fusion["neighbours"] * np.log((share + NO_VOTE) / NO_VOTE)
        return mine / share * gain

    @cached_property
    def _fusion(self) -> np.ndarray:
        return np.array([self.judgement.fusion[view] for view in VIEWS], np.float32)

    @cached_property
    def _shortlister(self) -> Shortlister:
        return shortlister(self.candidates, self.judgement.shortlist)


def lexica(candidates: Candidates, duties: Duties) -> tuple[Lexical, Lexical]:
    """Words of the candidates' names, and of their duty lines."""
    return (
        Lexical.build(candidates.names, np.arange(len(candidates))),
        Lexical.build(duties.lines, duties.owners),
    )


def shortlister(candidates: Candidates, count: int) -> Shortlister:
    return Shortlister(candidates.functions, candidates.districts, VIEWS.index("duty"), count)


def spread(scores: np.ndarray, chosen: np.ndarray, candidates: int) -> np.ndarray:
    """Scores (n, count) of the chosen over all candidates: (n, candidates) float32. The others get the least of them."""
    full = np.repeat(scores.min(axis=1, keepdims=True), candidates, axis=1)
    full[np.arange(len(full))[:, None], chosen] = scores
    return full.astype(np.float32)
