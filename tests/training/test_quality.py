from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from zhipai_tests_ranking import AS_OF, City, quick

from intake.errors import ZhipaiError
from models.progress import silent
from models.recipe import Recipe
from training import quality
from training.config import TrainConfig
from training.dataset import Counts, TrainingSet
from training.quality import MEASUREMENTS, Measurement, Place, cached, chosen, run, worst_with_reasons
from training.report import EARLIER, END, START, page


def place(tmp_path: Path) -> Place:
    config = TrainConfig(bootstrap=100, recipe=Recipe(neighbours=5))
    return Place(tmp_path / "data", tmp_path / "cache", quick(), AS_OF, config)


def orders(tmp_path: Path, history: City, count: int = 120) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    rows = [f"{i},{text},{unit}" for i, (text, unit) in enumerate(zip(history.texts, history.units, strict=True))]
    (tmp_path / "data" / "letters.csv").write_text(
        "id,来信内容,答复单位\n" + "\n".join(rows[:count]) + "\n", encoding="utf-8"
    )


@pytest.fixture
def measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measurement:
    monkeypatch.setattr(quality, "MAPPINGS", tmp_path)
    mapping = "columns: {text: 来信内容, order_id: id, unit: 答复单位}\n"
    (tmp_path / "letters.yaml").write_text(mapping, encoding="utf-8")
    found = quality.BY_NAME["letters"]
    return replace(found, file="letters.csv", mapping="letters.yaml")


def test_a_measurement_is_kept_until_the_data_change(
    tmp_path: Path, history: City, measurement: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def count(dataset: TrainingSet, where: Place, progress: object) -> dict:
        calls.append(len(dataset))
        return {"n": len(dataset)}

    counted = replace(measurement, run=count)
    orders(tmp_path, history)
    first = run(counted, place(tmp_path), progress=silent)
    assert first is not None and run(counted, place(tmp_path), progress=silent) == first and len(calls) == 1
    orders(tmp_path, history, 100)
    again = run(counted, place(tmp_path), progress=silent)
    assert again is not None and again["key"] != first["key"] and len(calls) == 2
    assert calls[0] < 120, "the largest unit is left out"
    assert cached(counted, tmp_path / "cache") == again


def test_the_page_shows_figures_with_n_and_interval_and_says_what_is_absent(
    tmp_path: Path, history: City, measurement: Measurement
) -> None:
    orders(tmp_path, history, 200)
    found = run(measurement, place(tmp_path), progress=silent)
    assert found is not None
    json.dumps(found)
    text = page(f"前言\n{START}\n旧的\n{END}\n后记\n", {"letters": found})
    assert text.startswith("前言\n") and text.endswith("\n后记\n") and "旧的" not in text
    folds = found["result"]["folds"]
    assert f"按重复组分 5 折（每折测试 {'、'.join(str(fold['n']) for fold in folds)} 条）" in text
    top1 = found["result"]["text"]["top1"]
    assert f"| 前 1 命中 | {top1['mean']:.3f}（{top1['low']:.3f}–{top1['high']:.3f}） |" in text
    absent = [one for one in MEASUREMENTS if one.name != "letters"]
    assert text.count("未测：") == len(absent)
    assert page(text, {"letters": found}) == text
    assert page(text, {"letters": found}, encoder=str(found["encoder"])) == text
    assert page(text, {"letters": found}, encoder="encoder-other").count(EARLIER) == 1


def test_absent_data_are_not_measured(tmp_path: Path, measurement: Measurement) -> None:
    assert run(measurement, place(tmp_path), progress=silent) is None
    assert cached(measurement, tmp_path / "cache") is None


def test_a_page_without_its_marks_and_an_unknown_name_are_refused() -> None:
    for call, code in ((lambda: page("空", {}), "E5111"), (lambda: chosen(["nothing"]), "E5110")):
        with pytest.raises(ZhipaiError) as error:
            call()
        assert error.value.code == code
    assert chosen([]) == MEASUREMENTS


def test_the_worst_units_come_with_what_the_numbers_say(history: City) -> None:
    units = ["甲"] * 25 + ["乙"] * 40
    groups = ["g1", "g1", *(f"own-{i}" for i in range(23)), "g1", *(f"b-{i}" for i in range(39))]
    count = len(units)
    dataset = TrainingSet(
        texts=("x",) * count,
        units=tuple(units),
        groups=tuple(groups),
        order_ids=tuple(map(str, range(count))),
        districts=("",) * count,
        streets=("",) * count,
        received_at=(None,) * count,
        directory=history.directory,
        counts=Counts(),
    )
    found = worst_with_reasons(
        dataset,
        {
            "甲": {"n": 25, "recall": 0.2, "mistaken_for": {"乙": 18, "丙": 2}},
            "乙": {"n": 40, "recall": 0.9, "mistaken_for": {"甲": 1, "丙": 1, "丁": 1}},
            "丙": {"n": 3, "recall": 0.0, "mistaken_for": {}},
        },
    )
    assert [row["unit"] for row in found] == ["甲", "乙"], "three orders say nothing"
    assert "历史只有 25 条" in found[0]["reason"] and "多与“乙”混（20 条排错的里 18 条）" in found[0]["reason"]
    assert "2 条的同组工单派给了别的单位" in found[0]["reason"]
