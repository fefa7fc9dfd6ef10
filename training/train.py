"""Train a ranker: measured on orders held out by group, then trained again on all for the artifact."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from intake.unit import UnitDirectory
from models.encoder import Encoder
from models.progress import Progress
from models.ranker import UnitRanker
from training.config import TrainConfig
from training.dataset import TrainingSet
from training.evaluate import Evaluation, Measured, measure
from training.split import grouped_split

__all__ = ["TrainConfig", "Trained", "fit_ranker", "train", "train_and_evaluate"]


@dataclass(frozen=True)
class Trained:
    """A ranker for use, and what one trained the same way was worth.

    Parameters
    ----------
    ranker : UnitRanker
        Trained on every order of ``dataset``.
    evaluation : Evaluation
        Of a ranker trained on the part that was not held out. The one above has seen more and should do no worse.
    dataset : TrainingSet
    config : TrainConfig
    seconds : float
        The whole: encoding, both trainings and the evaluation.
    measured : Measured
        The evaluation with its answers.
    held : tuple of int
        Row numbers of ``dataset`` that were held out.
    """

    ranker: UnitRanker
    evaluation: Evaluation
    dataset: TrainingSet
    config: TrainConfig
    seconds: float
    measured: Measured
    held: tuple[int, ...]

    def save(self, folder: Path) -> str:
        """Write the artifact and return the model's id."""
        return self.ranker.save(folder)


def train(
    dataset: TrainingSet,
    *,
    encoder: Encoder,
    directory: UnitDirectory,
    config: TrainConfig,
    as_of: datetime,
    progress: Progress | None = None,
    held: Sequence[int] | None = None,
) -> Trained:
    """Train, evaluate on a grouped hold-out, and train again on everything.

    Parameters
    ----------
    dataset : TrainingSet
    encoder : Encoder
    directory : UnitDirectory
        Units and their dates; goes into the artifact.
    config : TrainConfig
    as_of : datetime
        The day on whose directory the evaluation is read.
    progress : Progress, optional
    held : sequence of int, optional
        Rows to hold out, whole groups of them; by default a grouped split by the configuration.
    """
    start = time.perf_counter()
    dataset = _encoded(dataset, encoder, progress)
    if held is None:
        held = grouped_split(dataset.groups, dataset.units, holdout=config.holdout, seed=config.seed)[1].tolist()
    measured = _measure_held(dataset, held, encoder, directory, config, as_of, progress)
    ranker = fit_ranker(dataset, encoder, directory, config, progress)
    seconds = time.perf_counter() - start
    return Trained(ranker, measured.evaluation, dataset, config, seconds, measured, tuple(held))


def train_and_evaluate(
    dataset: TrainingSet,
    *,
    encoder: Encoder,
    directory: UnitDirectory,
    config: TrainConfig,
    as_of: datetime,
    progress: Progress | None = None,
) -> Evaluation:
    """Hold out whole groups, train on the rest, evaluate. The arguments are those of :func:`train`.

    ``train_seconds`` of the result is the training on the larger part, without the encoding of the texts.
    """
    dataset = _encoded(dataset, encoder, progress)
    _, held = grouped_split(dataset.groups, dataset.units, holdout=config.holdout, seed=config.seed)
    return _measure_held(dataset, held.tolist(), encoder, directory, config, as_of, progress).evaluation


def _measure_held(
    dataset: TrainingSet,
    held: Sequence[int],
    encoder: Encoder,
    directory: UnitDirectory,
    config: TrainConfig,
    as_of: datetime,
    progress: Progress | None,
) -> Measured:
    """Train on the rows that are not held out and measure on those that are."""
    inside = set(held)
    rows = [row for row in range(len(dataset)) if row not in inside]
    start = time.perf_counter()
    ranker = fit_ranker(dataset.take(rows), encoder, directory, config, progress)
    seconds = time.perf_counter() - start
    return measure(
        ranker,
        dataset.take(held),
        as_of=as_of,
        progress=progress,
        train_seconds=seconds,
        rounds=config.bootstrap,
        seed=config.seed,
    )


def _encoded(dataset: TrainingSet, encoder: Encoder, progress: Progress | None) -> TrainingSet:
    if dataset.vectors is not None:
        return dataset
    return replace(dataset, vectors=encoder.encode(dataset.texts, progress=progress))


def fit_ranker(
    dataset: TrainingSet, encoder: Encoder, directory: UnitDirectory, config: TrainConfig, progress: Progress | None
) -> UnitRanker:
    """A ranker trained on all of ``dataset``."""
    return UnitRanker.fit(
        dataset.texts,
        dataset.units,
        dataset.groups,
        encoder=encoder,
        directory=directory,
        seed=config.seed,
        progress=progress,
        recipe=config.recipe,
        order_ids=dataset.order_ids,
        districts=dataset.districts,
        streets=dataset.streets,
        fields=dataset.fields,
        vectors=dataset.vectors,
    )
