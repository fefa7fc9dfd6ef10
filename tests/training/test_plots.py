from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.ranking import RankedUnit, Ranking
from training.metrics import Answers
from training.plots import chinese_font, confusions, draw, draw_curves


@pytest.fixture(scope="module")
def answers() -> Answers:
    rng = np.random.default_rng(0)
    truth = rng.choice(["市供水集团", "市公交集团", "市教育局"], 300).tolist()
    first = [unit if rng.random() < 0.7 else "市教育局" for unit in truth]
    rankings = [Ranking((RankedUnit(unit, float(rng.random()), ()),), False, "", (unit,)) for unit in first]
    return Answers.of(rankings, truth, [""] * 300)


def test_without_a_chinese_font_units_are_numbers_with_a_table(answers: Answers, tmp_path: Path) -> None:
    made = draw(tmp_path, answers, font="")
    legend = next(path for path in made if path.suffix == ".txt").read_text(encoding="utf-8")
    assert "1\t市" in legend and "→ 市教育局" in legend
    assert {path.name for path in made} >= {"reliability.svg", "accuracy_at_coverage.svg", "confusion.svg"}


def test_with_a_font_the_names_are_drawn_and_need_none_to_be_seen(answers: Answers, tmp_path: Path) -> None:
    if not chinese_font():
        pytest.skip("这台机器没有中文字体")
    made = draw(tmp_path, answers)
    assert all(path.suffix == ".svg" for path in made)
    assert "<text" not in (tmp_path / "confusion.svg").read_text(encoding="utf-8"), "outlines, not text"


def test_equal_answers_give_equal_bytes(answers: Answers, tmp_path: Path) -> None:
    first, second = (draw(tmp_path / name, answers, font="") for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_learning_curve_is_drawn(tmp_path: Path) -> None:
    points = [(500.0, 0.5, 0.45, 0.55), (2000.0, 0.6, 0.57, 0.63)]
    path = draw_curves(tmp_path / "curve.svg", {"随机": points, "建议": points}, font="")
    assert path.read_text(encoding="utf-8").count("<svg") == 1


def test_confusions_are_the_commonest_wrong_pairs(answers: Answers) -> None:
    rows = confusions(answers)
    assert {row["first"] for row in rows} == {"市教育局"} and rows[0]["orders"] >= rows[-1]["orders"]
    assert sum(row["orders"] for row in rows) == int((~answers.right).sum())
