"""Parameters: read, dated, put into rules for the day, and said to be unfilled where they are."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from intake.errors import ZhipaiError
from rules import RuleEngine, durable, evaluate, load_pack
from rules.ast import Leaf, negate, resolve, to_data
from rules.evaluate import rules_in_force

SHANGHAI = ZoneInfo("Asia/Shanghai")
PARAMETER = """
- id: return_max_count
  title: 最多退回次数
  type: int
  unit: 次
  {values}
"""
FILLED = "values: [{value: 2, clause: town-2020#1, effective_from: 2026-01-01}]"
CHANGED = """values:
    - {value: 3, clause: town-2020#1, effective_to: 2026-01-01}
    - {value: 2, clause: town-2020#1, effective_from: 2026-01-01}"""
UNFILLED = "note: 某镇热线办法没有写次数。"
RULE = """
- id: TN-RET-001
  title: 退回次数已到上限
  gate: return
  when: {when}
  verdict: forbid
  severity: {severity}
  disposition: {{action: 继续办理, tell: ""}}
  clause: town-2020#1
"""
WHEN = "{fact: returned_count, gte: {parameter: return_max_count}}"


@pytest.fixture
def town(write_pack):
    def load(values: str = FILLED, when: str = WHEN, severity: str = "block", folder: str = "town"):
        rules = RULE.format(when=when, severity=severity)
        return load_pack(write_pack(folder=folder, parameters=PARAMETER.format(values=values), rules=rules))

    return load


def verdict(pack, facts, day: str):
    (one,) = evaluate(pack, facts, as_of=datetime.fromisoformat(day).replace(tzinfo=SHANGHAI))
    return one


@pytest.mark.parametrize(("count", "state"), [(1, "pass"), (2, "hit"), (3, "hit")])
def test_a_rule_compares_with_the_value_of_the_day(town, count, state):
    assert verdict(town(), {"returned_count": count}, "2026-05-06").state == state


def test_a_value_changes_on_its_day_in_the_zone_of_the_pack(town):
    pack = town(CHANGED)
    moments = ["2025-12-31T23:59:59", "2026-01-01T00:00:00"]
    assert [verdict(pack, {"returned_count": 2}, day).state for day in moments] == ["pass", "hit"]
    utc = datetime.fromisoformat("2025-12-31T16:00:00+00:00")
    assert evaluate(pack, {"returned_count": 2}, as_of=utc)[0].state == "hit"
    assert pack.parameter_on("return_max_count", date(2025, 12, 31)).value == 3
    assert pack.parameter_on("no_such", date(2025, 12, 31)) is None


@pytest.mark.parametrize(("values", "day"), [(UNFILLED, "2026-05-06"), (FILLED, "2025-12-31")])
def test_without_a_value_the_rule_is_open_and_names_the_parameter(town, values, day):
    found = verdict(town(values), {"returned_count": 9}, day)
    assert found.state == "not_evaluated"
    assert found.cause == "参数未填：最多退回次数（return_max_count）"
    assert (found.lacking, found.unset) == ((), ("return_max_count",))


def test_a_missing_fact_and_an_unfilled_parameter_are_both_told(town):
    found = verdict(town(UNFILLED), {}, "2026-05-06")
    assert found.cause.startswith(
        "参数未填：最多退回次数（return_max_count）。缺少事实：已经退回的次数（returned_count）"
    )
    assert (found.lacking, found.unset) == (("returned_count",), ("return_max_count",))


def test_an_unfilled_parameter_matters_only_where_it_decides(town):
    when = f"{{all: [{{fact: return_requested, is: true}}, {WHEN}]}}"
    pack = town(UNFILLED, when)
    assert verdict(pack, {"return_requested": False}, "2026-05-06").state == "pass"
    assert verdict(pack, {"return_requested": True, "returned_count": 1}, "2026-05-06").unset == ("return_max_count",)


def test_a_verdict_says_as_data_what_it_lacks(town):
    row = verdict(town(UNFILLED), {}, "2026-05-06").as_dict()
    assert (row["lacking"], row["unset"]) == (["returned_count"], ["return_max_count"])


def test_the_reason_of_a_missing_fact_is_told_instead_of_what_to_verify(town):
    reasons = {"returned_count": "退回记录没有接入"}
    (found,) = evaluate(town(), {}, as_of=datetime(2026, 5, 6, tzinfo=SHANGHAI), reasons=reasons)
    assert (found.cause, found.lacking) == ("退回记录没有接入", ("returned_count",))


def test_rules_in_force_have_plain_literals(town):
    (rule,) = rules_in_force(town(), as_of=datetime(2026, 5, 6, tzinfo=SHANGHAI))
    assert rule.when == Leaf("returned_count", "gte", (2,), "return_max_count")
    assert to_data(rule.when) == {"fact": "returned_count", "gte": {"parameter": "return_max_count"}}


def test_the_opposite_of_a_comparison_keeps_its_parameter():
    leaf = Leaf("returned_count", "gte", (), "return_max_count")
    assert negate(negate(leaf)) == leaf
    assert resolve(negate(leaf), {"return_max_count": 2}) == Leaf("returned_count", "lt", (2,), "return_max_count")


def test_the_content_hash_covers_parameters(town):
    texts = [FILLED, CHANGED, UNFILLED, FILLED.replace("value: 2", "value: 3")]
    hashes = {town(values, folder=f"town-{number}").content_hash for number, values in enumerate(texts)}
    assert len(hashes) == len(texts)


def test_a_pack_replaces_the_parameter_that_it_inherits(town, write_pack, as_of):
    town(UNFILLED)
    child = write_pack(
        folder="village",
        pack="name: village\ntitle: 某村\njurisdiction: 某村\nextends: town\n",
        clauses="- {id: village-2021, document: 某村办法, source: T02, effective_from: 2021-01-01, clauses:"
        " [{id: '1', confidence: 原文已读, summary: 摘要。}]}",
        parameters=PARAMETER.format(values="values: [{value: 1, clause: village-2021#1}]"),
    )
    pack = load_pack(child)
    assert pack.parameters["return_max_count"].pack == "village"
    (found,) = evaluate(pack, {"returned_count": 1}, as_of=as_of)
    assert found.state == "hit"


@pytest.mark.parametrize(
    ("values", "when", "severity", "code", "words"),
    [
        ("values: []", WHEN, "warn", "E3022", "没有值也没有说明"),
        ("values: [{value: 两次, clause: town-2020#1}]", WHEN, "warn", "E3022", "应是整数"),
        ("values: [{value: [2], clause: town-2020#1}]", WHEN, "warn", "E3022", "值写成了“列表”"),
        ("values: [{value: 2, clause: town-2020#7}]", WHEN, "warn", "E3009", "town-2020#7"),
        ("values: [{value: 2, clause: town-2020#1, effective_from: 2019-01-01}]", WHEN, "warn", "E3010", "早于条款"),
        (FILLED.replace("}]", "}, {value: 3, clause: town-2020#1}]"), WHEN, "warn", "E3022", "同时有效"),
        (FILLED, "{fact: returned_count, in: {parameter: return_max_count}}", "warn", "E3007", "不能是参数"),
        (FILLED, "{fact: return_requested, is: {parameter: return_max_count}}", "warn", "E3008", "return_max_count"),
        (FILLED, "{fact: returned_count, gte: {parameter: 某}}", "warn", "E3023", "parameters.yaml"),
        (FILLED, "{fact: returned_count, gte: {value: 2}}", "warn", "E3007", "{parameter: 参数编号}"),
        ("values: [{value: 2, clause: town-2020#2}]", WHEN, "block", "E3012", "常识推断"),
    ],
)
def test_what_is_wrong_is_said(town, values, when, severity, code, words):
    with pytest.raises(ZhipaiError) as caught:
        town(values, when, severity)
    assert caught.value.code == code
    assert words in caught.value.message


def test_a_value_that_the_fact_cannot_have_is_refused(write_pack):
    parameter = (
        "- {id: my_kind, title: 某类, type: str, values: [{value: 表扬, clause: town-2020#1}]}\n"
        "- {id: my_kind, title: 某类, type: str, note: 重复}"
    )
    rule = RULE.format(when="{fact: kind, is: {parameter: my_kind}}", severity="warn")
    with pytest.raises(ZhipaiError) as caught:
        load_pack(write_pack(parameters=parameter, rules=rule))
    assert caught.value.code == "E3011"
    with pytest.raises(ZhipaiError) as caught:
        load_pack(write_pack(folder="two", parameters=parameter.splitlines()[0], rules=rule))
    assert (caught.value.code, "投诉" in caught.value.message) == ("E3008", True)


def test_a_child_may_not_change_the_type_of_a_parameter(town, write_pack):
    town(UNFILLED)
    child = write_pack(
        folder="village",
        pack="name: village\ntitle: 某村\njurisdiction: 某村\nextends: town\n",
        clauses="[]",
        parameters=PARAMETER.format(values=UNFILLED).replace("type: int", "type: str"),
    )
    with pytest.raises(ZhipaiError, match="上级的 type") as caught:
        load_pack(child)
    assert caught.value.code == "E3022"


@pytest.mark.skipif(not durable.available(), reason="没有安装 durable_rules")
def test_the_online_engine_follows_the_values_from_day_to_day(town):
    pack = town(CHANGED)
    days = [datetime(2025, 12, 31, tzinfo=SHANGHAI), datetime(2026, 1, 1, tzinfo=SHANGHAI)] * 10
    with_engine = RuleEngine(pack)
    for day in days:
        found = with_engine.evaluate({"returned_count": 2}, as_of=day)
        assert (found.engine, found.disagreements) == ("durable", ())
        assert found.verdicts == evaluate(pack, {"returned_count": 2}, as_of=day)
    of_this_pack = [key for key in durable._CACHE._packs if key[0] == pack.content_hash]
    assert len(of_this_pack) == 2
    with_engine.close()
    assert all(users == 0 for key, (_, users) in durable._CACHE._packs.items() if key[0] == pack.content_hash)
