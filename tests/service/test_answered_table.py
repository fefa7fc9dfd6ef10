"""A table with our columns beside the user's own: whole or absent, one set of our columns, failures in their place."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from intake.readers import Row
from models.progress import silent
from service.answered_table import Counts, write_answered

OURS = ("单位", "错误")


@dataclass(frozen=True)
class Told:
    unit: str
    abstained: bool = False


def rows() -> list[Row]:
    raws = [{"诉求": text, "单位": "旧的"} for text in ("甲", "乙", "丙")]
    return [Row(number=i, place=f"第 {i} 行", raw=raw, order=None, error=None) for i, raw in enumerate(raws, start=2)]


def write(out: Path, answered) -> Counts:
    return write_answered(
        out,
        answered,
        theirs=("诉求", "单位"),
        ours=OURS,
        cells=lambda told: [told.unit, ""],
        progress=silent,
        step="试",
        every=2,
    )


def test_a_row_without_an_answer_keeps_its_place_and_our_columns_stand_once(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    answers = [Told("某局"), ZhipaiError("E1001"), Told("某局", abstained=True)]
    assert write(out, zip(rows(), answers, strict=True)) == Counts(rows=3, done=2, abstained=1, failed=1)
    with out.open(encoding="utf-8-sig", newline="") as file:
        header, first, second, _ = csv.reader(file)
    assert header == ["诉求", "单位", "错误"] and first == ["甲", "某局", ""]
    assert second[:2] == ["乙", ""] and "E1001" in second[2]


def test_nothing_stands_there_when_it_breaks_off(tmp_path: Path) -> None:
    def broken():
        yield rows()[0], Told("某局")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write(tmp_path / "out.csv", broken())
    assert list(tmp_path.iterdir()) == []
