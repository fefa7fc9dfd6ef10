"""The fact dictionary: names, types, and the one rounding that all evaluators share."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import pytest

from intake.errors import ZhipaiError
from rules.fact_dictionary import Fact, FactDictionary, durable_hash, fact_dictionary
from rules.vocabulary import GATES, KINDS


def dictionary(*facts: Fact) -> FactDictionary:
    return FactDictionary({fact.name: fact for fact in facts})


SCORE = Fact("score", "float", "得分", "ranking")


def test_hash_is_the_one_that_durable_uses():
    """FNV-1a, 32 bits: the published test vectors."""
    assert durable_hash("") == 0x811C9DC5
    assert durable_hash("a") == 0xE40C292C
    assert durable_hash("foobar") == 0xBF9CF968


def test_two_names_with_one_hash_are_refused(monkeypatch):
    monkeypatch.setattr("rules.fact_dictionary.durable_hash", lambda name: len(name))
    with pytest.raises(ZhipaiError, match="散列相同"):
        dictionary(Fact("abcdef", "bool", "甲", "person"), Fact("ghijkl", "bool", "乙", "person"))


def test_the_dictionary_of_the_house_has_no_collision_and_describes_every_fact():
    facts = fact_dictionary()
    assert len({durable_hash(fact.name) for fact in facts}) == len(facts)
    for fact in facts:
        assert fact.description
        assert set(fact.gates) <= set(GATES)
        if fact.source == "person" and "未认定为否" not in fact.description and "为否" not in fact.description:
            assert fact.ask, f"{fact.name}: what should a person verify?"
    assert facts.get("kind").values == KINDS


@pytest.mark.parametrize("name", ["", "Upper", "9lives", "with-dash", "汉字", "k", "id", "sid", "x" * 65])
def test_bad_names_are_refused(name):
    with pytest.raises(ZhipaiError) as caught:
        dictionary(Fact(name, "bool", "说明", "person"))
    assert caught.value.code == "E3301"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (0.12345, 0.1235),
        (1e-05, 0.0),
        (-1e-05, 0.0),
        (0.0001, 0.0001),
        (3, 3.0),
        (999999999999999.0, 999999999999999.0),
    ],
)
def test_floats_are_rounded_to_four_decimals(value, kept):
    checked = dictionary(SCORE).check({"score": value})["score"]
    assert checked == kept
    assert type(checked) is float
    assert math.copysign(1.0, checked) == 1.0 or checked < 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e15, 1e16, "0.5", True])
def test_floats_that_json_or_durable_cannot_carry_are_refused(value):
    with pytest.raises(ZhipaiError) as caught:
        dictionary(SCORE).check({"score": value})
    assert caught.value.code == "E3203"


def test_none_is_missing_and_order_is_by_name():
    facts = fact_dictionary().check({"related_count": 2, "kind": None, "emergency_hit": False})
    assert list(facts) == ["emergency_hit", "related_count"]


def test_near_names_are_suggested():
    with pytest.raises(ZhipaiError, match="emergency_hit"):
        fact_dictionary().check({"emergency_hits": True})


@pytest.mark.parametrize(
    "value",
    [
        "2026-05-06T09:30:00+08:00",
        "2026-05-06T09:30:00.750+08:00",
        datetime(2026, 5, 6, 9, 30, tzinfo=timezone(timedelta(hours=8))),
    ],
)
def test_an_instant_is_kept_to_the_second_with_its_zone(value):
    assert fact_dictionary().check({"due_at": value}) == {"due_at": "2026-05-06T09:30:00+08:00"}


@pytest.mark.parametrize("value", ["2025-04-07T08:15:00", "2025-04-07", "明天", datetime(2025, 4, 7), 20250407, True])
def test_an_instant_without_a_zone_is_refused_and_not_repeated(value):
    with pytest.raises(ZhipaiError, match="带时区的时刻") as caught:
        fact_dictionary().check({"due_at": value})
    assert caught.value.code == "E3203"
    assert str(value) not in caught.value.message
