"""What the data card of the bundled city promises."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
import yaml

from intake.gazetteer import Gazetteer
from intake.unit import UnitDirectory
from knowledge_base import read_entries


@pytest.fixture(scope="module")
def city(root: Path) -> Path:
    return root / "datasets" / "city"


@pytest.fixture(scope="module")
def orders(city: Path) -> list[dict]:
    return [json.loads(line) for line in (city / "orders.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def directory(city: Path) -> UnitDirectory:
    return UnitDirectory.from_file(city / "units.yaml")


def test_city_is_as_large_as_promised(city: Path, orders: list[dict], directory: UnitDirectory) -> None:
    assert len(orders) >= 4000
    assert len({order["matter"] for order in orders}) >= 150
    assert len([unit for unit in directory.units if unit.duties]) >= 60
    assert len(read_entries(city / "knowledge.jsonl")) >= 300


def test_orders_do_not_repeat_one_another(orders: list[dict]) -> None:
    """At most 2% of the orders share a run of 20 characters with another."""
    first_seen: dict[str, int] = {}
    sharing: set[int] = set()
    for number, order in enumerate(orders):
        text = order["text"]
        for start in range(len(text) - 19):
            other = first_seen.setdefault(text[start : start + 20], number)
            if other != number:
                sharing |= {number, other}
    assert len(sharing) <= 0.02 * len(orders)


def test_every_label_is_a_unit_in_force(orders: list[dict], directory: UnitDirectory) -> None:
    names = {unit.name for unit in directory.in_force(date(2026, 11, 1))}
    assert {order["unit"] for order in orders} <= names


def test_every_order_has_a_matter_of_the_taxonomy(city: Path, orders: list[dict]) -> None:
    matters = {row["id"] for row in yaml.safe_load((city / "matters.yaml").read_text(encoding="utf-8"))}
    assert {order["matter"] for order in orders} <= matters
    fewest = min(Counter(order["matter"] for order in orders).values())
    assert fewest >= 5


def test_place_in_the_text_agrees_with_the_district(city: Path, orders: list[dict]) -> None:
    """Where the gazetteer resolves a district in the text and the order has one, they nearly always agree."""
    gazetteer = Gazetteer.from_file(city / "gazetteer.yaml")
    both = [(gazetteer.resolve(order["text"]).district, order["district"]) for order in orders if order["district"]]
    resolved = [(found, filed) for found, filed in both if found]
    assert len(resolved) > 0.5 * len(both)
    assert sum(found == filed for found, filed in resolved) / len(resolved) > 0.97


def test_units_that_ended_have_a_successor_in_force(directory: UnitDirectory) -> None:
    ended = [unit for unit in directory.units if unit.effective_to]
    assert len(ended) >= 3
    for unit in ended:
        assert directory.forward(unit.name, date(2026, 11, 1)) is not None, unit.name


def test_entries_belong_to_units_and_some_are_expired(city: Path, directory: UnitDirectory) -> None:
    entries = read_entries(city / "knowledge.jsonl")
    names = {unit.name for unit in directory.in_force(date(2026, 11, 1))}
    assert {entry.unit for entry in entries} <= names
    assert any(entry.effective_to and entry.effective_to <= date(2026, 11, 1) for entry in entries)


def test_orders_hold_no_phone_or_identity_numbers(orders: list[dict]) -> None:
    import re

    for order in orders:
        assert not re.search(r"1[3-9]\d{9}|\d{17}[\dXx]", order["text"]), order["id"]
