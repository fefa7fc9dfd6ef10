"""Any string can be cleaned; cleaning twice changes nothing; simplified text is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.clean import clean_text, to_simplified

#: Hypothesis leaves lone surrogates out unless told otherwise.
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("路灯\x00不亮", "路灯不亮"),
        ("路灯\ud83d不亮", "路灯不亮"),
        ("1\u200b3\u200d8", "138"),
        ("\ufeff路灯\u00a0不亮\u3000", "路灯 不亮"),
        ("１３８００１３８０００，ＡＢ", "13800138000，AB"),
        ("ａ＠ｂ．ｃｏｍ", "a@b.com"),
        ("面积１２０㎡（约）！", "面积120m2（约）！"),
        ("“你好”：《规定》……——、·～", "“你好”：《规定》……——、·～"),
        ("一行\r\n\r\n  二行\x0b三行\u2028四行", "一行\n二行\n三行\n四行"),
        ("多  个\t空格 ", "多 个 空格"),
        ("⼈⼯", "人工"),
        ("😀😀", "😀😀"),
        ("", ""),
        ("\x00\x01\ud800", ""),
    ],
)
def test_what_hides_or_varies_is_made_plain(dirty: str, clean: str) -> None:
    assert clean_text(dirty) == clean


@given(ANY_TEXT)
@settings(deadline=None)
def test_cleaning_is_total_and_idempotent(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    once.encode("utf-8")


@pytest.mark.parametrize("piece", ["路灯不亮", " ", "\n", "\x00", "😀", "１", "學"])
def test_fifty_thousand_characters_are_cleaned_in_one_go(piece: str) -> None:
    assert len(clean_text(piece * (50_000 // len(piece)))) <= 50_000


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [
        ("學校門口攤販佔道經營", "学校门口摊贩占道经营"),
        ("乾隆年間的乾淨", "乾隆年间的干净"),
        ("瞭解情況", "了解情况"),
    ],
)
def test_traditional_text_becomes_simplified(traditional: str, simplified: str) -> None:
    assert to_simplified(traditional) == simplified


def test_simplified_text_is_handed_back_as_it_is() -> None:
    text = "答复市民：一目了然，著名干部在周末后边藉口离开"[:15]
    assert to_simplified(text) is text


@given(ANY_TEXT)
@settings(deadline=None)
def test_conversion_is_total(text: str) -> None:
    to_simplified(text)
