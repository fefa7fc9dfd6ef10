"""The ranker of responsible units: trained, asked, saved and loaded as one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register
from intake.unit import Unit, UnitDirectory
from models import artifact, evidence
from models.candidates import require_known
from models.doubt import COLD, ENDED, ENDED_SHARE, FAR, NOBODY, Doubt, between
from models.encoder import Encoder
from models.evidence import History
from models.newcomer import with_newcomer
from models.progress import Progress
from models.ranking import Backoff, Evidence, RankedUnit, Ranking
from models.recipe import Recipe
from models.scorer import Reading, Scorer, Words
from models.text import segmenter

__all__ = ["Backoff", "Evidence", "RankedUnit", "Ranking", "UnitRanker"]

register("E2102", "缺少向量", "这个模型没有带编码器，推荐时要给出文本的向量。请先用同一个编码器编码。", exit_code=3)
register(
    "E2103",
    "编码器不匹配",
    "模型是用编码器 {expected} 训练的，现在的编码器是 {found}。请换回原来的编码器，或用 zhipai train 重新训练。",
    exit_code=3,
)

#: Days whose unit changes are kept at hand.
DAYS = 64
NO_FIELDS: Mapping[str, str] = {}


class UnitRanker:
    """Ranks units for one order, with calibrated probabilities and evidence.

    Safe to share between threads. Build it with :meth:`fit` or :meth:`load`.

    Attributes
    ----------
    model_id : str
        ``model-`` and 16 hex digits of the manifest's hash; empty until saved.
    directory : UnitDirectory
        By whose dates units are in force.
    encoder_id : str
        The encoder whose vectors it takes.
    units : tuple of str
        Every unit it may name, on some day.
    """

    def __init__(
        self,
        scorer: Scorer,
        directory: UnitDirectory,
        history: History,
        *,
        encoder_id: str,
        model_id: str = "",
        facts: dict[str, Any] | None = None,
        encoder: Encoder | None = None,
    ):
        self.scorer = scorer
        self.directory = directory
        self.history = history
        self.encoder_id = encoder_id
        self.model_id = model_id
        self.facts = facts or {}
        self._encoder = encoder
        self._days: dict[date, _Day] = {}

    @property
    def units(self) -> tuple[str, ...]:
        return self.scorer.candidates.names

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        units: Sequence[str],
        groups: Sequence[str],
        *,
        encoder: Encoder,
        directory: UnitDirectory,
        seed: int = 0,
        progress: Progress | None = None,
        recipe: Recipe | None = None,
        order_ids: Sequence[str] = (),
        districts: Sequence[str] = (),
        streets: Sequence[str] = (),
        fields: Sequence[Mapping[str, str]] = (),
        vectors: np.ndarray | None = None,
    ) -> UnitRanker:
        """Train on historic orders; see :func:`models.fitting.fit`, where the arguments are explained."""
        from models.fitting import fit

        scorer, history, facts = fit(
            texts,
            units,
            groups,
            encoder=encoder,
            directory=directory,
            seed=seed,
            progress=progress,
            recipe=recipe or Recipe(),
            order_ids=order_ids,
            districts=districts,
            streets=streets,
            fields=fields,
            vectors=vectors,
        )
        return cls(scorer, directory, history, encoder_id=encoder.id, facts=facts, encoder=encoder)

    def save(self, folder: Path) -> str:
        """Write the artifact and return the model's id; equal training gives equal bytes."""
        artifact.save(folder, self.scorer, self.directory, self.history, encoder_id=self.encoder_id, facts=self.facts)
        self.model_id = artifact.verify(folder)
        return self.model_id

    @classmethod
    def load(
        cls, folder: Path, *, directory: UnitDirectory | None = None, encoder: Encoder | None = None
    ) -> UnitRanker:
        """Load an artifact, after every file was checked against its manifest.

        Parameters
        ----------
        folder : Path
        directory : UnitDirectory, optional
            A newer directory; by default the one it was trained with.
        encoder : Encoder, optional
            For callers that do not bring vectors.

        Raises
        ------
        ZhipaiError
            E2201–E2203 for a folder that is not as it was saved, E2101 with the units that ``directory`` lacks, E2103
            for another encoder.
        """
        # The segmenter's dictionary takes half a second: here, and not when the first order waits for an answer.
        segmenter()
        model_id, scorer, own, history, facts = artifact.load(folder)
        require_known(scorer.candidates.names, directory or own)
        ranker = cls(
            scorer,
            directory or own,
            history,
            encoder_id=facts["encoder"],
            model_id=model_id,
            facts=facts["facts"],
            encoder=encoder,
        )
        if encoder is not None:
            ranker.require_encoder(encoder)
        return ranker

    def require_encoder(self, encoder: Encoder) -> None:
        """Raise E2103 unless ``encoder`` is the one that the model was trained with."""
        if encoder.id != self.encoder_id:
            raise ZhipaiError("E2103", {"expected": self.encoder_id, "found": encoder.id})

    def words(self, text: str) -> Words:
        """What can be read in a text while it is still being encoded, for :meth:`rank`."""
        return self.scorer.words(text)

    def rank(
        self,
        text: str,
        *,
        as_of: datetime,
        vector: np.ndarray | None = None,
        words: Words | None = None,
        district: str = "",
        street: str = "",
        fields: Mapping[str, str] = NO_FIELDS,
        top: int = 5,
        with_evidence: bool = True,
    ) -> Ranking:
        """Rank the units in force on ``as_of``.

        Parameters
        ----------
        text : str
            ``Prepared.text``.
        as_of : datetime
            A unit that has ended hands its probability on to its successor; a unit without one drops out, and the
            rest is scaled up.
        vector : ndarray of float32, (dim,), optional
            ``encoder.encode([text])[0]``; encoded here when the ranker has its encoder.
        words : Words, optional
            ``ranker.words(text)``, if it is known already.
        district, street : str
            Where the order lies, as far as known.
        fields : mapping of str to str
            Fields known at filing (``order_type``, ``category`` with its levels parted by ``/``, ``channel``). An empty
            or unknown value says nothing: the answer is then the one to the bare text.
        top : int
            Units in the answer.
        with_evidence : bool
            Evaluations leave it out.

        Raises
        ------
        ZhipaiError
            E2102 without a vector and without an encoder.
        """
        if vector is None:
            if self._encoder is None:
                raise ZhipaiError("E2102")
            vector = self._encoder.encode([text])[0]
        reading = self.scorer.read(text, vector, district=district, street=street, fields=fields, words=words)
        today = self._in_force(as_of.date())
        kept = today.owner >= 0
        mass = np.bincount(
            today.owner[kept], reading.probabilities[kept].astype(np.float64), minlength=len(today.units)
        )
        if mass.sum() <= 0:
            return Ranking((), True, NOBODY, (), "directory")
        probabilities = mass / mass.sum()
        order = np.argsort(-probabilities, kind="stable")
        units = tuple(
            RankedUnit(
                today.units[i].name,
                float(probabilities[i]),
                self._evidence(text, reading, today.owner == i) if with_evidence else (),
            )
            for i in with_newcomer(order, probabilities, today.unseen)[:top].tolist()
        )
        inside = [i for i in order.tolist() if probabilities[i] >= reading.calibration.inclusion]
        coverage = tuple(today.units[i].name for i in inside or order[:1].tolist())
        doubt = self._doubt(reading, today, probabilities, order, float(mass.sum()))
        return Ranking(units, bool(doubt.kind), doubt.reason, coverage, doubt.kind, doubt.backoff)

    def rank_many(
        self,
        texts: Sequence[str],
        vectors: np.ndarray,
        *,
        as_of: datetime,
        words: Sequence[Words] = (),
        districts: Sequence[str] = (),
        streets: Sequence[str] = (),
        fields: Sequence[Mapping[str, str]] = (),
        top: int = 5,
        with_evidence: bool = True,
    ) -> list[Ranking]:
        """:meth:`rank` of each. One after the other on purpose: the same order gets the same bits in a batch and alone,
        and at a millisecond an order the encoder is what a batch waits for."""
        return [
            self.rank(
                text,
                as_of=as_of,
                vector=vector,
                words=read,
                district=district,
                street=street,
                fields=known,
                top=top,
                with_evidence=with_evidence,
            )
            for text, vector, read, district, street, known in zip(
                texts,
                vectors,
                words or repeat(None, len(texts)),
                districts or [""] * len(texts),
                streets or [""] * len(texts),
                fields or [NO_FIELDS] * len(texts),
                strict=True,
            )
        ]

    def _in_force(self, day: date) -> _Day:
        found = self._days.get(day)
        if found is None:
            stands = [self.directory.forward(name, day) for name in self.units]
            units = {unit.name: unit for unit in stands if unit is not None}
            number = {name: i for i, name in enumerate(sorted(units))}
            parents = {
                unit.parent: (above.parent if (above := self.directory.get(unit.parent, day)) else "")
                for unit in units.values()
            }
            owner = np.array([number[unit.name] if unit else -1 for unit in stands], np.int64)
            kept = owner >= 0
            history = np.bincount(owner[kept], self.scorer.counts.units[kept], minlength=len(number))
            found = _Day(
                tuple(units[name] for name in number),
                owner,
                history == 0,
                parents | {unit.name: unit.parent for unit in units.values()},
            )
            if len(self._days) >= DAYS:
                self._days.clear()
            self._days[day] = found
        return found

    def _evidence(self, text: str, reading: Reading, mine: np.ndarray) -> tuple[Evidence, ...]:
        """Of the likeliest among the candidates that stand for a unit (itself, and units merged into it)."""
        candidates = np.flatnonzero(mine)
        best = int(candidates[reading.probabilities[candidates].argmax()])
        return evidence.collect(text, reading, self.scorer, self.history, best)

    def _doubt(self, reading: Reading, today: _Day, probabilities: np.ndarray, order: np.ndarray, held: float) -> Doubt:
        """Why the ranker abstains, if it does. Distances count against those among historic orders, never as such."""
        torn = len(order) > 1 and probabilities[order[0]] - probabilities[order[1]] < reading.calibration.torn
        if torn and self.facts.get("cold_start"):
            return Doubt("cold", COLD)
        if reading.nearest[0] < self.scorer.judgement.near or not len(reading.row.columns):
            return Doubt("far", FAR)
        if held < 1 - ENDED_SHARE:
            return Doubt("directory", ENDED.format(unit=self.units[int(reading.probabilities.argmax())]))
        if torn:
            return between(today.units, probabilities, district=reading.district, parents=today.parents)
        return Doubt()


@dataclass(frozen=True, slots=True)
class _Day:
    """Units in force on a day among those it may name; for each candidate the number of its unit, -1 for none; which units
    no historic order went to; and who is above each of them and of their parents."""

    units: tuple[Unit, ...]
    owner: np.ndarray
    unseen: np.ndarray
    parents: dict[str, str]
