"""Several files in one training: an order counts once, later files correct its unit; and the curve is kept and shown."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from intake.errors import ZhipaiError
from intake.mapping import Mapping
from intake.unit import Unit, UnitDirectory
from models.progress import silent
from models.recipe import Recipe
from service.cli.main import app
from service.model_desk import learning_curve_of
from service.pages.model_charts import curve
from service.settings import Settings
from service.training import CITY_MAPPING, train_and_register
from service.training_sources import read_training_set
from training.catalogue import catalogue
from training.config import TrainConfig
from training.publish import CURVE

AT = datetime.fromisoformat("2026-05-06T09:30:00+08:00")
PLAIN = {"text": "text", "order_id": "id", "unit": "unit"}
FIRST = Mapping.from_dict({"name": "历史", "columns": PLAIN | {"group": "g"}, "extra": ["kind"]})
LABELS = Mapping.from_dict({"name": "标签", "columns": PLAIN})


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    history = [
        {"id": "1", "text": "路灯坏了", "unit": "甲局", "g": "g1", "kind": ""},
        {"id": "2", "text": "停水两天", "unit": "乙局", "g": "g2", "kind": ""},
        {"id": "3", "text": "噪音太大", "unit": "", "g": "", "kind": ""},
    ]
    labels = [
        {"id": "1", "text": "路灯坏了。", "unit": "丙局"},
        {"id": "2", "text": "停水两天", "unit": ""},
        {"id": "3", "text": "噪音太大", "unit": "甲局"},
        {"id": "9", "text": "公交不来", "unit": "乙局"},
    ]
    return write(tmp_path / "a.jsonl", history), write(tmp_path / "b.jsonl", labels)


def test_an_order_counts_once_with_the_unit_of_the_last_file(installed: Settings, files: tuple[Path, Path]) -> None:
    first, second = files
    found = read_training_set(installed, first, FIRST, more=[(second, LABELS)])
    assert list(zip(found.order_ids, found.units, found.texts, strict=True)) == [
        ("1", "丙局", "路灯坏了"), ("2", "乙局", "停水两天"), ("3", "甲局", "噪音太大"), ("9", "乙局", "公交不来"),
    ]  # fmt: skip
    assert found.groups[:2] == ("g1", "g2"), "重复组是第一份的"
    counts = found.counts
    assert (counts.read, counts.kept, counts.errors, counts.without_unit) == (7, 4, 0, 0)


def test_a_directory_given_by_hand_goes_before_the_one_beside(installed: Settings, files: tuple[Path, Path]) -> None:
    directory = UnitDirectory([Unit("甲局"), Unit("乙局")])
    found = read_training_set(installed, files[0], FIRST, more=[(files[1], LABELS)], directory=directory)
    assert set(found.units) == {"甲局", "乙局"} and found.unknown_units == {"丙局": 1}


def test_what_the_command_refuses(files: tuple[Path, Path], tmp_path: Path) -> None:
    mapping = tmp_path / "m.yaml"
    mapping.write_text("columns: {text: text, unit: unit}\n", encoding="utf-8")
    orders = [part for path in (*files, files[0]) for part in ("--orders", str(path))]
    for arguments, code in (
        ([], "E7708"),
        (["--mapping", str(mapping)], "E7708"),
        (orders, "E7707"),
        ([*orders, "--mapping", str(mapping), "--mapping", str(mapping)], "E7707"),
    ):
        with pytest.raises(ZhipaiError, match=code):
            CliRunner().invoke(app, ["train", *arguments], catch_exceptions=False)


def test_a_curve_is_kept_with_the_version_and_drawn(installed: Settings, tmp_path: Path) -> None:
    """Trained on part of the bundled corpus, in a store of its own."""
    lines = (installed.city / "orders.jsonl").read_text(encoding="utf-8").splitlines()[::15]
    orders = tmp_path / "orders.jsonl"
    orders.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = installed.model_copy(update={"mlruns": tmp_path / "mlruns"})
    directory = UnitDirectory.from_file(installed.city / "units.yaml")
    outcome = train_and_register(
        config,
        orders,
        Mapping.from_file(CITY_MAPPING),
        at=AT,
        promote=False,
        progress=silent,
        config=TrainConfig(bootstrap=100, recipe=Recipe(folds=2)),
        directory=directory,
        with_curve=True,
    )
    assert outcome.version == "1"
    (one,) = catalogue(config.mlruns)
    kept = json.loads((one.kept / CURVE).read_text(encoding="utf-8"))
    assert kept["points"][0]["labels"] == 100 and kept["pool"] + kept["test"] == outcome.dataset.counts.kept
    assert (one.kept / "plots" / "learning_curve.svg").read_text(encoding="utf-8").count("<svg") == 1
    found, own = learning_curve_of(config, one)
    assert found == kept and own
    drawn = curve(kept)["options"]["series"]
    assert [len(series["data"]) for series in drawn] == [len(kept["points"])] * 2
