"""Train from a file of historic orders and put the model in force; the glue between a file, a registry and a person."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError
from intake.mapping import Mapping
from intake.unit import UnitDirectory
from models.encoder import Encoder
from models.progress import Progress
from models.ranker import UnitRanker
from service.model_life import CHALLENGER, Mover, own_answers, promote_version, ready_to_record
from service.settings import ROOT, Settings
from service.training_sources import Source, read_test_set, read_training_set
from training.card import contradictions
from training.compare import answer, unseen
from training.dataset import TrainingSet
from training.evaluate import Evaluation, measure
from training.frozen import latest, row_keys
from training.learning_curve import learning_curve
from training.publish import Beside, publish
from training.registry import Registry, champion
from training.train import TrainConfig, fit_ranker, train, train_and_evaluate

CITY_MAPPING = ROOT / "datasets" / "mappings" / "city.yaml"
#: Labelled orders at which a learning curve is read; what lies beyond the data is read at all of it.
CURVE_SIZES = (100, 250, 500, 1000, 2000, 4000, 8000)


@dataclass(frozen=True)
class Outcome:
    """What came of a training or an evaluation. ``version`` is empty when nothing was registered.

    ``refused`` holds the lines of the review that stood in the way of a promotion.
    """

    dataset: TrainingSet
    evaluation: Evaluation
    version: str = ""
    model_id: str = ""
    promoted: bool = False
    refused: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        counts = self.dataset.counts
        return {
            "rows": counts.read,
            "merged": counts.read
            - (counts.errors + counts.without_unit + counts.unknown_unit + counts.kept + counts.older),
            "older": counts.older,
            "usable": counts.kept,
            "errors": counts.errors,
            "without_unit": counts.without_unit,
            "unknown_unit": counts.unknown_unit,
            "contradictory_texts": len(contradictions(self.dataset)),
            **self.evaluation.as_dict(),
            "version": self.version,
            "model_id": self.model_id,
            "promoted": self.promoted,
            "refused": list(self.refused),
        }


def train_and_register(
    settings: Settings,
    orders: Path,
    mapping: Mapping,
    *,
    at: datetime,
    promote: bool,
    progress: Progress,
    config: TrainConfig | None = None,
    mover: Mover | None = None,
    more: Sequence[Source] = (),
    directory: UnitDirectory | None = None,
    with_curve: bool = False,
) -> Outcome:
    """Train on a file, evaluate on the frozen test, register as challenger, and make it champion if asked.

    The frozen test of the source is used again where it fits the data, else it is made of a grouped hold-out. A
    promotion passes the checks of :mod:`training.promotion`; one that is refused leaves a registered challenger.

    Parameters
    ----------
    more, directory
        Those of :func:`read_training_set`. The source is that of the first file.
    with_curve : bool
        Measure besides what more labels would buy (:mod:`training.learning_curve`) and keep it with the version.
    """
    if promote:
        ready_to_record(settings)
    registry = Registry(settings.mlruns)
    dataset = read_training_set(settings, orders, mapping, more=more, directory=directory)
    frozen = latest(registry.store, dataset, source=mapping.name)
    encoder = load_encoder(settings)
    dataset = replace(dataset, vectors=encoder.encode(dataset.texts, progress=progress))
    trained = train(
        dataset,
        encoder=encoder,
        directory=dataset.directory,
        config=config or TrainConfig.default(),
        as_of=at,
        progress=progress,
        held=frozen.held(dataset) if frozen else None,
    )
    curve = learning_curve(trained.dataset, sizes=CURVE_SIZES, progress=progress) if with_curve else None
    beside = _beside(registry, dataset, trained.held, encoder, at, progress)
    tags = {"zhipai.files": "、".join(path.name for path, _ in ((orders, mapping), *more))}
    version = publish(registry, trained, at=at, source=mapping.name, tags=tags, beside=beside, curve=curve)
    registry.promote(version.version, alias=CHALLENGER)
    refused: tuple[str, ...] = ()
    if promote:
        moved = promote_version(settings, version.version, mover=mover or Mover("zhipai train"), at=at, encoder=encoder)
        refused = moved.review.failing if not moved.done else ()
    return Outcome(dataset, trained.evaluation, version.version, version.model_id, promote and not refused, refused)


def _beside(
    registry: Registry,
    dataset: TrainingSet,
    held: Sequence[int],
    encoder: Encoder,
    at: datetime,
    progress: Progress,
) -> Beside | None:
    """What the champion answers to the held-out orders that it was not trained on, unless it has answers of its own.

    That is so for the first model of one's own city: the champion is that of the bundled one.
    """
    current = champion(registry.store)
    if current is None:
        return None
    part = dataset.take(held)
    own = own_answers(registry, current)
    if own is not None and set(own.keys) & set(row_keys(part)):
        return None
    try:
        ranker = UnitRanker.load(current.path, encoder=encoder)
        return Beside(current.model_id, answer(ranker, unseen(part, ranker), as_of=at, progress=progress))
    except ZhipaiError:
        # A champion that cannot be asked is dealt with where promotion is decided.
        return None


def evaluate_own_split(
    settings: Settings,
    orders: Path,
    mapping: Mapping,
    *,
    at: datetime,
    progress: Progress,
    config: TrainConfig | None = None,
) -> Outcome:
    """Hold out whole groups of repeated orders, train on the rest, evaluate; nothing is registered."""
    dataset = read_training_set(settings, orders, mapping)
    evaluation = train_and_evaluate(
        dataset,
        encoder=load_encoder(settings),
        directory=dataset.directory,
        config=config or TrainConfig.default(),
        as_of=at,
        progress=progress,
    )
    return Outcome(dataset, evaluation)


def evaluate_elsewhere(
    settings: Settings,
    orders: Path,
    mapping: Mapping,
    test: Path,
    test_mapping: Mapping,
    *,
    at: datetime,
    progress: Progress,
    config: TrainConfig | None = None,
) -> Outcome:
    """Train on one file and evaluate on another; the second never touches the training.

    Vocabulary, weights, calibration and directory come from ``orders`` and the directory that ``mapping`` names beside
    it. Both mappings have to give the same labels. An order of the test file whose label the training never saw counts
    as wrong, as it would be for a dispatcher. ``train_seconds`` includes the encoding of the training texts.
    """
    chosen = config or TrainConfig.default()
    dataset = read_training_set(settings, orders, mapping)
    encoder = load_encoder(settings)
    started = time.perf_counter()
    ranker = fit_ranker(dataset, encoder, dataset.directory, chosen, progress)
    seconds = time.perf_counter() - started
    tests = read_test_set(test, test_mapping, dataset.directory)
    measured = measure(
        ranker,
        replace(tests, vectors=encoder.encode(tests.texts, progress=progress)),
        as_of=at,
        progress=progress,
        train_seconds=seconds,
        rounds=chosen.bootstrap,
        seed=chosen.seed,
    )
    return Outcome(tests, measured.evaluation)


def load_encoder(settings: Settings) -> Encoder:
    """The encoder of the settings, on two threads: one-off commands have the machine to themselves."""
    return Encoder.load(settings.encoder_folder, threads=2)
