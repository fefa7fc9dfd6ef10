"""Reference, generated Python and durable_rules agree on random packs and facts: missing, boundary, unicode."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules import durable
from rules.ast import Condition, Group, Leaf, negate
from rules.evaluate import judge, state_of
from rules.fact_dictionary import Fact, FactDictionary
from rules.generated import GeneratedRules
from rules.normal_form import MAX_BRANCHES, branch_count, branches
from rules.problems import Mark
from rules.rule import Rule
from rules.verdict import Disposition

EXAMPLES = int(os.environ.get("ZHIPAI_FUZZ_EXAMPLES", "60"))
BOOLS, WORDS, INTS, FLOATS = (tuple(f"{kind}_{number}" for number in range(4)) for kind in ("b", "s", "i", "f"))
FACTS = [
    *(Fact(name, "bool", "布尔", "person") for name in BOOLS),
    *(Fact(name, "str", "文字", "person") for name in WORDS),
    *(Fact(name, "int", "整数", "person") for name in INTS),
    *(Fact(name, "float", "小数", "person") for name in FLOATS),
]
DICTIONARY = FactDictionary({fact.name: fact for fact in FACTS})

#: What breaks parsers: quotes, backslashes, braces, controls, NUL, words that look like numbers, Chinese, emoji.
NASTY = [
    "",
    " ",
    '"',
    "'",
    "\\",
    "\\u0000",
    "\x00",
    "{}",
    '{"k":1}',
    "true",
    "null",
    "3",
    "1.0",
    "噪音扰民",
    "🚒",
    "é",
    "\n",
    "k",
]
words = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
ints = st.one_of(st.integers(-3, 6), st.integers(1 - 2**53, 2**53 - 1))
floats = st.one_of(
    st.integers(-30, 60).map(lambda whole: whole / 10),
    st.floats(-1e14, 1e14).map(lambda number: round(number, 4) + 0.0),
    st.sampled_from([0.0, 0.0001, -0.0001, 0.1 + 0.2, 1e14, 123456789.1234]).map(lambda number: round(number, 4)),
)
OF_TYPE = {"b": st.booleans(), "s": words, "i": ints, "f": floats}
OPS = {
    "b": ["is", "is_not", "present", "missing"],
    "s": ["is", "is_not", "in", "not_in", "present", "missing"],
    "i": ["is", "is_not", "in", "not_in", "lt", "lte", "gt", "gte", "between", "present", "missing"],
    "f": ["lt", "lte", "gt", "gte", "between", "present", "missing"],
}


@st.composite
def leaf(draw: st.DrawFn) -> Leaf:
    name = draw(st.sampled_from([*BOOLS, *WORDS, *INTS, *FLOATS]))
    op = draw(st.sampled_from(OPS[name[0]]))
    if op in ("present", "missing"):
        return Leaf(name, op)
    if op == "between":
        return Leaf(name, op, tuple(sorted(draw(st.tuples(OF_TYPE[name[0]], OF_TYPE[name[0]])))))
    size = 4 if op in ("in", "not_in") else 1
    return Leaf(name, op, tuple(draw(st.lists(OF_TYPE[name[0]], min_size=1, max_size=size, unique=True))))


conditions: st.SearchStrategy[Condition] = st.recursive(
    leaf(),
    lambda inner: st.builds(
        lambda op, parts: Group(op, tuple(parts)),
        st.sampled_from(["all", "any"]),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=8,
).filter(lambda one: branch_count(one) <= MAX_BRANCHES and branch_count(negate(one)) <= MAX_BRANCHES)


def rule(number: int, when: Condition) -> Rule:
    return Rule(
        id=f"FZ-{number:03d}",
        title="某",
        gate="return",
        when=when,
        effect="advise",
        disposition=Disposition("某", "某"),
        clause="town-2020#1",
        severity="info",
        effective_from=date(2020, 1, 1),
        effective_to=None,
        priority=1,
        pack="fuzz",
        reads=(),
        mark=Mark("fuzz", 1, 1),
    )


@st.composite
def packs(draw: st.DrawFn) -> tuple[list[Rule], list[dict[str, object]]]:
    """Rules, and facts that often sit exactly on a literal of the rules."""
    rules = [rule(number, when) for number, when in enumerate(draw(st.lists(conditions, min_size=1, max_size=25)))]
    literals: dict[str, list[object]] = {}
    for one in rules:
        for branch in branches(one.when):
            for comparison in branch:
                literals.setdefault(comparison.fact, []).extend(comparison.values)

    def value_of(name: str) -> st.SearchStrategy[object]:
        known = literals.get(name)
        near = {"i": [-1, 0, 1], "f": [-0.0001, 0.0, 0.0001]}.get(name[0])
        choices = [st.none(), OF_TYPE[name[0]]]
        if known:
            choices.append(st.sampled_from(known))
        if known and near:
            choices.append(
                st.builds(lambda literal, step: literal + step, st.sampled_from(known), st.sampled_from(near))
            )
        return st.one_of(choices)

    facts = st.fixed_dictionaries({}, optional={fact.name: value_of(fact.name) for fact in FACTS})
    return rules, draw(st.lists(facts, min_size=1, max_size=6))


def checked(facts: dict[str, object]) -> dict:
    """As the dictionary leaves them; integers at the very edge are pulled back inside."""
    edge = 2**53 - 1
    return DICTIONARY.check(
        {name: max(-edge, min(edge, value)) if type(value) is int else value for name, value in facts.items()}
    )


def reference(rules: list[Rule], facts: dict) -> dict[str, str]:
    return {one.id: state_of(judge(one.when, facts)) for one in rules}


@settings(max_examples=EXAMPLES * 3, deadline=None, suppress_health_check=list(HealthCheck))
@given(packs())
def test_generated_agrees_with_the_reference(pack):
    rules, many = pack
    generated = GeneratedRules(rules)
    for facts in map(checked, many):
        assert generated.states(facts) == reference(rules, facts)


class Worker:
    """durable_rules in its own process, started again after a crash so that the smallest example can be found."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, rules: list[Rule], many: list[dict]) -> list[dict[str, str]]:
        if self.process is None:
            path = Path(__file__).with_name("durable_worker.py")
            self.process = subprocess.Popen([sys.executable, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            pickle.dump((rules, many), self.process.stdin)
            self.process.stdin.flush()
            return pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError) as error:
            code = self.process.wait()
            self.process = None
            raise AssertionError(f"durable_rules ended its process with {code}") from error

    def close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            assert self.process.wait(timeout=60) == 0


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    if not durable.available():
        pytest.skip("没有安装 durable_rules")
    one = Worker()
    yield one
    one.close()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(pack=packs())
def test_durable_agrees_with_the_reference(worker, pack):
    rules, many = pack
    facts = [checked(one) for one in many]
    assert worker.ask(rules, facts) == [reference(rules, one) for one in facts]


@pytest.mark.parametrize("count", [1, 55, 56, 57, 112, 128, 256, 511, 600])
def test_durable_agrees_at_the_sizes_that_break_it_unsharded(worker, count):
    """More than 64 matches, exactly 128 "not exists", 256 rules with one condition, more than 511 roots."""
    rules = [rule(number, Leaf("b_0", "missing")) for number in range(count)]
    many = [{}, {"b_0": True}]
    assert worker.ask(rules, many) == [reference(rules, one) for one in many]


def test_durable_agrees_on_a_condition_of_full_size(worker):
    """32 branches, and lists as long as a branch allows."""
    wide = Group("any", tuple(Leaf("i_0", "is", (number,)) for number in range(32)))
    long = Leaf("s_0", "in", tuple(f"值{number}" for number in range(100)))
    rules = [rule(0, wide), rule(1, negate(wide)), rule(2, long), rule(3, negate(long))]
    many = [{}, {"i_0": 31, "s_0": "值99"}, {"i_0": 32, "s_0": "值100"}, {"i_0": 0, "s_0": "值0"}]
    assert worker.ask(rules, many) == [reference(rules, one) for one in many]
