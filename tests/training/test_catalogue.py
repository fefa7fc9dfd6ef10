"""What the catalogue reads from MLflow's tables is what MlflowClient says; the numbers of the charts are those of the plots."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pytest

from training.catalogue import catalogue
from training.champion import MODEL
from training.figures import at_coverage, reliability
from training.metrics import Answers, coverage_at, ece
from training.registry import Registry


def test_the_catalogue_says_what_mlflow_says(tmp_path: Path, saved: Path) -> None:
    assert catalogue(tmp_path / "nowhere") == []
    registry = Registry(tmp_path / "store")
    files = tmp_path / "files"
    files.mkdir()
    (files / "data_card.json").write_text("{}", encoding="utf-8")
    for number, top1 in enumerate((0.5, 0.75)):
        registry.register(
            saved,
            params={"seed": number},
            metrics={"top1": top1, "top1_low": 0.25},
            tags={"source": f"来源{number}"},
            card="# 卡片",
            files=files,
        )
    registry.promote("2")
    registry.promote("1", alias="challenger")
    uri = f"sqlite:///{registry.store / 'mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    found = catalogue(registry.store)
    assert [one.version for one in found] == registry.list()
    for one in found:
        theirs = client.get_model_version(MODEL, one.number)
        run = client.get_run(theirs.run_id)
        assert (one.metrics, one.params) == (run.data.metrics, run.data.params)
        assert (one.card, one.source) == (theirs.description, theirs.tags["source"])
        assert int(one.made_at.timestamp() * 1000) == theirs.creation_timestamp
        assert one.kept == registry.evidence(one.version) and (one.kept / "data_card.json").is_file()


def test_a_version_without_its_last_tag_is_not_listed(tmp_path: Path, saved: Path) -> None:
    registry = Registry(tmp_path / "store")
    registry.register(saved, params={}, metrics={}, tags={})
    uri = f"sqlite:///{registry.store / 'mlflow.db'}"
    mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri).delete_model_version_tag(MODEL, "1", "zhipai.path")
    assert catalogue(registry.store) == []


@pytest.fixture
def answers() -> Answers:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(size=300)
    right = rng.uniform(size=300) < confidence
    truth = rng.integers(0, 4, 300)
    return Answers(
        truth=truth,
        first=np.where(right, truth, (truth + 1) % 4),
        place=np.where(right, 0, 3),
        confidence=confidence,
        covered=right,
        set_size=np.ones(300, int),
        abstained=np.zeros(300, bool),
        group=np.arange(300),
        units=("甲", "乙", "丙", "丁"),
    )


def test_the_bins_give_the_calibration_error(answers: Answers) -> None:
    bins = reliability(answers)
    assert sum(one["n"] for one in bins) == 300
    error = sum(one["n"] * abs(one["confidence"] - one["accuracy"]) for one in bins) / 300
    assert error == pytest.approx(ece(answers))


def test_the_curve_gives_the_coverage(answers: Answers) -> None:
    shares, right = at_coverage(answers)
    assert shares[-1] == 1 and right[-1] == pytest.approx(answers.right.mean())
    enough = shares[right >= 0.9]
    assert (enough[-1] if len(enough) else 0.0) == coverage_at(answers, 0.9)
