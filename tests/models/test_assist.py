"""Assisting units are proposed only where a part of the text is plainly another unit's."""

from __future__ import annotations

import pytest

from intake.unit import Unit
from models.assist import MOST, propose_assist, split_matters
from models.ranking import RankedUnit, Ranking

UNITS = {
    unit.name: unit
    for unit in (
        Unit("市公交集团", function="公交集团"),
        Unit("市城市管理局", function="城市管理局"),
        Unit("东湖区城市管理局", function="城市管理局", district="东湖区", level="区"),
        Unit("市教育局", function="教育局"),
    )
}


def ranking(*units: tuple[str, float], abstained: bool = False) -> Ranking:
    return Ranking(tuple(RankedUnit(name, p, ()) for name, p in units), abstained, "", ())


BUS, LIGHT = ranking(("市公交集团", 0.9)), ranking(("市城市管理局", 0.8), ("市公交集团", 0.05))


def roles(found: list) -> list[tuple[str, str]]:
    return [(one["unit"], one["role"]) for one in found]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("退卡只能去总店，来回一个半钟头。另外投诉一下窗口中午不上班没有人", 2),
        ("书院东街站的盲道铺到广告牌上。另反映路灯坏了一个月没有人修", 2),
        ("我一个手把着方向盘，另外一个手在挡位上，图上看得清清楚楚", 1),
        ("公交司机甩站不停。另外很生气", 1),
        ("只有一件事，路灯坏了", 1),
        ("", 1),
        ("反映：1、路灯坏了一个月没有人修；2、垃圾堆了三天没有人清；3、井盖丢了两个很危险", 4),
    ],
)
def test_a_text_is_parted_where_another_matter_begins(text: str, parts: int) -> None:
    found = split_matters(text)
    assert len(found) <= parts
    assert (len(found) > 1) == (parts > 1)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")


def test_no_more_parts_than_are_ranked() -> None:
    text = "反映。" + "".join(f"{n}、这里是第{n}件很长的事情。" for n in "123456789")
    assert len(split_matters(text)) == MOST


def test_a_second_matter_names_who_assists() -> None:
    whole = ranking(("市公交集团", 0.6), ("市城市管理局", 0.3))
    found = propose_assist(whole, [BUS, LIGHT], unit_of=UNITS.get)
    assert roles(found) == [("市公交集团", "lead"), ("市城市管理局", "assist")]
    assert "第 2 部分" in found[1]["reason"]


@pytest.mark.parametrize(
    "second",
    [
        ranking(("市城市管理局", 0.5)),
        ranking(("市城市管理局", 0.9), abstained=True),
        ranking(("市公交集团", 0.9)),
        ranking(("没有的单位", 0.9)),
        ranking(),
    ],
)
def test_what_is_not_sure_or_not_another_unit_is_left_out(second: Ranking) -> None:
    assert propose_assist(BUS, [BUS, second], unit_of=UNITS.get) == []


def test_one_matter_told_twice_is_one_matter() -> None:
    torn = ranking(("市公交集团", 0.5), ("市城市管理局", 0.45))
    assert propose_assist(BUS, [torn, LIGHT], unit_of=UNITS.get) == []


def test_two_levels_of_one_function_share_a_matter() -> None:
    whole = ranking(("市城市管理局", 0.5), ("东湖区城市管理局", 0.4), ("市教育局", 0.1))
    found = propose_assist(whole, [], unit_of=UNITS.get)
    assert roles(found) == [("市城市管理局", "lead"), ("东湖区城市管理局", "assist")]
    clear = ranking(("市城市管理局", 0.8), ("东湖区城市管理局", 0.1))
    assert propose_assist(clear, [], unit_of=UNITS.get) == []


def test_nobody_to_lead_means_nobody_to_assist() -> None:
    assert propose_assist(ranking(), [BUS, LIGHT], unit_of=UNITS.get) == []
