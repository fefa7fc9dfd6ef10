"""Conditions: reading them from YAML and turning them round."""

from __future__ import annotations

import pytest

from intake.errors import ZhipaiError
from rules.ast import Group, Leaf, facts_of, negate, to_data

WHEN = (
    "{all: [{fact: return_requested, is: true}, {any: [{fact: unit_dispute, is_not: true},"
    " {fact: related_count, between: [1, 3]}, {fact: kind, in: [投诉, 举报]}, {fact: channel, missing: true}]}]}"
)


def test_condition_is_read_as_written(one_rule):
    (rule,) = one_rule(WHEN).rules
    assert rule.when == Group(
        "all",
        (
            Leaf("return_requested", "is", (True,)),
            Group(
                "any",
                (
                    Leaf("unit_dispute", "is_not", (True,)),
                    Leaf("related_count", "between", (1, 3)),
                    Leaf("kind", "in", ("投诉", "举报")),
                    Leaf("channel", "missing"),
                ),
            ),
        ),
    )
    assert rule.reads == ("return_requested", "unit_dispute", "related_count", "kind", "channel")


def test_to_data_is_what_stands_in_yaml(one_rule):
    (rule,) = one_rule(WHEN).rules
    assert to_data(rule.when)["all"][1]["any"][1:] == [
        {"fact": "related_count", "between": [1, 3]},
        {"fact": "kind", "in": ["投诉", "举报"]},
        {"fact": "channel", "missing": True},
    ]


def test_negation_turns_groups_and_leaves_round(one_rule):
    (rule,) = one_rule(WHEN).rules
    turned = negate(rule.when)
    assert isinstance(turned, Group) and turned.op == "any"
    assert set(facts_of(turned)) == set(rule.reads)
    assert turned.parts[0] == Leaf("return_requested", "is_not", (True,))
    assert Leaf("related_count", "gt", (3,)) in turned.parts[1].parts[1].parts


@pytest.mark.parametrize("literal", ["yes", "on", "是", '"true"', "1"])
def test_words_that_yaml_would_take_for_true_are_not(one_rule, literal):
    from intake.errors import ZhipaiError

    with pytest.raises(ZhipaiError) as caught:
        one_rule(f"{{fact: return_requested, is: {literal}}}")
    assert caught.value.code == "E3008"


@pytest.mark.parametrize("operator", ["is", "is_not", "lt", "gte"])
def test_an_instant_is_only_asked_whether_it_is_there(one_rule, operator):
    assert one_rule("{fact: dispatched_at, present: true}").rules[0].when == Leaf("dispatched_at", "present")
    with pytest.raises(ZhipaiError, match="return_in_window") as caught:
        one_rule(f'{{fact: dispatched_at, {operator}: "2026-05-06T09:30:00+08:00"}}')
    assert caught.value.code == "E3007"
