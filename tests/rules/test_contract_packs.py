"""The packs of the five contracts: no limit of their own, values only from the customer's file, rules only for the term."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rules import WorkCalendar, load_pack
from rules.evaluate import evaluate, rules_in_force
from rules.lint import lint
from rules.pack import PACKS
from rules.times import time_facts

CONTRACTS = ("hohhot-xincheng", "beijing-haidian", "beijing-chaoyang-guizi", "xianyang", "ordos")
ZONE = ZoneInfo("Asia/Shanghai")
DAY = datetime(2026, 5, 6, 9, tzinfo=ZONE)
EXAMPLE = "overrides.example.txt"


@pytest.fixture
def filled(tmp_path: Path):
    """A copy of the packs in which the example of one pack is used as its overrides file."""

    def fill(name: str):
        root = tmp_path / "packs"
        shutil.copytree(PACKS, root)
        shutil.copy(root / name / EXAMPLE, root / name / "overrides.yaml")
        return load_pack(name, root=root)

    return fill


def verdict(pack, rule_id, facts, *, as_of=DAY):
    found, reasons = time_facts(pack, facts, as_of=as_of, calendar=WorkCalendar(pack.calendar))
    (one,) = [one for one in evaluate(pack, found, as_of=as_of, reasons=reasons) if one.rule_id == rule_id]
    return one


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_sets_no_limit_of_its_own(name):
    own = [limit for limit in load_pack(name).limits if limit.pack == name]
    assert {limit.stage for limit in own} == {"sign_in", "return", "first_contact", "resolve"}
    for limit in own:
        assert limit.values == ()
        assert "未找到" in limit.note and "请" in limit.note


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_example_fills_what_it_names(name, filled):
    before, after = load_pack(name), filled(name)
    named = {value.clause for parameter in after.parameters.values() for value in parameter.values}
    named |= {value.clause for limit in after.limits for value in limit.values}
    users = [after.clauses[clause] for clause in named if after.clauses[clause].confidence == "用户提供"]
    assert {clause.document for clause in users} == {"甲方文件名 第几条"}
    for limit in after.limits:
        if limit.pack == name:
            assert limit.value_on(DAY.date()) is not None, limit.id
    for parameter in after.parameters.values():
        if parameter.pack == name and not before.parameters[parameter.id].values:
            assert parameter.on(DAY.date()) is not None, parameter.id
    assert after.content_hash != before.content_hash


def test_the_example_is_not_read_as_a_file_of_the_pack():
    for name in CONTRACTS:
        assert (PACKS / name / EXAMPLE).is_file()
        assert [str(finding) for finding in lint(name)] == []


def test_an_empty_parameter_leaves_the_rule_open_until_it_is_filled(filled):
    facts = {"hours_to_due": 24, "due_list_included": False}
    empty = verdict(load_pack("hohhot-xincheng"), "XC-CLO-001", facts)
    assert (empty.state, empty.unset) == ("not_evaluated", ("prewarn_hours",))
    assert empty.cause.startswith("参数未填：临期预警提前小时数（prewarn_hours）")
    pack = filled("hohhot-xincheng")
    assert verdict(pack, "XC-CLO-001", facts).state == "hit"
    assert verdict(pack, "XC-CLO-001", facts | {"hours_to_due": 25}).state == "pass"


def test_the_window_of_anyang_ends_with_its_last_second_and_xincheng_has_none():
    facts = {"return_requested": True, "dispatched_at": "2026-05-01T17:30:00+08:00"}
    at = datetime(2026, 5, 2, 17, 30, tzinfo=ZONE)
    anyang = load_pack("anyang")
    inside, late = ({"return_requested_at": moment.isoformat()} for moment in (at, at + timedelta(seconds=1)))
    assert verdict(anyang, "AY-RET-001", facts | inside).state == "pass"
    assert verdict(anyang, "AY-RET-001", facts | late).state == "hit"
    assert verdict(anyang, "AY-RET-001", facts | late).severity == "block"
    unknown = verdict(load_pack("hohhot-xincheng"), "NAT-RET-002", facts | late)
    assert unknown.state == "not_evaluated" and "参数未填：退回时限（return_window）" in unknown.cause


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("hohhot-xincheng", "2026-04-01", "2026-12-31"),
        ("beijing-haidian", "2024-09-01", "2024-12-31"),
        ("beijing-chaoyang-guizi", "2023-05-01", "2024-04-30"),
        ("xianyang", "2024-12-01", "2025-12-31"),
        ("ordos", "2025-11-01", ""),
    ],
)
def test_the_rules_of_a_contract_hold_for_its_term(name, first, last):
    pack = load_pack(name)

    def own(day: str, days: int = 0) -> set[str]:
        instant = datetime.fromisoformat(day).replace(tzinfo=ZONE) + timedelta(days=days)
        rules = rules_in_force(pack, as_of=instant)
        return {rule.id for rule in rules if rule.pack == name and "contract" in rule.clause}

    term = own(first)
    assert len(term) >= 8
    assert own(first, -1) == set()
    if last:
        assert own(last) == term
        assert own(last, 1) == set()
    else:
        assert own("2026-12-31") == term


@pytest.mark.parametrize(
    ("name", "document", "first"),
    [
        # 第三十八条: from the day of its publication.
        ("beijing", "beijing-jiesujiban-2021", "2021-09-24"),
        # 第五十条: from 1 January 2020.
        ("beijing", "beijing-street-2019", "2020-01-01"),
        # 第五十八条: from 1 December 2021.
        ("anyang", "anyang-service-2021", "2021-12-01"),
    ],
)
def test_a_regulation_holds_from_the_day_it_says(name, document, first):
    clauses = [one for one in load_pack(name).clauses.values() if one.id.startswith(f"{document}#")]
    assert {str(one.effective_from) for one in clauses} == {first}


def test_beijing_never_refuses_to_take_a_request():
    for rule in load_pack("beijing").rules:
        if rule.pack == "beijing":
            assert "不予受理" not in rule.title + rule.disposition.action + rule.disposition.tell, rule.id


def test_the_two_meanings_of_refusal_stay_two_fields():
    pack = load_pack("hohhot-xincheng")
    for rule in pack.rules:
        if "post_handling_exclusion" in rule.reads:
            assert rule.gate in ("post_callback", "exclusion"), rule.id
        if rule.gate == "acceptance":
            assert "post_handling_exclusion" not in rule.reads, rule.id
    own = [rule for rule in pack.rules if rule.pack == pack.name and "post_handling_exclusion" in rule.reads]
    assert {rule.gate for rule in own} == {"post_callback"}
