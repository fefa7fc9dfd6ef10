"""One order, one way: cleaned, masked, stripped, read; nothing personal comes out anywhere."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.gazetteer import Gazetteer
from intake.mapping import Mapping
from intake.order import MAX_TEXT, WorkOrder
from intake.prepare import prepare
from intake.readers import read_orders

NOWHERE = Gazetteer.empty()


def _prepare(text: str, **fields: object):  # type: ignore[no-untyped-def]
    return prepare(WorkOrder(text=text, **fields), NOWHERE)  # type: ignore[arg-type]


def test_an_order_walks_through() -> None:
    prepared = _prepare(
        "市民来电反映：我叫王小明，電話１３８００１３８０００，住听潮路3栋501室，楼下饭店每晚十点后噪音扰民，"
        "希望尽快处理，请区城管局核实处理！（请职能局按规定在30分钟内联系市民，响应处置）",
        title="关于听潮路饭店噪音的问题",
        extra={"联系电话": "13800138000"},
    )
    assert prepared.text == (
        "关于听潮路饭店噪音的问题。我叫某某，电话<手机号>，住听潮路3栋***室，楼下饭店每晚十点后噪音扰民，希望尽快处理"
    )
    assert prepared.order.text.startswith("市民来电反映：我叫某某，電話<手机号>，住听潮路3栋***室")
    assert prepared.order.extra == {"联系电话": "<手机号>"}
    assert prepared.masked_paths == (
        "text[9:12]:name", "text[15:26]:phone", "text[33:36]:door", "extra/联系电话[0:11]:phone",
    )  # fmt: skip
    assert prepared.removed_hints == (
        "市民来电反映：",
        "请区城管局核实处理！（请职能局按规定在30分钟内联系市民，响应处置）",
    )
    assert prepared.elements.time == ("每晚十点后",)
    assert prepared.elements.contact.present
    assert prepared.elements.missing == ()


@pytest.mark.parametrize(
    "secret", ["王小明", "13800138000", "110101190101011233", "京A12345", "wx_test_2024", "a@example.com"]
)
def test_nothing_personal_comes_out(secret: str) -> None:
    text = (
        "我叫王小明，电话13800138000，身份证110101190101011233，车牌京A12345，微信wx_test_2024，邮箱a@example.com，"
        "请区城管局联系王小明核实处理！"
    )
    prepared = _prepare(text, title=f"王小明先生反映{text}", extra={"备注": text})
    assert secret not in str(asdict(prepared))


@pytest.mark.parametrize(
    ("title", "text", "whole"),
    [
        ("路灯不亮", "听潮路路灯不亮三天了", "听潮路路灯不亮三天了"),
        ("听潮路", "路灯不亮", "听潮路。路灯不亮"),
        ("", "路灯不亮", "路灯不亮"),
        ("路灯不亮，请区城管局核实处理！", "三天了", "路灯不亮。三天了"),
    ],
)
def test_a_title_is_prepended_when_it_adds_something(title: str, text: str, whole: str) -> None:
    assert _prepare(text, title=title).text == whole


def test_an_order_that_is_all_hint_keeps_its_words() -> None:
    assert _prepare("请区城管局核实处理").text == "请区城管局核实处理"


def test_model_input_is_one_line() -> None:
    assert _prepare("一行\n二行\r\n\r\n三行").text == "一行 二行 三行"


def test_fields_as_filed_are_kept() -> None:
    order = prepare(WorkOrder(text="停水", order_id="7", district="临江区", unit="市水务局", group="g1"), NOWHERE).order
    assert (order.order_id, order.district, order.unit, order.group) == ("7", "临江区", "市水务局", "g1")


@pytest.mark.parametrize(
    "text", ["😀😀😀", "\x00\x00", "\ud83d", "x" * 50_000, "路灯不亮。" * (MAX_TEXT // 5), "學" * MAX_TEXT]
)
def test_odd_texts_come_through(text: str) -> None:
    prepared = _prepare(text)
    prepared.text.encode("utf-8")
    prepared.order.text.encode("utf-8")


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=80), st.text(max_size=20))
@settings(deadline=None)
def test_preparing_is_total_and_what_is_stored_is_stable(text: str, title: str) -> None:
    once = prepare(WorkOrder(text=text, title=title), NOWHERE)
    again = prepare(once.order, NOWHERE)
    assert again.order == once.order
    assert again.masked_paths == ()
    assert again.text == once.text


def test_real_orders_cleaned_by_us_or_by_others_come_out_alike(shared_data: Path, root: Path) -> None:
    """The model may be trained on either column: the input that it gets differs in few orders."""
    orders = shared_data / "haikou_12345_orders" / "orders.csv"
    raw, cleaned = (
        [
            row.order
            for row in read_orders(orders, Mapping.from_file(root / "datasets" / "mappings" / name))
            if row.order
        ]
        for name in ("haikou_raw.yaml", "haikou.yaml")
    )
    assert len(raw) == len(cleaned) == 7901
    plain = str.maketrans("", "", "，。！？；：、（）“” !?,.:;()\n")
    same = sum(
        prepare(ours, NOWHERE).text.translate(plain) == prepare(theirs, NOWHERE).text.translate(plain)
        for ours, theirs in zip(raw[::5], cleaned[::5], strict=True)
    )
    assert same >= 0.85 * len(raw[::5])


def test_no_mobile_number_survives_in_real_letters(shared_data: Path) -> None:
    with (shared_data / "teddy2020_smartgov" / "a3_hot.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["留言详情"] for row in csv.DictReader(file)][:1000]
    assert not any(
        "text" in path
        for text in texts
        for path in prepare(prepare(WorkOrder(text=text), NOWHERE).order, NOWHERE).masked_paths
    )
