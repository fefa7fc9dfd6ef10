"""Our stripping against the supplied cleaned column of 8,875 real orders, and the report's own arithmetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from intake.hint_report import compare_hints
from intake.hints import strip_dispatch_hint
from intake.mapping import Mapping
from intake.order import WorkOrder
from intake.readers import Row, read_orders


def _row(number: int, record: str, cleaned: str) -> Row:
    return Row(number, f"第 {number} 行", {"去提示文本": cleaned}, WorkOrder(text=record, order_id=str(number)), None)


def test_shares_and_leaks_are_counted() -> None:
    report = compare_hints(
        [
            _row(2, "路灯不亮，请区城管局核实处理！", "路灯不亮"),
            _row(3, "市民来电反映：停水，请水务局核实处理", "停水，请水务局核实处理"),
            _row(4, "停电", "停电。"),
        ]
    )
    assert report["rows"] == 3
    assert report["changed"] == pytest.approx(2 / 3)
    assert report["exact"] == pytest.approx(2 / 3)
    assert (report["leaks"], report["reference_leaks"]) == (0, 1)
    assert report["furthest"] == ["3"]


def test_rows_without_an_order_or_the_column_are_left_out() -> None:
    assert compare_hints([Row(2, "", {}, WorkOrder(text="停电"), None), Row(3, "", {}, None, None)])["rows"] == 0


def test_on_real_orders_it_is_nearly_the_same_and_leaks_less(shared_data: Path, root: Path) -> None:
    mapping = replace(Mapping.from_file(root / "datasets" / "mappings" / "haikou_raw.yaml"), drop_where={})
    report = compare_hints(read_orders(shared_data / "haikou_12345_orders" / "orders.csv", mapping))
    assert report["rows"] == 8875
    assert report["exact"] >= 0.82
    assert report["similarity"] >= 0.965
    assert report["leaks"] <= 40 < report["reference_leaks"]
    assert report["replies"] <= 10 < report["reference_replies"]


@pytest.mark.parametrize(
    ("folder", "file", "mapping"),
    [("beijing_letters", "letters.csv", "beijing_letters"), ("teddy2020_smartgov", "a2_labelled.csv", "teddy_raw")],
)
def test_letters_that_citizens_wrote_themselves_are_left_alone(
    shared_data: Path, root: Path, folder: str, file: str, mapping: str
) -> None:
    rows = list(
        read_orders(shared_data / folder / file, Mapping.from_file(root / "datasets" / "mappings" / f"{mapping}.yaml"))
    )
    touched = [row for row in rows if row.order and strip_dispatch_hint(row.order.text).removed]
    assert len(touched) <= len(rows) * 0.005
