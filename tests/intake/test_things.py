"""Orders, units, matters and errors: what they are and what they refuse."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import intake
from intake import errors
from intake.errors import CATALOGUE, ZhipaiError, register
from intake.order import MAX_TEXT, WorkOrder, check_order
from intake.taxonomy import read_matters
from intake.unit import FOUNDED, Unit, UnitDirectory, unit_from_dict

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def test_the_public_names_are_there() -> None:
    assert all(hasattr(intake, name) for name in intake.__all__)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (WorkOrder(text=""), "E1001"),
        (WorkOrder(text=" \n"), "E1001"),
        (WorkOrder(text="停" * (MAX_TEXT + 1)), "E1002"),
        (WorkOrder(text="😀😀😀"), "E1003"),
        (WorkOrder(text="12345！？"), "E1003"),
        (WorkOrder(text="停水", received_at=datetime(2026, 5, 1)), "E1004"),
    ],
)
def test_an_order_that_cannot_be_triaged_is_refused_with_its_place(order: WorkOrder, code: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_order(order, where="a.csv 第 2 行")
    assert caught.value.code == code
    assert caught.value.where.startswith("a.csv 第 2 行")
    assert (caught.value.status, caught.value.exit_code) == (422, 2)


def test_a_good_order_is_handed_back() -> None:
    order = WorkOrder(text="停" * MAX_TEXT, received_at=NOW)
    assert check_order(order) is order


def test_one_code_has_one_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "CATALOGUE", dict(CATALOGUE))
    register("E1999", "试", "“{x}”不对", status=400, exit_code=4)
    with pytest.raises(ValueError, match="E1999"):
        register("E1999", "试", "别的")
    error = ZhipaiError("E1999", {"x": 1}, where="甲")
    assert str(error) == "[E1999] “1”不对（甲）"
    assert (error.title, error.status, error.exit_code) == ("试", 400, 4)


@pytest.mark.parametrize("code", [code for code in CATALOGUE if code.startswith("E1")])
def test_every_message_says_what_to_do_in_chinese(code: str) -> None:
    title, message, _, _ = CATALOGUE[code]
    assert any("\u4e00" <= char <= "\u9fff" for char in title)
    assert message.rstrip().endswith(("。", "。{hint}", "{hint}"))


DIRECTORY = UnitDirectory.from_rows(
    [
        {"name": "市工商局", "effective_to": "2019-01-01", "successor": "市市场监督管理局"},
        {"name": "市市场监督管理局", "effective_from": "2019-01-01", "aliases": ["工商局"]},
        {"name": "临江区城管局", "function": "城市管理局", "district": "临江区", "level": "区", "parent": "市城管局"},
    ]
)


def test_units_are_in_force_by_the_day() -> None:
    assert {unit.name for unit in DIRECTORY.in_force(date(2018, 12, 31))} == {"市工商局", "临江区城管局"}
    assert {unit.name for unit in DIRECTORY.in_force(date(2019, 1, 1))} == {"市市场监督管理局", "临江区城管局"}


def test_an_ended_unit_is_followed_to_its_successor() -> None:
    successor = DIRECTORY.forward("市工商局", NOW)
    assert successor is not None
    assert successor.name == "市市场监督管理局"
    assert DIRECTORY.forward("没有的局", NOW) is None


@pytest.mark.parametrize(
    ("name", "day", "said"),
    [
        ("市工商局", NOW, "更名为“市市场监督管理局”"),
        ("市市场监督管理局", date(2018, 1, 1), "尚未成立"),
        ("没有的局", NOW, "请从单位名录中选择"),
    ],
)
def test_a_unit_not_in_force_is_refused_with_the_reason(name: str, day: datetime | date, said: str) -> None:
    with pytest.raises(ZhipaiError, match=said):
        DIRECTORY.require(name, day)


def test_a_unit_without_a_first_day_was_always_there() -> None:
    unit = unit_from_dict({"name": "市公安局"})
    assert unit.effective_from == FOUNDED
    assert unit.function == "市公安局"
    assert unit.in_force(date(1990, 1, 1))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "缺少名称"),
        ({"name": "甲", "level": "国"}, "层级"),
        ({"name": "甲", "effective_from": "去年"}, "日期"),
        ({"name": "甲", "effective_from": "2020-01-01", "effective_to": "2020-01-01"}, "失效日期"),
    ],
)
def test_a_broken_unit_is_named_by_its_row(row: dict[str, Any], said: str) -> None:
    with pytest.raises(ZhipaiError, match=rf"E1102.*第 7 个单位.*{said}"):
        unit_from_dict(row, number=7)


def test_the_directory_s_id_is_its_content() -> None:
    again = UnitDirectory(reversed(DIRECTORY.units))
    assert again.id == DIRECTORY.id
    assert UnitDirectory([*DIRECTORY.units, Unit("市公安局")]).id != DIRECTORY.id


@pytest.mark.parametrize("content", ["{}", "a: [", "\udcff"])
def test_an_unreadable_directory_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "units.yaml"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ZhipaiError, match=r"E1103.*units\.yaml"):
        UnitDirectory.from_file(path)


def test_the_city_s_matters_can_be_read(root: Path) -> None:
    matters = read_matters(root / "datasets" / "city" / "matters.yaml")
    assert len({matter.id for matter in matters}) == len(matters) >= 164
