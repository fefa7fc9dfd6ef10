"""Neighbouring 市县 named in a text: the scene of the matter, or only the end of a journey, a home, a shop's name."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy.stats import binomtest

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.order import WorkOrder
from intake.outside import Outside
from intake.prepare import prepare
from intake.readers import read_orders


@pytest.fixture(scope="module")
def hainan(root: Path) -> Outside:
    path = root / "datasets" / "mappings" / "haikou_outside.yaml"
    return Outside.from_data(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("在文昌市东阁镇有人占道经营", "文昌市"),
        ("位于澄迈县的一家工厂夜间排污", "澄迈县"),
        ("儋州的一处工地拖欠工资", "儋州市"),
        ("其在三亚旅游时被商家多收费", "三亚市"),
        ("乐东黄流镇停水三天", "乐东黎族自治县"),
        ("昌江县农村危房改造补贴如何申领", "昌江黎族自治县"),
        ("临高县交警路面拦车罚款不合理", "临高县"),
        ("陵水一住宅区的业主没有拿到房产证", "陵水黎族自治县"),
        ("东方市八所镇自来水浑浊", "东方市"),
        ("三亚城管乱罚款", "三亚市"),
        ("琼海的一家餐馆不给开发票", "琼海市"),
        ("文昌去年修的水渠塌了", "文昌市"),
        ("儋州到处是垃圾没人清", "儋州市"),
        # The end of a journey.
        ("从三亚到文昌的班车晚点", ""),
        ("其乘坐班车前往琼海，司机中途甩客", ""),
        ("高速往儋州方向堵车", ""),
        ("请问去三亚怎么坐车", ""),
        ("定安的客车几点有", ""),
        # Where somebody comes from, or what is registered there.
        ("其是万宁户口，孩子如何上学", ""),
        ("老家在屯昌，想问独生子女补贴", ""),
        ("其是澄迈人，在工地受伤", ""),
        ("其在定安县缴纳社保，如何转移", ""),
        # A name of something else.
        ("五指山路有人摆摊", ""),
        ("三亚学院的招生电话", ""),
        ("楼下的万宁大排档油烟扰民", ""),
        ("东方市场门口堵车", ""),
        ("文昌市民建议增设路灯", ""),
        ("开发商未按规定安装纱窗", ""),
        ("环保亭倒了", ""),
        # A place of the city is named too.
        ("儋州的朋友在海口美兰机场丢了行李", ""),
        ("其在澄迈县买的家具，店在龙华区", ""),
        ("路灯不亮", ""),
        ("", ""),
    ],
)
def test_the_scene_of_the_matter_is_told_from_a_name_in_passing(hainan: Outside, text: str, where: str) -> None:
    assert hainan.scene(text) == where


def test_a_name_in_passing_does_not_hide_a_later_scene(hainan: Outside) -> None:
    assert hainan.scene("其是三亚人，位于澄迈县的工地拖欠工资") == "澄迈县"


def test_without_neighbours_nothing_is_outside() -> None:
    assert Outside().scene("在文昌市有人占道经营") == ""
    assert Gazetteer.empty().outside == Outside()


@pytest.mark.parametrize(
    "data",
    [
        [],
        "文昌",
        {"outside": "文昌"},
        {"outside": ["文昌"]},
        {"outside": [{"aliases": ["文昌"]}]},
        {"outside": [{"name": "文昌市", "alias": ["文昌"]}]},
        {"outside": [{"name": "文昌市", "aliases": "文昌"}]},
        {"outside": [], "inside": "海口"},
    ],
)
def test_neighbours_that_are_written_wrongly_are_named(data: Any) -> None:
    with pytest.raises(ZhipaiError, match="E1202"):
        Outside.from_data(data)


def test_content_tells_lists_apart_and_they_travel_between_processes(hainan: Outside) -> None:
    assert hainan.id != Outside().id
    sent = pickle.loads(pickle.dumps(hainan))
    assert (sent, sent.id, sent.scene("文昌停电")) == (hainan, hainan.id, "文昌市")


def test_the_gazetteer_of_the_city_names_its_neighbours(root: Path) -> None:
    gazetteer = Gazetteer.from_file(root / "datasets" / "city" / "gazetteer.yaml")

    def outside(text: str) -> str:
        return prepare(WorkOrder(text=text), gazetteer).elements.outside

    assert outside("霁川的一家工厂夜里排污") == outside("在霁川市被商家多收费") == "霁川市"
    assert outside("望津路和霁川路口红绿灯坏了") == ""
    assert outside("住在听潮路，霁川市的商家不退款") == ""
    assert outside("苇塘县的亲戚到云汀看病") == ""


def test_a_gazetteer_says_when_neighbours_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "places.yaml"
    path.write_text("districts: [{name: 临江区}]\noutside: [霁川]\n", encoding="utf-8")
    with pytest.raises(ZhipaiError, match="E1202"):
        Gazetteer.from_file(path)


def test_other_neighbours_leave_the_gazetteer_as_it_was(hainan: Outside) -> None:
    gazetteer = Gazetteer.empty()
    assert gazetteer.with_outside(hainan).outside is hainan
    assert gazetteer.outside == Outside()


def test_real_orders_that_were_left_to_other_counties(
    hainan: Outside, shared_data: Path, root: Path, record_property: Callable[[str, object], None]
) -> None:
    """Precision and recall on the half of the groups of repeated orders on which nothing was chosen.

    The truth is the unit 除海口外的市县.
    """
    mapping = Mapping.from_file(root / "datasets" / "mappings" / "haikou.yaml")
    assert mapping.outside == hainan
    gazetteer = Gazetteer.empty().with_outside(hainan)
    right = wrong = missed = 0
    for row in read_orders(shared_data / "haikou_12345_orders" / "orders.csv", mapping):
        if row.order is None or int(hashlib.sha256(row.order.group.encode()).hexdigest(), 16) % 2 == 0:
            continue
        said = bool(prepare(row.order, gazetteer).elements.outside)
        true = row.order.unit == "除海口外的市县"
        right, wrong, missed = right + (said and true), wrong + (said and not true), missed + (true and not said)
    for name, count, least in (("precision", right + wrong, 0.7), ("recall", right + missed, 0.5)):
        low, high = binomtest(right, count).proportion_ci(method="wilson")
        record_property(name, f"{right}/{count} = {right / count:.1%}, 95% {low:.1%}-{high:.1%}")
        assert right / count >= least
