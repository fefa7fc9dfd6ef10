"""Personal data is masked, look-alikes are not, and masking twice changes nothing more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.pii import find_pii, mask_pii

_MARK = re.compile(r"\{(\w+):([^{}]+)\}")


@dataclass(frozen=True)
class Case:
    """An invented text and the spans of personal data in it."""

    about: str
    text: str
    spans: tuple[tuple[str, int, int], ...]


def _case(row: dict[str, str]) -> Case:
    """``我叫{name:王小明}`` marks 王小明 as a name."""
    text, spans, start = "", [], 0
    for mark in _MARK.finditer(row["marked"]):
        text += row["marked"][start : mark.start()]
        spans.append((mark[1], len(text), len(text) + len(mark[2])))
        text += mark[2]
        start = mark.end()
    return Case(row["about"], text + row["marked"][start:], tuple(spans))


_PATH = Path(__file__).parent / "data" / "pii_cases.jsonl"
CASES = [_case(json.loads(line)) for line in _PATH.read_text(encoding="utf-8").splitlines()]


def test_there_are_enough_cases_and_hard_negatives_among_them() -> None:
    assert len(CASES) >= 200
    assert sum(not case.spans for case in CASES) >= 80


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.about}-{case.text[:12]}")
def test_personal_data_is_found_and_nothing_else(case: Case) -> None:
    found = find_pii(case.text)
    covered = {index for span in found for index in range(span.start, span.end)}
    for kind, start, end in case.spans:
        assert covered.issuperset(index for index in range(start, end) if case.text[index] not in " -"), kind
    wanted = {index for _, start, end in case.spans for index in range(start, end)}
    assert all(wanted.intersection(range(span.start, span.end)) for span in found)


def test_figures_of_the_decision_record(record_property: Callable[[str, object], None]) -> None:
    """The own side of docs/decisions/0001-pii-masking.md: recall and precision by kind, over all cases."""
    hits = misses = false = 0
    for case in CASES:
        found = find_pii(case.text)
        covered = {index for span in found for index in range(span.start, span.end)}
        for _, start, end in case.spans:
            hit = covered.issuperset(index for index in range(start, end) if case.text[index] not in " -")
            hits, misses = hits + hit, misses + (not hit)
        wanted = {index for _, start, end in case.spans for index in range(start, end)}
        false += sum(not wanted.intersection(range(span.start, span.end)) for span in found)
    recall, precision = hits / (hits + misses), hits / (hits + false)
    record_property("recall", recall)
    record_property("precision", precision)
    assert recall >= 0.99
    assert precision >= 0.99


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("张先生电话13800138000", "某先生电话<手机号>"),
        ("单位电话0571-88880000", "单位电话<电话号码>"),
        ("我叫王小明，住3栋2单元501室", "我叫某某，住3栋2单元***室"),
        ("车牌京A12345", "车牌京A****"),
        ("粤B·D12345", "粤B·****"),
        ("身份证110101190101011233", "身份证<身份证号>"),
        ("卡号6222020000000000018", "卡号<长号码>"),
        ("邮箱a@example.com，微信abc_12345", "邮箱<邮箱>，微信<账号>"),
        ("王小明先生和李芳女士", "某先生和某女士"),
        ("联系人：王小明、李芳和张伟。王小明说", "联系人：某某、某某和某某。某某说"),
        ("電話１３８００１３８０００，我叫陳大文", "電話<手机号>，我叫某某"),
    ],
)
def test_placeholders_are_those_of_the_public_data(text: str, masked: str) -> None:
    assert mask_pii(text).text == masked


def test_spans_point_into_the_original_text() -> None:
    text = "我叫王小明，电话138-0013-8000"
    spans = mask_pii(text).spans
    assert [(span.kind, text[span.start : span.end]) for span in spans] == [
        ("name", "王小明"),
        ("phone", "138-0013-8000"),
    ]


@pytest.mark.parametrize(
    "number", ["110", "119", "120", "122", "12345", "12315", "12328", "12333", "10086", "95588", "96799"]
)
def test_hotlines_are_no_personal_data(number: str) -> None:
    text = f"我打了{number}，{number}说不归他们管，又让我拨打{number}"
    assert mask_pii(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "联系电话<手机号>，身份证<身份证号>",
        "琼A****堵路",
        "某先生与某某协商",
        "3栋***室",
        "<邮箱><账号><长号码>",
        "民警<姓名>到场",
    ],
)
def test_placeholders_already_there_stay(text: str) -> None:
    assert mask_pii(text).text == text


_PIECES = [
    "13800138000", "0571-88880000", "110101190101011233", "6222020000000000018", "京A12345", "a@b.com", "微信", "abc_12345",
    "我叫", "王小明", "张", "先生", "书记", "某", "某某", "业主", "姓名：", "联系人", "电话", "：", "，", "、", " ", "-", "和", "董事长",
    "3栋2单元501室", "1-2-301", "<手机号>", "***", "****", "工单号", "20180102134642", "1", "38", "李", "感谢", "谢", "转", "QQ", "号",
]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
@settings(max_examples=1500, deadline=None)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = mask_pii(text).text
    assert mask_pii(once).text == once


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=60))
@settings(deadline=None)
def test_masking_is_total(text: str) -> None:
    masked = mask_pii(text)
    assert mask_pii(masked.text).text == masked.text


@pytest.mark.parametrize(
    "text", ["1" * 50_000, "a." * 20_000 + "@", "1-" * 20_000, "姓名：" * 10_000, "13800138000 " * 4000, "京A" * 20_000]
)
def test_no_text_makes_the_patterns_run_away(text: str) -> None:
    mask_pii(text)
