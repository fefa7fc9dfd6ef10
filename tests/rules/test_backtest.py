"""What the backtest counts, and that the counts of parts add up to the counts of the whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rules import RulePack, evaluate, load_pack
from rules.backtest import EXAMPLES, Case, Comparison, Tally, Truth
from rules.backtest_page import render_page
from rules.backtest_report import build_report

AS_OF = datetime(2026, 5, 6, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
RULE = """
- id: TN-ACC-00{number}
  title: {title}
  gate: acceptance
  when: {when}
  verdict: {effect}
  severity: warn
  disposition: {{action: 处置, tell: 告知}}
  clause: "town-2020#{clause}"
"""


def rule(number: int, when: str, *, title: str = "某规则", effect: str = "advise", clause: int = 1) -> str:
    return RULE.format(number=number, title=title, when=when, effect=effect, clause=clause)


@pytest.fixture
def old(write_pack: Callable[..., Path]) -> RulePack:
    rules = rule(1, "{fact: emergency_hit, is: true}") + rule(2, "{fact: related_count, gte: 2}", clause=2)
    return load_pack(write_pack(folder="old", rules=rules))


@pytest.fixture
def new(write_pack: Callable[..., Path]) -> RulePack:
    rules = (
        rule(2, "{fact: related_count, gte: 3}", clause=2)
        + rule(3, "{fact: new_circumstance, is: true}")
        + rule(4, "{fact: emergency_hit, is: false}", effect="allow")
    )
    return load_pack(write_pack(folder="new", rules=rules))


def case(unit: str = "甲局", *, hit: bool = False, related: int = 0, **more: Any) -> Case:
    return Case({"emergency_hit": hit, "related_count": related}, AS_OF, unit, "东区", "2026-05", **more)


CASES = [case(), case(hit=True), case(related=2), case(related=3), case("乙局", related=2), case("乙局", related=2)]


def compared(new: RulePack, old: RulePack | None, cases: list[Case], **more: Any) -> Tally:
    return Comparison(new, old, gates=["acceptance"], **more).count(enumerate(cases, start=1))


def report(tally: Tally, new: RulePack, old: RulePack | None, **more: Any) -> dict[str, Any]:
    shown = {str(n): {"order_id": f"{n}", "unit": "甲局", "text": "<b>某诉求</b>"} for n in range(30)}
    fixed = {"logged": False, "gates": ["acceptance"], "as_of": AS_OF.isoformat(), "source": {"name": "工单.csv"}}
    return build_report(tally, new=new, old=old, rows=tally.evaluated, shown=shown, causes={}, **(fixed | more))


def test_orders_whose_remarks_change(new: RulePack, old: RulePack) -> None:
    totals = report(compared(new, old, CASES), new, old)["totals"]
    assert totals == {
        "rows": 6, "evaluated": 6, "old": 5, "new": 1, "gained": 0, "lost": 4, "changed": 4, "verify": 6
    }  # fmt: skip


def test_every_rule_of_both_packs_is_told_apart(new: RulePack, old: RulePack) -> None:
    rows = {row["rule"]: row for row in report(compared(new, old, CASES), new, old)["rules"]}
    assert (rows["TN-ACC-001"]["lost"], rows["TN-ACC-001"]["only"]) == (1, "old")
    assert (rows["TN-ACC-002"]["old"]["hit"], rows["TN-ACC-002"]["new"]["hit"], rows["TN-ACC-002"]["lost"]) == (4, 1, 3)
    assert rows["TN-ACC-002"]["moves"] == [{"old": "hit", "new": "pass", "orders": 3}]
    assert (rows["TN-ACC-003"]["verify"], rows["TN-ACC-003"]["only"]) == (6, "new")
    assert rows["TN-ACC-004"]["gained"] == 5


def test_allowing_is_no_remark_but_counts_for_its_clause(new: RulePack, old: RulePack) -> None:
    found = report(compared(new, old, [case()]), new, old)
    assert found["totals"]["changed"] == 0
    assert [(row["clause"], row["gained"]) for row in found["clauses"]] == [("town-2020#1", 1)]


def test_by_unit_and_which_rule_moved_there(new: RulePack, old: RulePack) -> None:
    found = report(compared(new, old, CASES), new, old)
    assert [(row["name"], row["orders"], row["changed"]) for row in found["units"]] == [("甲局", 4, 2), ("乙局", 2, 2)]
    assert {"unit": "乙局", "rule": "TN-ACC-002", "title": "某规则", "gained": 0, "lost": 2} in found["unit_rules"]


def test_counts_are_those_of_the_reference_evaluator() -> None:
    pack = load_pack("weifang")
    cases = [
        Case({"emergency_hit": hit, "missing_place": hit, "kind": kind, "litigation_entered": False}, AS_OF)
        for hit in (True, False)
        for kind in ("投诉", "咨询")
    ]
    tally = Comparison(pack, None, gates=["acceptance", "dispatch"]).count(enumerate(cases))
    wanted: dict[str, dict[str, int]] = {}
    for one in cases:
        for gate in ("acceptance", "dispatch"):
            for verdict in evaluate(pack, one.facts, as_of=AS_OF, gate=gate):
                states = wanted.setdefault(verdict.rule_id, {"hit": 0, "pass": 0, "not_evaluated": 0, "absent": 0})
                states[verdict.state] += 1
    rows = report(tally, pack, None, gates=["acceptance", "dispatch"])["rules"]
    assert {row["rule"]: row["new"] for row in rows} == wanted


def test_parts_add_up_in_any_partition(new: RulePack, old: RulePack) -> None:
    cases = CASES * 4
    whole = compared(new, old, cases)
    for size in (1, 5, 7):
        total = Tally()
        for start in range(0, len(cases), size):
            part = list(enumerate(cases, start=1))[start : start + size]
            total.add(Comparison(new, old, gates=["acceptance"]).count(part))
        assert json.dumps(report(total, new, old)) == json.dumps(report(whole, new, old))
    assert max(len(numbers) for numbers in whole.examples.values()) == EXAMPLES


def test_tally_survives_json(new: RulePack, old: RulePack) -> None:
    tally = compared(new, old, CASES)
    assert Tally(**json.loads(json.dumps(tally.to_data()))) == tally


def test_log_is_compared_by_what_was_spoken(new: RulePack) -> None:
    cases = [case(related=3, logged={"TN-ACC-009": "hit"}), case(related=3, logged={"TN-ACC-002": "hit"})]
    rows = {row["rule"]: row for row in report(compared(new, None, cases), new, None, logged=True)["rules"]}
    assert (rows["TN-ACC-009"]["lost"], rows["TN-ACC-002"]["gained"]) == (1, 1)


def test_without_old_pack_nothing_changes(new: RulePack) -> None:
    found = report(compared(new, None, CASES), new, None)
    assert (found["against"], found["totals"]["new"], found["totals"]["changed"]) == (None, 1, 0)


def test_rules_of_the_day_of_each_order(new: RulePack, old: RulePack) -> None:
    before = replace(CASES[3], as_of=datetime(2019, 1, 1, tzinfo=ZoneInfo("Asia/Shanghai")))
    tally = compared(new, None, [before, CASES[3]])
    assert tally.evaluated == 2
    assert sum(tally.rules["TN-ACC-002"]) == 1, "2019 年还没有这条规则"


def test_truth_counts_what_is_unknown_apart(new: RulePack, old: RulePack) -> None:
    truths = [Truth("a", "TN-ACC-002", "列", ("是",)), Truth("b", "new_circumstance", "列", ("是",))]
    flags = [True, False, True, True, False, False]
    cases = [replace(one, flags=(flag, flag)) for one, flag in zip(CASES, flags, strict=True)]
    first, second = report(compared(new, old, cases, truths=truths), new, old)["truths"]
    assert (first["true_hits"], first["false_hits"], first["missed"], first["rejected"]) == (1, 0, 2, 3)
    assert (first["precision"], first["recall"], first["n"]) == (1.0, 0.3333, 6)
    assert (second["unknown"], second["precision"], second["recall"]) == (6, None, 0.0)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {"src", "href"} & {name for name, _ in attrs}


def test_page_loads_nothing_and_escapes_everything(new: RulePack, old: RulePack) -> None:
    hostile = replace(new, title="<script>alert(1)</script>")
    for against in (old, None):
        page = render_page(report(compared(hostile, against, CASES), hostile, against))
        parser = _Links()
        parser.feed(page)
        assert "script" not in parser.tags and "b" in parser.tags and "link" not in parser.tags
        assert "&lt;b&gt;某诉求" in page and "url(" not in page
