"""Elements and words in a text: whatever the text, the segments are the text, and what was found is marked."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.pages.highlight import KINDS, missing, segments

PLACE = {"district": "", "street": "", "community": "", "mention": ""}


def elements(**found: Any) -> dict[str, Any]:
    return {"time": [], "place": PLACE, "target": "", "request": "", "missing": []} | found


def test_each_element_is_marked_where_it_stands() -> None:
    text = "临江区烧烤店每晚油烟大，电话<手机号>，希望有人管"
    found = segments(
        text,
        elements(time=["每晚"], place={**PLACE, "mention": "临江区"}, target="临江区烧烤店", request="希望有人管"),
        ["油烟", "烧烤店"],
    )
    assert [(one.text, one.kind, one.word) for one in found] == [
        ("临江区", "place", False), ("烧烤店", "target", True), ("每晚", "time", False), ("油烟", "", True),
        ("大，电话", "", False), ("<手机号>", "mask", False), ("，", "", False), ("希望有人管", "request", False),
    ]  # fmt: skip


texts = st.text(st.sampled_from("临江区晚上油烟<>手机号&\n 😀a"), max_size=40)


@given(texts, texts, st.lists(texts, max_size=3), texts, texts)
@settings(max_examples=300, deadline=None)
def test_segments_put_together_are_the_text(text: str, target: str, time: list[str], request: str, word: str) -> None:
    found = segments(text, elements(target=target, time=time, request=request), [word])
    assert "".join(one.text for one in found) == text
    assert all(one.kind in ("", *KINDS) and one.text for one in found)


def test_what_is_missing_says_what_to_ask() -> None:
    told = missing(elements(missing=["时间", "联系方式"]))
    assert [name for name, _ in told] == ["时间", "联系方式"] and all(ask for _, ask in told)
