"""The smallest changed facts: a brute-force oracle on random packs, and what a person reads."""

from __future__ import annotations

import itertools
import os
from datetime import date
from itertools import combinations, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.answer import ANSWERS, RANK, answer_of, decide
from rules.ast import Condition, Group, Leaf, leaves
from rules.counterfactual import find_counterfactual
from rules.evaluate import judge, state_of
from rules.fact_dictionary import Fact, FactDictionary
from rules.problems import Mark
from rules.rule import Rule
from rules.verdict import Disposition

EXAMPLES = int(os.environ.get("ZHIPAI_FUZZ_EXAMPLES", "150"))
FACTS = [
    Fact("return_requested", "bool", "提出申请", "person"),
    Fact("told", "bool", "已告知；来电人知道", "person"),
    Fact("hint", "bool", "正文里有字词", "text"),
    Fact("days", "int", "申请的天数", "person", unit="工作日"),
    Fact("share", "float", "占比", "record"),
    Fact("channel", "str", "渠道", "record"),
    Fact("level", "str", "层级", "record", values=("市", "区", "街镇")),
]
DICTIONARY = FactDictionary({fact.name: fact for fact in FACTS})
#: Every value that random leaves and random facts can tell apart, and some between and outside.
WORLD: dict[str, list] = {
    "return_requested": [True, False],
    "told": [True, False],
    "hint": [True, False],
    "days": list(range(-2, 8)),
    "share": [-0.5, 0.0, 0.0001, 0.4999, 0.5, 0.5001, 0.9999, 1.0, 1.0001, -0.0001],
    "channel": ["电话", "微信", "网站", "某个别的渠道"],
    "level": ["市", "区", "街镇"],
}
LITERALS = {"days": [0, 2, 3, 5], "share": [0.0, 0.5, 1.0], "channel": ["电话", "微信"], "level": ["市", "区", "街镇"]}
OPS = {
    "bool": ["is", "is_not", "present", "missing"],
    "str": ["is", "is_not", "in", "not_in", "present", "missing"],
    "int": ["is", "in", "lt", "lte", "gt", "gte", "between", "present", "missing"],
    "float": ["lt", "lte", "gt", "gte", "between", "missing"],
}


@st.composite
def leaf(draw: st.DrawFn) -> Leaf:
    fact = draw(st.sampled_from(FACTS))
    op = draw(st.sampled_from(OPS[fact.type]))
    values = st.sampled_from(LITERALS.get(fact.name, [True, False]))
    if op in ("present", "missing"):
        return Leaf(fact.name, op)
    if op == "between":
        return Leaf(fact.name, op, tuple(sorted(draw(st.tuples(values, values)))))
    size = 2 if op in ("in", "not_in") else 1
    return Leaf(fact.name, op, tuple(draw(st.lists(values, min_size=1, max_size=size, unique=True))))


