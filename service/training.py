"""Train from a file of historic orders and put the model in force; the glue between a file, a registry and a person."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.readers import read_orders
from models.encoder import Encoder
from models.progress import Progress
from models.ranker import UnitRanker
from service.settings import ROOT, Settings
from service.snapshot import load_gazetteer
from training.dataset import TrainingSet, training_set
from training.evaluate import Evaluation, evaluate
from training.publish import publish
from training.registry import Registry
from training.train import TrainConfig, train, train_and_evaluate

CITY_MAPPING = ROOT / "datasets" / "mappings" / "city.yaml"


@dataclass(frozen=True)
class Outcome:
    """What came of a training or an evaluation. ``version`` is empty when nothing was registered."""

    dataset: TrainingSet
    evaluation: Evaluation
    version: str = ""
    model_id: str = ""
    promoted: bool = False

    def as_dict(self) -> dict[str, Any]:
        counts = self.dataset.counts
        return {
            "rows": counts.read,
            "usable": counts.kept,
            "errors": counts.errors,
            "without_unit": counts.without_unit,
            "unknown_unit": counts.unknown_unit,
            **self.evaluation.as_dict(),
            "version": self.version,
            "model_id": self.model_id,
            "promoted": self.promoted,
        }


def read_training_set(settings: Settings, orders: Path, mapping: Mapping, *, own_city: bool = False) -> TrainingSet:
    """The orders of a file as a training set.

    The gazetteer of the settings is used for the bundled city only: another city's place names would be resolved to
    districts that it does not have.
    """
    gazetteer = load_gazetteer(settings) if own_city else Gazetteer.empty()
    return training_set(read_orders(orders, mapping), gazetteer=gazetteer, directory=mapping.directory_for(orders))


def train_and_register(
    settings: Settings,
    orders: Path,
    mapping: Mapping,
    *,
    at: datetime,
    promote: bool,
    progress: Progress,
    config: TrainConfig | None = None,
) -> Outcome:
    """Train on a file, evaluate on a grouped hold-out, register, and make it champion if asked."""
    own_city = orders.resolve().parent == settings.city.resolve()
    dataset = read_training_set(settings, orders, mapping, own_city=own_city)
    trained = train(
        dataset,
        encoder=_encoder(settings),
        directory=dataset.directory,
        config=config or TrainConfig.default(),
        as_of=at,
        progress=progress,
    )
    registry = Registry(settings.mlruns)
    version = publish(registry, trained, at=at, source=mapping.name)
    if promote:
        registry.promote(version.version)
    return Outcome(dataset, trained.evaluation, version.version, version.model_id, promote)


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
    own_city = orders.resolve().parent == settings.city.resolve()
    dataset = read_training_set(settings, orders, mapping, own_city=own_city)
    evaluation = train_and_evaluate(
        dataset,
        encoder=_encoder(settings),
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

    Both mappings have to give the same labels. An order of the test file whose label the training never saw counts as
    wrong, as it would be for a dispatcher.
    """
    chosen = config or TrainConfig.default()
    dataset = read_training_set(settings, orders, mapping)
    tests = replace(read_training_set(settings, test, test_mapping), directory=dataset.directory)
    encoder = _encoder(settings)
    started = time.perf_counter()
    ranker = UnitRanker.fit(
        dataset.texts,
        dataset.units,
        dataset.groups,
        encoder=encoder,
        directory=dataset.directory,
        seed=chosen.seed,
        progress=progress,
        recipe=chosen.recipe,
        order_ids=dataset.order_ids,
        districts=dataset.districts,
        streets=dataset.streets,
    )
    seconds = time.perf_counter() - started
    tests = replace(tests, vectors=encoder.encode(tests.texts, progress=progress))
    evaluation = evaluate(
        ranker,
        tests,
        as_of=at,
        progress=progress,
        train_seconds=seconds,
        rounds=chosen.bootstrap,
        seed=chosen.seed,
    )
    return Outcome(tests, evaluation)


def _encoder(settings: Settings) -> Encoder:
    return Encoder.load(settings.encoder_folder, threads=2)
