"""A place is found by the longest name; what is ambiguous narrows and never guesses."""

from __future__ import annotations

from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from intake.gazetteer import Gazetteer, Place

CITY = """
city: 试验市
districts:
  - name: 临江区
    streets:
      - name: 望津街道
        communities: [津渡社区, 听潮社区]
        roads: [望津大道, 听潮路]
        estates: [潮声花园]
        landmarks: [白鹭区人民医院临江分院]
      - name: 石磴街道
        communities: [石磴社区, 双桥社区]
        roads: [石磴路]
  - name: 白鹭区
    streets:
      - name: 鹭洲镇
        communities: [双桥社区, 石榴村]
        roads: [同名路]
      - name: 苇塘镇
        roads: [同名路]
"""


@pytest.fixture(scope="module")
def gazetteer(tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    path = tmp_path_factory.mktemp("city") / "gazetteer.yaml"
    path.write_text(CITY, encoding="utf-8")
    return Gazetteer.from_file(path)


@pytest.mark.parametrize(
    ("text", "district", "street", "community", "mention"),
    [
        ("听潮路路灯不亮", "临江区", "望津街道", "", "听潮路"),
        ("住潮声花园3栋", "临江区", "望津街道", "", "潮声花园"),
        ("津渡社区活动室", "临江区", "望津街道", "津渡社区", "津渡社区"),
        ("津渡那边停水", "临江区", "望津街道", "津渡社区", "津渡"),
        ("临江区有人占道", "临江区", "", "", "临江区"),
        ("临江这边停水", "临江区", "", "", "临江"),
        ("鹭洲镇石榴村修路", "白鹭区", "鹭洲镇", "石榴村", "石榴村"),
        # the longest name wins over the district in it
        ("白鹭区人民医院临江分院停车难", "临江区", "望津街道", "", "白鹭区人民医院临江分院"),
        # the most exact wins over the first
        ("白鹭区的人住到了听潮路", "临江区", "望津街道", "", "听潮路"),
        # a name in two streets of one district tells the district only
        ("同名路积水", "白鹭区", "", "", "同名路"),
        # street and community of one short form agree on the street
        ("石磴一带停电", "临江区", "石磴街道", "", "石磴"),
    ],
)
def test_names_resolve(
    gazetteer: Gazetteer, text: str, district: str, street: str, community: str, mention: str
) -> None:
    place = gazetteer.resolve(text)
    assert (place.district, place.street, place.community, place.mention) == (district, street, community, mention)
    assert text[place.start : place.end] == mention


@pytest.mark.parametrize("text", ["双桥社区停水", "双桥停水", "临江大道堵车", "临江花园漏水"])
def test_what_could_lie_in_two_districts_or_elsewhere_resolves_to_none(gazetteer: Gazetteer, text: str) -> None:
    assert gazetteer.resolve(text).district == ""


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("我住在幸福路188号，楼下噪音", "幸福路188号"),
        ("反映阳光小区停水", "阳光小区"),
        ("位于东风村的工厂排污", "东风村"),
        ("医保怎么报销", ""),
        ("广场舞扰民", ""),
        ("", ""),
    ],
)
def test_without_a_gazetteer_places_are_found_by_their_form(text: str, mention: str) -> None:
    place = Gazetteer.empty().resolve(text)
    assert place.mention == mention
    assert place.district == ""
    assert text[place.start : place.end] == mention


def test_no_place_is_an_empty_place(gazetteer: Gazetteer) -> None:
    assert gazetteer.resolve("医保怎么报销") == Place()


@pytest.mark.parametrize(
    "content", ["", "[]", "districts: [{streets: []}]", "districts: 3", "a: [", "districts: [临江区]"]
)
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "places.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        Gazetteer.from_file(path)
    assert caught.value.code == "E1201"
    assert "places.yaml" in caught.value.message


def test_the_city_that_comes_along_resolves_every_name_of_its_own(root: Path) -> None:
    import yaml

    path = root / "datasets" / "city" / "gazetteer.yaml"
    gazetteer = Gazetteer.from_file(path)
    for district in yaml.safe_load(path.read_text(encoding="utf-8"))["districts"]:
        assert gazetteer.resolve(f"{district['name']}停水").district == district["name"]
        for street in district["streets"]:
            for kind in ("communities", "roads", "estates", "landmarks"):
                for name in street.get(kind) or ():
                    place = gazetteer.resolve(f"在{name}停水")
                    assert (place.district, place.street, place.mention) == (district["name"], street["name"], name)
