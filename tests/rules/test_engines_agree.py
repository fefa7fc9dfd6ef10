"""Reference, generated Python and durable_rules agree on random packs and facts.

Missing facts, values on the boundary, unicode, instants, and parameters: set, unset, and changing from day to day.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules import durable
from rules.ast import Condition, Group, Leaf, leaves, negate
from rules.calendar import CalendarSettings
from rules.evaluate import judge, state_of
from rules.fact_dictionary import Fact, FactDictionary
from rules.generated import STATES, GeneratedRules
from rules.normal_form import MAX_BRANCHES, branch_count
from rules.pack import RulePack
from rules.parameter import Parameter, ParameterValue
from rules.problems import Mark
from rules.rule import Rule
from rules.verdict import Disposition

EXAMPLES = int(os.environ.get("ZHIPAI_FUZZ_EXAMPLES", "60"))
BOOLS, WORDS, INTS, FLOATS, TIMES = (tuple(f"{kind}_{number}" for number in range(4)) for kind in "bsift")
TYPES = {"b": "bool", "s": "str", "i": "int", "f": "float"}
FACTS = [
    *(Fact(name, "bool", "布尔", "person") for name in BOOLS),
    *(Fact(name, "str", "文字", "person") for name in WORDS),
    *(Fact(name, "int", "整数", "person") for name in INTS),
    *(Fact(name, "float", "小数", "person") for name in FLOATS),
    *(Fact(name, "instant", "时刻", "record") for name in TIMES),
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
instants = st.datetimes(timezones=st.timezones() | st.just(UTC)).map(lambda moment: moment.isoformat())
OF_TYPE: dict[str, st.SearchStrategy[Any]] = {"b": st.booleans(), "s": words, "i": ints, "f": floats, "t": instants}
OPS = {
    "b": ["is", "is_not", "in", "not_in", "present", "missing"],
    "s": ["is", "is_not", "in", "not_in", "present", "missing"],
    "i": ["is", "is_not", "in", "not_in", "lt", "lte", "gt", "gte", "between", "present", "missing"],
    "f": ["lt", "lte", "gt", "gte", "between", "present", "missing"],
    "t": ["present", "missing"],
}
SINGLE = ("is", "is_not", "lt", "lte", "gt", "gte")
#: Three days, and a day on which parameters change: before, on, after.
CHANGE = date(2026, 1, 1)
DAYS = (CHANGE - timedelta(days=1), CHANGE, CHANGE + timedelta(days=400))


@st.composite
def leaf(draw: st.DrawFn) -> Leaf:
    name = draw(st.sampled_from([*BOOLS, *WORDS, *INTS, *FLOATS, *TIMES]))
    op = draw(st.sampled_from(OPS[name[0]]))
    if op in ("present", "missing"):
        return Leaf(name, op)
    if op == "between":
        return Leaf(name, op, tuple(sorted(draw(st.tuples(OF_TYPE[name[0]], OF_TYPE[name[0]])))))
    if op in SINGLE and draw(st.integers(0, 2)) == 0:
        return Leaf(name, op, (), f"p_{name[0]}_{draw(st.integers(0, 2))}")
    size = 1 if op not in ("in", "not_in") else 2 if name[0] == "b" else 4
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
def parameters(draw: st.DrawFn, parameter_id: str) -> Parameter:
    """Without a value, with one, or with one until a day and another (or none) from it on."""
    kind = parameter_id[2]
    before, after = draw(st.none() | OF_TYPE[kind]), draw(st.none() | OF_TYPE[kind])
    spans = [(before, date(2020, 1, 1), CHANGE), (after, CHANGE, None)]
    values = tuple(ParameterValue(one, "town-2020#1", *span) for one, *span in spans if one is not None)
    return Parameter(parameter_id, "某参数", TYPES[kind], "", values, "", "fuzz", Mark("fuzz", 1, 1))


def pack_of(rules: list[Rule], by_id: dict[str, Parameter]) -> RulePack:
    return RulePack(
        name="fuzz",
        title="某",
        jurisdiction="某",
        lineage=("fuzz",),
        rules=tuple(rules),
        clauses={},
        limits=(),
        parameters=by_id,
        calendar=CalendarSettings(),
        basis=(),
        clause_owners={},
        clause_marks={},
        folder=Path("fuzz"),
    )


@st.composite
def packs(draw: st.DrawFn) -> tuple[RulePack, list[dict[str, object]]]:
    """A pack, and facts that often sit exactly on a literal or parameter of its rules."""
    rules = [rule(number, when) for number, when in enumerate(draw(st.lists(conditions, min_size=1, max_size=25)))]
    named = sorted({name for one in rules for name in one.parameters})
    by_id = {name: draw(parameters(name)) for name in named}
    literals: dict[str, list[Any]] = {}
    for one in rules:
        for comparison in leaves(one.when):
            known = literals.setdefault(comparison.fact, [])
            known.extend(comparison.values)
            if comparison.parameter:
                known.extend(value.value for value in by_id[comparison.parameter].values)

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
    return pack_of(rules, by_id), [checked(one) for one in draw(st.lists(facts, min_size=1, max_size=6))]


def checked(facts: dict[str, object]) -> dict:
    """As the dictionary leaves them; integers at the very edge are pulled back inside."""
    edge = 2**53 - 1
    return DICTIONARY.check(
        {name: max(-edge, min(edge, value)) if type(value) is int else value for name, value in facts.items()}
    )


def reference(rules: Sequence[Rule], facts: dict) -> dict[str, str]:
    return {one.id: state_of(judge(one.when, facts)) for one in rules}


def meaning(condition: Condition, facts: dict, by_id: dict[str, Parameter], day: date) -> bool | None:
    """The language in its shortest form, written a second time: three states, parameters looked up where they stand."""
    if isinstance(condition, Group):
        parts = [meaning(part, facts, by_id, day) for part in condition.parts]
        decisive = condition.op == "any"
        return decisive if decisive in parts else None if None in parts else not decisive
    value, literals = facts.get(condition.fact), condition.values
    if condition.op in ("present", "missing"):
        return (value is None) == (condition.op == "missing")
    if condition.parameter:
        found = by_id[condition.parameter].on(day)
        literals = (found.value,) if found else ()
    if value is None or not literals:
        return None
    low, high = literals[0], literals[-1]
    return {
        "is": lambda: value == low,
        "is_not": lambda: value != low,
        "in": lambda: value in literals,
        "not_in": lambda: value not in literals,
        "lt": lambda: value < low,
        "lte": lambda: value <= low,
        "gt": lambda: value > low,
        "gte": lambda: value >= low,
        "between": lambda: low <= value <= high,
    }[condition.op]()


@settings(max_examples=EXAMPLES * 3, deadline=None, suppress_health_check=list(HealthCheck))
@given(packs(), st.sampled_from(DAYS))
def test_the_reference_says_what_the_language_means(drawn, day):
    pack, many = drawn
    words = {True: "hit", False: "pass", None: "not_evaluated"}
    for facts in many:
        expected = {one.id: words[meaning(one.when, facts, pack.parameters, day)] for one in pack.rules}
        assert reference(pack.in_force(day).rules, facts) == expected


@settings(max_examples=EXAMPLES * 3, deadline=None, suppress_health_check=list(HealthCheck))
@given(packs(), st.sampled_from(DAYS))
def test_generated_agrees_with_the_reference(drawn, day):
    pack, many = drawn
    rules = pack.in_force(day).rules
    generated = GeneratedRules(rules)
    for facts in many:
        assert generated.states(facts) == reference(rules, facts)
        assert [STATES[code] for code in generated.codes(facts)] == list(reference(rules, facts).values())


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(packs(), st.sampled_from(DAYS))
def test_what_is_unknown_names_what_it_lacks(drawn, day):
    """Every missing fact and unset parameter that a rule names really is one; filling all of them settles the rule."""
    pack, many = drawn
    for facts in many:
        for one in pack.in_force(day).rules:
            step = judge(one.when, facts)
            assert not set(step.lacking()) & set(facts)
            assert all(pack.parameter_on(name, day) is None for name in step.unset())
            assert bool(step.lacking() or step.unset()) == (step.outcome is None)


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
@given(drawn=packs(), day=st.sampled_from(DAYS))
def test_durable_agrees_with_the_reference(worker, drawn, day):
    pack, facts = drawn
    rules = list(pack.in_force(day).rules)
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