conditions: st.SearchStrategy[Condition] = st.recursive(
    leaf(),
    lambda inner: st.builds(
        lambda op, parts: Group(op, tuple(parts)),
        st.sampled_from(["all", "any"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)
verdicts = st.sampled_from(
    [("forbid", "block"), ("forbid", "warn"), ("escalate", "warn"), ("redirect", "info"), ("require", "warn"),
     ("advise", "info"), ("allow", "info")]
)  # fmt: skip


def rule(number: int, when: Condition, effect: str = "forbid", severity: str = "block") -> Rule:
    return Rule(
        id=f"FZ-{number:03d}",
        title="某",
        gate="return",
        when=when,
        effect=effect,  # type: ignore[arg-type]
        disposition=Disposition("某", "某"),
        clause="town-2020#1",
        severity=severity,  # type: ignore[arg-type]
        effective_from=date(2020, 1, 1),
        effective_to=None,
        priority=1,
        pack="fuzz",
        reads=(),
        mark=Mark("fuzz", 1, 1),
    )


@st.composite
def packs(draw: st.DrawFn) -> list[Rule]:
    drawn = draw(st.lists(st.tuples(conditions, verdicts), min_size=1, max_size=4))
    return [rule(number, when, *verdict) for number, (when, verdict) in enumerate(drawn)]


@st.composite
def situations(draw: st.DrawFn) -> dict:
    facts = {name: draw(st.sampled_from([None, *values])) for name, values in WORLD.items()}
    return {name: value for name, value in facts.items() if value is not None}


def answer(rules: list[Rule], facts: dict) -> str:
    """By the definition, without any of the search."""
    states = {one.id: state_of(judge(one.when, facts)) for one in rules}
    return decide({one.id: answer_of(one) for one in rules}, states)[0]


def changed(facts: dict, changes: dict) -> dict:
    return {name: value for name, value in (facts | changes).items() if value is not None}


def smallest_by_force(rules: list[Rule], facts: dict, most: int) -> int | None:
    """The size of the smallest set of changes that turns the answer, by trying every one in the world."""
    before = answer(rules, facts)
    read: dict[str, set[str]] = {}
    for one in rules:
        for leaf in leaves(one.when):
            read.setdefault(leaf.fact, set()).add(leaf.op)
    choices = {
        name: [
            value
            for value in [*WORLD[name], *([None] if ops & {"present", "missing"} else [])]
            if value != facts.get(name)
        ]
        for name, ops in read.items()
    }
    for size in range(1, most + 1):
        for names in combinations(sorted(choices), size):
            for values in product(*(choices[name] for name in names)):
                if answer(rules, changed(facts, dict(zip(names, values, strict=True)))) != before:
                    return size
    return None


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(packs(), situations())
def test_no_smaller_change_turns_the_answer_and_this_one_does(rules: list[Rule], facts: dict) -> None:
    found = find_counterfactual(rules, facts, dictionary=DICTIONARY, max_changes=2)
    size = smallest_by_force(rules, facts, 2)
    assert found.complete
    assert (len(found.changes) or None) == size
    if size is None:
        assert (found.state, found.changes, found.answer) == ("none_found", (), None)
        return
    after = changed(facts, {change.fact: change.after for change in found.changes})
    assert DICTIONARY.check(after) or not after
    assert answer(rules, after) == found.answer != answer(rules, facts)
    states = {one.id: state_of(judge(one.when, after)) for one in rules}
    assert {turn.rule_id: turn.after for turn in found.turns}.items() <= states.items()
    assert set(found.decided_by) == {
        one.id for one in rules if states[one.id] == "hit" and answer_of(one) == found.answer
    }
    assert found == find_counterfactual(rules, facts, dictionary=DICTIONARY, max_changes=2)


@settings(max_examples=EXAMPLES // 5, deadline=None, suppress_health_check=list(HealthCheck))
@given(packs(), situations(), st.randoms())
def test_the_order_of_the_rules_does_not_matter(rules: list[Rule], facts: dict, random) -> None:
    shuffled = random.sample(rules, len(rules))
    one, other = (find_counterfactual(order, facts, dictionary=DICTIONARY) for order in (rules, shuffled))
    assert (one.changes, one.answer) == (other.changes, other.answer)


def test_the_request_itself_is_withdrawn_last() -> None:
    rules = [rule(1, Group("all", (Leaf("return_requested", "is", (True,)), Leaf("told", "is", (False,)))))]
    found = find_counterfactual(rules, {"return_requested": True, "told": False}, dictionary=DICTIONARY)
    (change,) = found.changes
    assert (change.fact, change.before, change.after) == ("told", False, True)
    assert found.sentence == "如果“已告知”由“否”改为“是”，结论会由“不得”变为“没有规则说话”。"


def test_what_a_person_can_check_goes_before_words() -> None:
    rules = [rule(1, Group("all", (Leaf("hint", "is", (True,)), Leaf("told", "is", (False,)))))]
    found = find_counterfactual(rules, {"hint": True, "told": False}, dictionary=DICTIONARY)
    assert [change.fact for change in found.changes] == ["told"]


@pytest.mark.parametrize(
    ("op", "literals", "now", "wanted", "said"),
    [
        ("gt", (5,), 9, 5, "“申请的天数”由“9 工作日”改为“5 工作日”"),
        ("gte", (5,), 9, 4, "“申请的天数”由“9 工作日”改为“4 工作日”"),
        ("between", (2, 4), 3, 1, "“申请的天数”由“3 工作日”改为“1 工作日”"),
        ("is", (3,), 3, 2, "“申请的天数”由“3 工作日”改为“2 工作日”"),
    ],
)
def test_the_nearest_number_over_the_boundary(op, literals, now, wanted, said) -> None:
    found = find_counterfactual([rule(1, Leaf("days", op, literals))], {"days": now}, dictionary=DICTIONARY)
    assert found.changes[0].after == wanted
    assert said in found.sentence


def test_a_fraction_moves_by_its_last_place() -> None:
    found = find_counterfactual([rule(1, Leaf("share", "gte", (0.5,)))], {"share": 0.75}, dictionary=DICTIONARY)
    assert found.changes[0].after == 0.4999


def test_a_value_outside_the_list_stands_for_all_others() -> None:
    found = find_counterfactual(
        [rule(1, Leaf("channel", "in", ("电话", "微信")))], {"channel": "电话"}, dictionary=DICTIONARY
    )
    (change,) = found.changes
    assert change.other_than is not None and set(change.other_than) == {"电话", "微信"}
    assert change.after not in change.other_than
    assert "由“电话”改为“微信、电话以外的值”" in found.sentence


def test_what_is_missing_is_supplied() -> None:
    found = find_counterfactual([rule(1, Leaf("told", "is", (True,)))], {}, dictionary=DICTIONARY)
    assert found.changes[0].as_dict() == {"fact": "told", "label": "已告知", "from": None, "to": True}
    assert "查明“已告知”为“是”" in found.sentence
    assert [(turn.before, turn.after) for turn in found.turns] == [("not_evaluated", "hit")]


def test_presence_alone_can_turn() -> None:
    rules = [rule(1, Leaf("channel", "missing"))]
    found = find_counterfactual(rules, {}, dictionary=DICTIONARY)
    assert "填写了“渠道”" in found.sentence and found.answer == "silent"
    back = find_counterfactual(rules, {"channel": "电话"}, dictionary=DICTIONARY)
    assert back.changes[0].after is None and "没有填写“渠道”" in back.sentence


def test_an_instant_is_left_alone() -> None:
    dictionary = FactDictionary({"signed_at": Fact("signed_at", "instant", "签收时刻", "record")})
    found = find_counterfactual([rule(1, Leaf("signed_at", "missing"))], {}, dictionary=dictionary)
    assert found.state == "none_found"


def test_more_changes_than_the_bound_are_not_found_and_that_is_said() -> None:
    names = [f"b_{number}" for number in range(4)]
    dictionary = FactDictionary({name: Fact(name, "bool", "某", "person") for name in names})
    rules = [rule(1, Group("any", tuple(Leaf(name, "is", (True,)) for name in names)))]
    found = find_counterfactual(rules, dict.fromkeys(names, True), dictionary=dictionary)
    assert (found.state, found.complete) == ("none_found", True)
    assert found.sentence == "在最多改 3 个事实的范围内，没有找到能改变结论的改法。"


def test_the_bound_on_evaluations_is_kept_and_said() -> None:
    names = [f"b_{number:02d}" for number in range(30)]
    dictionary = FactDictionary({name: Fact(name, "bool", "某", "person") for name in names})
    rules = [
        rule(number, Group("any", tuple(Leaf(name, "is", (True,)) for name in names[number::3]))) for number in range(3)
    ]
    found = find_counterfactual(rules, dict.fromkeys(names, True), dictionary=dictionary, max_evaluations=40)
    assert (found.state, found.complete, found.evaluations) == ("none_found", False, 40)
    assert "求值 40 次" in found.sentence


def test_precedence_is_the_documented_one() -> None:
    assert list(ANSWERS) == sorted(RANK, key=RANK.__getitem__)
    spoken = [
        ("forbid", "block"), ("escalate", "warn"), ("redirect", "info"), ("require", "warn"), ("forbid", "warn"),
        ("advise", "warn"), ("allow", "block"),
    ]  # fmt: skip
    rules = [rule(number, Leaf("told", "is", (True,)), *one) for number, one in enumerate(spoken)]
    seen = [answer(rules[number:], {"told": True}) for number in range(len(rules) + 1)]
    assert seen == list(ANSWERS)
    for weak, strong in itertools.combinations(reversed(rules), 2):
        assert answer([weak, strong], {"told": True}) == answer_of(strong)


def test_a_determined_answer_goes_before_an_open_one() -> None:
    block = rule(1, Group("all", (Leaf("told", "is", (True,)), Leaf("days", "gt", (5,)))))
    facts = {"told": True, "days": 9}
    found = find_counterfactual([block], facts, dictionary=DICTIONARY)
    assert [change.fact for change in found.changes] == ["days"]
    # Up to five days it would depend on the level, which nobody has said.
    waiting = rule(2, Group("all", (Leaf("days", "lte", (5,)), Leaf("level", "is", ("市",)))), "require", "info")
    found = find_counterfactual([block, waiting], facts, dictionary=DICTIONARY)
    assert ([change.fact for change in found.changes], found.undetermined) == (["told"], False)
