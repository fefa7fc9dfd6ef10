"""What is offered while somebody types."""

from __future__ import annotations

from datetime import datetime

import pytest

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeIndex
from knowledge_base.suggest import suggest


def ids(index: KnowledgeIndex, text: str, as_of: datetime, **filters: object) -> list[str]:
    return [entry.id for entry in suggest(index, text, as_of=as_of, **filters)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("住房公积", "a2"),
        ("购", "a1"),
        ("取出来", "a1"),
        ("啥时候交", "a3"),
        ("用公积金贷款", "a2"),
        ("居民醫保", "a3"),
    ],
)
def test_typed_text_offers_an_entry(index: KnowledgeIndex, as_of: datetime, text: str, first: str) -> None:
    assert ids(index, text, as_of)[0] == first


def test_titles_that_begin_so_come_first_and_nothing_comes_twice(index: KnowledgeIndex, as_of: datetime) -> None:
    found = ids(index, "住房公积金", as_of)
    assert found[:2] == ["a2", "a1"]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("text", ["", " ", "\u200b", "犬只", "烟花", "x" * 9000])
def test_nothing_is_offered_for_nothing_or_what_is_not_in_force(
    index: KnowledgeIndex, as_of: datetime, text: str
) -> None:
    assert not {"c1", "c2", "c3"} & set(ids(index, text, as_of))


def test_filters_hold(index: KnowledgeIndex, as_of: datetime) -> None:
    assert ids(index, "优待证", as_of, district="槐安区") == ["b2"]
    assert ids(index, "优待证", as_of, unit="临江区民政局") == ["b1"]
    assert len(ids(index, "优待证", as_of, top=1)) == 1


def test_instant_without_a_zone_is_refused(index: KnowledgeIndex) -> None:
    with pytest.raises(ZhipaiError) as caught:
        suggest(index, "公积金", as_of=datetime(2026, 5, 1))
    assert caught.value.code == "E1004"
