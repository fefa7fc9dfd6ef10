from __future__ import annotations

from pathlib import Path

import pytest
from zhipai_tests_ranking import city_directory

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer, Place
from intake.mapping import Mapping
from intake.readers import read_orders
from intake.unit import UnitDirectory
from training.dataset import TrainingSet, training_set

HEADER = "编号,内容,区,组,单位\n"
MAPPING = Mapping.from_dict(
    {"columns": {"text": "内容", "order_id": "编号", "district": "区", "group": "组", "unit": "单位"}}
)
GAZETTEER = Gazetteer([("湖滨路", Place("东湖区", "湖滨街道"))])


def read(tmp_path: Path, rows: str, *, directory: UnitDirectory | None = None) -> TrainingSet:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return training_set(read_orders(path, MAPPING), gazetteer=GAZETTEER, directory=directory)


def test_rows_go_through_the_preparation_that_serving_uses(tmp_path: Path) -> None:
    """The dispatch hint and the telephone number never reach the model."""
    found = read(
        tmp_path,
        "A1,湖滨路停水，联系13800138000，请市供水集团核实处理。,,,市供水集团\nA2,公交甩站,西山区,,市公交集团\n",
    )
    assert "13800138000" not in found.texts[0] and "请市供水集团核实处理" not in found.texts[0]
    assert found.texts[0].startswith("湖滨路停水")


def test_district_and_street_are_as_filed_else_from_the_text(tmp_path: Path) -> None:
    found = read(tmp_path, "A1,湖滨路停水,西山区,,市供水集团\nA2,湖滨路公交甩站,,,市公交集团\nA3,水压低,,,市供水集团\n")
    assert found.districts == ("西山区", "东湖区", "")
    assert found.streets == ("", "湖滨街道", "")


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    rows = (
        "A1,停水两天,,,市供水集团\n"
        "A2,公交甩站,,,市公交集团\n"
        "A3,,,,市公交集团\n"
        "A4,路灯坏了,,,\n"
        "A5,路灯坏了,,,没有这个局\n"
        "A6,路灯又坏了,,,没有这个局\n"
    )
    found = read(tmp_path, rows, directory=city_directory())
    counts = found.counts
    assert (counts.read, counts.errors, counts.without_unit, counts.unknown_unit, counts.kept) == (6, 1, 1, 2, 2)
    assert found.unknown_units == {"没有这个局": 2}
    assert found.single_units == ("市供水集团", "市公交集团")
    assert found.order_ids == ("A1", "A2")


def test_orders_without_a_group_join_those_of_the_same_text(tmp_path: Path) -> None:
    rows = "A1,停水,,g1,甲\nA2,停水,,,甲\nA3,公交甩站,,,乙\nA4,公交甩站,,,乙\nA5,路灯坏了,,,乙\n"
    groups = read(tmp_path, rows).groups
    assert groups[0] == groups[1] == "g1"
    assert groups[2] == groups[3] != groups[4]
    assert all(groups)


def test_without_a_directory_the_units_make_one(tmp_path: Path) -> None:
    found = read(tmp_path, "A1,停水,,,甲\nA2,公交甩站,,,乙\n")
    assert {unit.name for unit in found.directory.units} == {"甲", "乙"}


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        ("A1,停水,,,\n", "E5001", "1 行没有承办单位"),
        ("A1,,,,市供水集团\n", "E5001", "1 行有错误"),
        ("A1,停水,,,没有这个局\n", "E5001", "1 行的单位不在名录"),
        ("A1,停水,,,市供水集团\nA2,又停水,,,市供水集团\n", "E5002", "市供水集团"),
    ],
)
def test_a_file_that_cannot_train_is_refused_with_the_reason(tmp_path: Path, rows: str, code: str, words: str) -> None:
    with pytest.raises(ZhipaiError) as error:
        read(tmp_path, rows, directory=city_directory())
    assert error.value.code == code and words in error.value.message


def test_taking_rows_takes_every_column(tmp_path: Path) -> None:
    found = read(tmp_path, "A1,停水,甲区,,甲\nA2,公交甩站,乙区,,乙\nA3,路灯坏了,丙区,,乙\n").take([2, 0])
    assert found.order_ids == ("A3", "A1") and found.districts == ("丙区", "甲区") and found.units == ("乙", "甲")
    assert len(found) == len(found.received_at) == len(found.streets) == 2


def test_of_too_many_orders_the_newest_are_kept_in_the_order_of_the_file(tmp_path: Path) -> None:
    days = ["2026-01-05", "2026-01-02", "2026-01-04", "2026-01-01", "2026-01-03"]
    (tmp_path / "orders.csv").write_text(
        "编号,内容,单位,时间\n"
        + "".join(
            f"A{i},第{i}处路灯不亮,{'市公交集团' if i == 2 else '市供水集团'},{day}\n" for i, day in enumerate(days)
        )
        + "B,,市公交集团,2026-01-09\n",
        encoding="utf-8",
    )
    mapping = {"text": "内容", "order_id": "编号", "unit": "单位", "received_at": "时间"}
    rows = read_orders(tmp_path / "orders.csv", Mapping.from_dict({"columns": mapping, "time_zone": "Asia/Shanghai"}))
    found = training_set(rows, gazetteer=Gazetteer.empty(), directory=None, most=3)
    assert found.order_ids == ("A0", "A2", "A4")
    assert (found.counts.read, found.counts.kept, found.counts.older, found.counts.errors) == (6, 3, 2, 1)


def test_without_times_the_last_rows_count_as_the_newest(tmp_path: Path) -> None:
    text = "".join(f"A{i},第{i}处路灯不亮,,,{'市公交集团' if i % 2 else '市供水集团'}\n" for i in range(6))
    (tmp_path / "orders.csv").write_text(HEADER + text, encoding="utf-8")
    found = training_set(
        read_orders(tmp_path / "orders.csv", MAPPING), gazetteer=Gazetteer.empty(), directory=None, most=2
    )
    assert (found.order_ids, found.counts.older) == (("A4", "A5"), 4)
