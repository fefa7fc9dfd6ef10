"""A mapping says which column is which field; what is wrong with it is said in Chinese, with the place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from intake.errors import ZhipaiError
from intake.mapping import DEFAULT_ZONE, FIELDS, Mapping, Source


def test_a_mapping_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        """
name: 试验
format: {encoding: gb18030, sheet: 工单, delimiter: "|"}
columns:
  text: {from: [标题, 内容], join: "。", remove: " "}
  order_id: 编号
  related: [关联一, 关联二]
extra: [联系电话]
keep_where: {状态: [归档, 办结]}
drop_where: {单位来电: 1}
empty: ["-"]
time_zone: Asia/Urumqi
time_formats: "%Y/%m/%d"
directory: {file: units.csv, name: 单位, district: 辖区}
labels: labels.yaml
""",
        encoding="utf-8",
    )
    (tmp_path / "labels.yaml").write_text("工商局: 市场监督管理局\n", encoding="utf-8")
    mapping = Mapping.from_file(path)
    assert mapping.columns == {
        "text": Source(("标题", "内容"), "。", " "),
        "order_id": Source(("编号",)),
        "related": Source(("关联一", "关联二")),
    }
    assert (mapping.encoding, mapping.sheet, mapping.delimiter) == ("gb18030", "工单", "|")
    assert mapping.keep_where == {"状态": ("归档", "办结")}
    assert mapping.drop_where == {"单位来电": ("1",)}
    assert mapping.needed == ("标题", "内容", "编号", "关联一", "关联二", "联系电话", "状态", "单位来电")
    assert (mapping.time_zone, mapping.time_formats, mapping.empty) == ("Asia/Urumqi", ("%Y/%m/%d",), ("-",))
    assert mapping.labels == {"工商局": "市场监督管理局"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "最外层"),
        (None, "最外层"),
        ({"columns": {}}, "text"),
        ({"colums": {"text": "内容"}}, "colums"),
        ({"columns": {"text": "内容", "department": "单位"}}, "department"),
        ({"columns": {"text": {"form": "内容"}}}, "form"),
        ({"columns": {"text": {"join": ","}}}, "from"),
        ({"columns": {"text": "内容"}, "format": {"codec": "x"}}, "codec"),
        ({"columns": {"text": "内容"}, "format": {"encoding": "klingon"}}, "klingon"),
        ({"columns": {"text": "内容"}, "time_zone": "Mars/Base"}, "Mars/Base"),
        ({"columns": {"text": "内容"}, "keep_where": ["状态"]}, "keep_where"),
        ({"columns": {"text": "内容"}, "labels": ["a"]}, "labels"),
        ({"columns": {"text": "内容"}, "outside": ["文昌"]}, "outside"),
        ({"columns": {"text": "内容"}, "directory": {"name": "单位"}}, "file"),
        ({"columns": {"text": "内容"}, "directory": {"file": "units.csv"}}, "name"),
    ],
)
def test_what_is_wrong_is_said(data: Any, said: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        Mapping.from_dict(data, where="m.yaml")
    assert caught.value.code == "E1301"
    assert said in caught.value.message
    assert "m.yaml" in caught.value.message


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: [", b""])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(content)
    with pytest.raises(ZhipaiError, match=r"E1301.*m\.yaml"):
        Mapping.from_file(path)


@pytest.mark.parametrize("key", ["labels", "outside"])
def test_a_missing_file_beside_the_mapping_is_named(tmp_path: Path, key: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"columns: {{text: 内容}}\n{key}: none.yaml\n", encoding="utf-8")
    with pytest.raises(ZhipaiError, match=r"none\.yaml"):
        Mapping.from_file(path)


def test_neighbours_stand_in_a_file_beside_the_mapping(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("columns: {text: 内容}\noutside: near.yaml\n", encoding="utf-8")
    (tmp_path / "near.yaml").write_text("outside: [{name: 文昌市, aliases: [文昌]}]\n", encoding="utf-8")
    mapping = Mapping.from_file(path)
    assert mapping.outside is not None
    assert mapping.outside.scene("文昌停电") == "文昌市"
    assert Mapping.from_dict({"columns": {"text": "内容"}}).outside is None


@pytest.mark.parametrize(
    ("columns", "text", "order_id"),
    [
        (["工单编号", "诉求内容", "受理时间"], "诉求内容", "工单编号"),
        (["序号", "*工单内容（必填）", "编号"], "*工单内容（必填）", "编号"),
        (["id", "text"], "text", "id"),
        (["ID", "Content"], "Content", "ID"),
        (["标题", "内容"], "内容", ""),
    ],
)
def test_common_column_names_are_recognised(columns: list[str], text: str, order_id: str) -> None:
    mapping = Mapping.guess(columns)
    assert mapping.columns["text"].columns == (text,)
    assert (mapping.columns["order_id"].columns[0] if "order_id" in mapping.columns else "") == order_id
    assert mapping.time_zone == DEFAULT_ZONE


def test_without_a_text_column_the_columns_are_listed() -> None:
    with pytest.raises(ZhipaiError, match=r"E1303.*甲、乙"):
        Mapping.guess(["甲", "乙"])


def test_the_table_beside_the_orders_becomes_a_directory(tmp_path: Path) -> None:
    (tmp_path / "units.csv").write_text(
        "单位,职能,辖区\n市公安局,公安局,市级\n临江区城管局,城市管理局,临江区\n", encoding="utf-8"
    )
    source = {"file": "units.csv", "name": "单位", "function": "职能", "district": "辖区"}
    mapping = Mapping.from_dict({"columns": {"text": "内容"}, "directory": source})
    directory = mapping.directory_for(tmp_path / "orders.csv")
    assert directory is not None
    assert {(unit.name, unit.function, unit.district, unit.level) for unit in directory.units} == {
        ("市公安局", "公安局", "市级", "市"),
        ("临江区城管局", "城市管理局", "临江区", "区"),
    }


def test_no_directory_is_none_and_a_missing_one_is_named(tmp_path: Path) -> None:
    assert Mapping.from_dict({"columns": {"text": "内容"}}).directory_for(tmp_path / "orders.csv") is None
    for file in ("units.csv", "units.yaml"):
        mapping = Mapping.from_dict({"columns": {"text": "内容"}, "directory": {"file": file, "name": "单位"}})
        with pytest.raises(ZhipaiError, match=file):
            mapping.directory_for(tmp_path / "orders.csv")


def test_a_missing_column_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "units.csv").write_text("名称\n市公安局\n", encoding="utf-8")
    mapping = Mapping.from_dict({"columns": {"text": "内容"}, "directory": {"file": "units.csv", "name": "单位"}})
    with pytest.raises(ZhipaiError, match=r"E1304.*单位.*名称"):
        mapping.directory_for(tmp_path / "orders.csv")


def test_every_mapping_that_comes_along_can_be_read(root: Path) -> None:
    mappings = (root / "datasets" / "mappings").glob("*.yaml")
    names = {path.stem: Mapping.from_file(path) for path in mappings if not path.stem.endswith("_outside")}
    assert {"haikou", "haikou_raw", "teddy", "teddy_raw", "beijing_letters", "pingshan", "city"} <= set(names)


def test_the_examples_of_the_handbook_are_mappings(root: Path) -> None:
    handbook = (root / "datasets" / "mappings" / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", handbook, re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        assert Mapping.from_dict(yaml.safe_load(example)).columns["text"]
    assert all(f"`{name}`" in handbook for name in FIELDS)
    assert all(f"`{path.name}`" in handbook for path in (root / "datasets" / "mappings").glob("*.yaml"))


def test_the_city_has_its_directory_beside_the_orders(root: Path) -> None:
    mapping = Mapping.from_file(root / "datasets" / "mappings" / "city.yaml")
    directory = mapping.directory_for(root / "datasets" / "city" / "orders.jsonl")
    assert directory is not None
    assert len(directory.units) >= 66
