"""What an entry is, and what is said about one that is not."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeEntry, entry_from_dict, entry_to_dict

ROW = {
    "id": "K001",
    "title": "居民医保缴费",
    "questions": ["医保啥时候交"],
    "answer": "每年九月至十二月。",
    "unit": "市医疗保障局",
    "matter": "M066",
    "district": "",
    "effective_from": "2024-01-01",
    "effective_to": "2026-05-01",
    "clause": "",
    "source": "示范数据",
}


def test_entry_keeps_what_was_written() -> None:
    entry = entry_from_dict(ROW)
    assert entry.questions == ("医保啥时候交",)
    assert entry.effective_to == date(2026, 5, 1)
    assert entry_to_dict(entry) == ROW | {"state": "发布"}
    assert entry_from_dict(entry_to_dict(entry)) == entry


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"title": None}, "E4003", ["标题", "title"]),
        ({"title": " \u200b "}, "E4003", ["标题"]),
        ({"id": ""}, "E4003", ["编号"]),
        ({"answer": ""}, "E4003", ["答复"]),
        ({"unit": None}, "E4003", ["维护单位"]),
        ({"title": "题" * 129}, "E4004", ["129", "128"]),
        ({"title": 12}, "E4005", ["title", "数字"]),
        ({"questions": "医保啥时候交"}, "E4005", ["questions", "列表"]),
        ({"questions": [1]}, "E4005", ["questions"]),
        ({"questions": 3}, "E4005", ["questions", "数字"]),
        ({"effective_from": "2024年1月1日"}, "E4006", ["effective_from", "2026-01-31"]),
        ({"effective_to": 20260501}, "E4006", ["effective_to"]),
        ({"effective_to": "2024-01-01"}, "E4007", ["2024-01-01"]),
        ({"effective_to": "2023-12-31"}, "E4007", ["2023-12-31"]),
        ({"state": "上线"}, "E4008", ["上线", "草稿"]),
        ({"effective_form": "2024-01-01"}, "E4002", ["effective_form", "effective_from"]),
    ],
)
def test_bad_row_is_refused_with_its_place(change: dict, code: str, words: list[str]) -> None:
    with pytest.raises(ZhipaiError) as caught:
        entry_from_dict(ROW | change, number=7)
    assert caught.value.code == code
    assert "第 7 条" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("row", [None, "text", ["K001"], 3])
def test_row_that_is_no_object_is_refused(row: object) -> None:
    with pytest.raises(ZhipaiError) as caught:
        entry_from_dict(row, number=1)
    assert caught.value.code == "E4001"


def test_title_of_128_characters_is_allowed() -> None:
    assert len(entry_from_dict(ROW | {"title": "题" * 128}).title) == 128


def test_markup_is_kept_as_text() -> None:
    body = "<script>alert(1)</script>凭身份证办理。"
    assert entry_from_dict(ROW | {"answer": body}).answer == body


@pytest.mark.parametrize(
    ("day", "holds"),
    [
        (date(2023, 12, 31), False),
        (date(2024, 1, 1), True),
        (date(2026, 4, 30), True),
        (date(2026, 5, 1), False),
    ],
)
def test_last_day_in_force_is_the_day_before_the_end(day: date, holds: bool) -> None:
    entry = entry_from_dict(ROW)
    assert entry.in_force(day) is holds
    late = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=timezone(timedelta(hours=8)))
    assert entry.in_force(late) is holds


@pytest.mark.parametrize("state", ["草稿", "审核", "待审", "失效", "归档"])
def test_entry_that_is_not_published_is_not_in_force(state: str) -> None:
    assert not entry_from_dict(ROW | {"state": state}).in_force(date(2025, 1, 1))


def test_entry_without_dates_is_always_in_force() -> None:
    entry = entry_from_dict({key: ROW[key] for key in ("id", "title", "answer", "unit")})
    assert entry.in_force(date(1949, 10, 1))
    assert entry.in_force(date(9999, 12, 31))


@pytest.mark.parametrize("change", [{"answer": "每年十月。"}, {"district": "临江区"}, {"effective_to": None}])
def test_content_hash_changes_with_any_field(change: dict) -> None:
    before = entry_from_dict(ROW).content_hash
    assert len(before) == 64
    assert entry_from_dict(ROW).content_hash == before
    assert entry_from_dict(ROW | change).content_hash != before


def test_content_hash_is_stable_between_versions() -> None:
    """Saved indexes and the database are keyed by it: a change here makes every entry look new."""
    entry = KnowledgeEntry("K1", "标题", ("问",), "答", "单位", effective_from=date(2024, 1, 1))
    assert entry.content_hash == "ed06217747b0ae542eb85fc1783e69b2ed2cab593466efc2eda7494401b35727"
