"""Elements are found in what people write, and what is missing is named in Chinese."""

from __future__ import annotations

import json
from typing import Any

import pytest

from intake.elements import ELEMENT_NAMES, Elements, extract_elements
from intake.gazetteer import Gazetteer
from intake.order import WorkOrder

NOWHERE = Gazetteer.empty()


def _elements(text: str, **fields: Any) -> Elements:
    return extract_elements(WorkOrder(text=text, **fields), NOWHERE)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("每晚十点后施工", "每晚十点后"),
        ("昨天下午停水", "昨天下午"),
        ("2018年1月2日交房", "2018年1月2日"),
        ("2018-01-02停水", "2018-01-02"),
        ("1月2日上午停车", "1月2日上午"),
        ("凌晨2点到4点打桩", "凌晨2点到4点"),
        ("晚上10点至次日6点施工", "晚上10点至次日6点"),
        ("上个月交的钱", "上个月"),
        ("去年装的电梯", "去年"),
        ("近三个月没有供暖", "近三个月"),
        ("周末有培训班", "周末"),
        ("最近一直堵", "最近"),
    ],
)
def test_times_are_found_as_written(text: str, time: str) -> None:
    assert _elements(text).time == (time,)


@pytest.mark.parametrize("text", ["路灯不亮", "中班早班招聘", "建筑面积120平方米", "12345没人接"])
def test_no_time_is_no_time(text: str) -> None:
    assert _elements(text).time == ()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("路灯不亮，希望尽快维修。", "希望尽快维修"),
        ("房东不退押金，要求退还押金，谢谢", "要求退还押金，谢谢"),
        ("建议增设公交站点", "建议增设公交站点"),
        ("什么时候能办房产证？", "什么时候能办房产证？"),
        ("市民来电咨询：社保卡挂失的问题。", "社保卡挂失的问题"),
        ("请帮我查一下医保", "请帮我查一下医保"),
        ("工地噪音，故来电投诉", "来电投诉"),
    ],
)
def test_the_request_is_found(text: str, asked: str) -> None:
    assert _elements(text).request == asked


def test_a_dispatch_hint_is_no_request() -> None:
    assert _elements("路灯不亮，请区城管局核实处理！").request == ""


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("投诉幸福物业乱收费", "幸福物业"),
        ("阳光小区电梯坏了", "阳光小区电梯"),
        ("在某某驾校报名后不退费", "某某驾校"),
        ("楼上邻居半夜唱歌", "楼上邻居"),
        ("天气真好", ""),
    ],
)
def test_the_target_is_found(text: str, target: str) -> None:
    assert _elements(text).target == target


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("电话13800138000", "phone"),
        ("联系电话<手机号>", "phone"),
        ("单位电话0571-88880000", "phone"),
        ("邮箱a@example.com", "email"),
        ("微信abc_12345", "account"),
        ("打12345没人接", ""),
    ],
)
def test_contact_is_a_kind_and_never_a_number(text: str, kind: str) -> None:
    contact = _elements(text).contact
    assert (contact.present, contact.kind) == (bool(kind), kind)


def test_a_contact_field_counts() -> None:
    assert _elements("路灯不亮", extra={"联系电话": "13800138000"}).contact.kind == "field"


def test_what_is_missing_is_named_in_order() -> None:
    assert _elements("天气真好").missing == ELEMENT_NAMES == ("时间", "地点", "对象", "诉求", "联系方式")
    whole = _elements("昨天下午幸福路188号饭店排油烟，希望查处，电话13800138000")
    assert whole.missing == ()


def test_the_district_as_filed_wins() -> None:
    place = _elements("幸福路停水", district="白鹭区", street="鹭洲镇").place
    assert (place.district, place.street, place.mention) == ("白鹭区", "鹭洲镇", "幸福路")
    assert "地点" not in _elements("停水", district="白鹭区").missing


def test_no_personal_data_gets_into_the_elements() -> None:
    row = json.dumps(
        _elements("投诉房东张伟公司，我叫王小明，电话13800138000，要求王小明退款").as_dict(), ensure_ascii=False
    )
    assert "13800138000" not in row
    assert "王小明" not in row


def test_as_dict_is_json_ready() -> None:
    row = _elements("昨天幸福路停水").as_dict()
    assert json.loads(json.dumps(row)) == row
    assert set(row) == {"time", "place", "target", "request", "contact", "missing", "outside"}
