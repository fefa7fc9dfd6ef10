"""A registered run holds what a later reader asks for, and the next training is measured on the same orders."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from zhipai_tests_ranking import AS_OF, quick

from models.recipe import Recipe
from training.compare import compare
from training.config import TrainConfig
from training.dataset import TrainingSet
from training.frozen import KeyedAnswers, latest, row_keys
from training.publish import ANSWERS, FROZEN, publish
from training.registry import Registry
from training.train import train

CONFIG = TrainConfig(bootstrap=100, recipe=Recipe(neighbours=10))


def test_two_trainings_share_their_frozen_test_and_can_be_compared(dataset: TrainingSet, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "store")
    common = {"encoder": quick(), "directory": dataset.directory, "config": CONFIG, "as_of": AS_OF}
    # The second training has fewer orders, in another order.
    smaller = dataset.take([*range(len(dataset) - 1, 3, -1)])
    versions = []
    for data in (dataset, smaller):
        frozen = latest(registry.store, data, source="云汀")
        trained = train(data, **common, held=frozen.held(data) if frozen else None)
        versions.append(publish(registry, trained, at=AS_OF, source="云汀"))
    folders = [registry.evidence(version) for version in versions]
    answers = [KeyedAnswers.load(folder / ANSWERS) for folder in folders]
    common_keys = set(row_keys(smaller)) & set(answers[0].keys)
    assert set(answers[1].keys) == common_keys and len(common_keys) >= 0.9 * len(answers[0].keys)
    assert compare(*answers).n == len(common_keys)
    first = folders[0]
    kept = json.loads((first / FROZEN).read_text(encoding="utf-8"))
    assert kept["id"].startswith("frozen-") and set(answers[0].keys) <= set(kept["keys"])
    assert "停水" not in (first / FROZEN).read_text(encoding="utf-8")
    card = json.loads((first / "data_card.json").read_text(encoding="utf-8"))
    assert card["kept"] == len(dataset) and card["hash"].startswith("data-")
    assert json.loads((folders[1] / "data_card.json").read_text(encoding="utf-8"))["hash"] != card["hash"]
    assert json.loads((first / "environment.json").read_text(encoding="utf-8"))["python"]
    assert {path.name for path in (first / "plots").glob("*.svg")} >= {"reliability.svg", "confusion.svg"}
    recipe = tmp_path / "again.yaml"
    run = yaml.safe_load((first / "run.yaml").read_text(encoding="utf-8"))
    recipe.write_text(yaml.safe_dump(run["config"]), encoding="utf-8")
    assert TrainConfig.from_file(recipe) == CONFIG
