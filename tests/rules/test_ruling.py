"""A ruling: one answer, what decides it, what is missing and how much it matters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from rules import RuleEngine, RulePack, WorkCalendar, evaluate, load_pack
from rules.answer import ANSWERS
from rules.counterfactual import MAX_CHANGES, MAX_EVALUATIONS
from rules.engine import Evaluation
from rules.ruling import Ruling, rule_on
from rules.vocabulary import GATES

RULES = """
- id: TN-RET-001
  title: 指定的不得退回
  gate: return
  when: {all: [{fact: return_requested, is: true}, {fact: designated_by_ruling, is: true}]}
  verdict: forbid
  severity: block
  disposition: {action: 继续办理, tell: ""}
  clause: "town-2020#1"
- id: TN-RET-002
  title: 退回须审核
  gate: return
  when: {fact: return_requested, is: true}
  verdict: require
  severity: info
  disposition: {action: 进入审核。, tell: 正在审核。}
  clause: "town-2020#1"
- id: TN-RET-003
  title: 写明依据
  gate: return
  when: {all: [{fact: return_requested, is: true}, {fact: duty_basis_given, is: false}]}
  verdict: require
  severity: warn
  disposition: {action: 补正职责依据, tell: 正在审核。}
  clause: "town-2020#1"
- id: TN-RET-004
  title: 超过退回时限的不宜退回
  gate: return
  when: {all: [{fact: return_requested, is: true}, {fact: return_in_window, is: false}]}
  verdict: forbid
  severity: block
  disposition: {action: 继续办理或申请改派, tell: ""}
  clause: "town-2020#1"
- id: TN-EXT-001
  title: 延期不得超过最长天数
  gate: extension
  when: {fact: extension_workdays, gt: {parameter: extension_max_workdays}}
  verdict: forbid
  severity: block
  disposition: {action: 缩短, tell: ""}
  clause: "town-2020#1"
- id: TN-EXC-001
  title: 缺申请表
  gate: exclusion
  when: {fact: material_application_form, is: false}
  verdict: require
  severity: warn
  disposition: {action: 补交申请表, tell: ""}
  clause: "town-2020#2"
- id: TN-EXC-002
  title: 材料齐的可以申请
  gate: exclusion
  when:
    all:
      - {fact: material_application_form, is: true}
      - {fact: material_statement, is: true}
      - {fact: material_contact_record, is: true}
  verdict: allow
  severity: info
  disposition: {action: 进入初审, tell: ""}
  clause: "town-2020#2"
"""
LIMITS = """
- {id: return_window, title: 退回时限, stage: return, note: 没有找到。}
"""
FILLED = """
- id: return_window
  title: 退回时限
  stage: return
  values: [{amount: 24, unit: 小时, clause: "town-2020#1"}]
"""
PARAMETERS = """
- {id: extension_max_workdays, title: 延期最长工作日数, type: int, unit: 工作日, note: 没有找到。}
"""
Ask = Callable[..., Ruling]


@pytest.fixture
def pack(write_pack) -> RulePack:
    return load_pack(write_pack(rules=RULES, limits=LIMITS, parameters=PARAMETERS))


@pytest.fixture
def filled(write_pack) -> RulePack:
    return load_pack(write_pack(rules=RULES, limits=FILLED, parameters=PARAMETERS))


@pytest.fixture
def ask(as_of: datetime) -> Ask:
    def ask(rules: RulePack | RuleEngine, gate: str, *, all_rules: bool = False, **facts: object) -> Ruling:
        calendar = WorkCalendar((rules if isinstance(rules, RulePack) else rules.pack).calendar)
        return rule_on(rules, gate, facts, as_of=as_of, calendar=calendar, all_rules=all_rules)

    return ask


def test_a_block_prevails_and_says_what_would_turn_it(ask: Ask, pack: RulePack) -> None:
    ruling = ask(pack, "return", return_requested=True, designated_by_ruling=True)
    assert (ruling.answer, ruling.decided_by) == ("forbidden", ("TN-RET-001",))
    assert not ruling.undetermined
    assert ruling.disposition is not None and ruling.disposition.action == "继续办理"
    (change,) = ruling.counterfactual.changes
    assert (change.fact, change.after, ruling.counterfactual.answer) == ("designated_by_ruling", False, "required")


def test_nobody_speaks(ask: Ask, pack: RulePack) -> None:
    ruling = ask(pack, "return", return_requested=False)
    assert (ruling.answer, ruling.decided_by, ruling.disposition) == ("silent", (), None)
    assert ruling.verdicts == ()
    assert ruling.as_dict()["answer_text"] == "没有规则说话"


def test_several_dispositions_are_joined_each_thing_once(ask: Ask, pack: RulePack) -> None:
    ruling = ask(pack, "return", return_requested=True, designated_by_ruling=False, duty_basis_given=False)
    assert ruling.decided_by == ("TN-RET-002", "TN-RET-003")
    assert ruling.disposition is not None
    assert ruling.disposition.action == "进入审核；补正职责依据"
    assert ruling.disposition.tell == "正在审核。"


def test_a_missing_fact_that_could_turn_the_answer_comes_first(ask: Ask, pack: RulePack) -> None:
    ruling = ask(pack, "return", return_requested=True)
    assert ruling.answer == "required"
    assert ruling.undetermined_by == ("TN-RET-001", "TN-RET-004")
    assert [(one.fact.name, one.could_turn, one.rules) for one in ruling.missing] == [
        ("designated_by_ruling", True, ("TN-RET-001",)),
        ("return_in_window", True, ("TN-RET-004",)),
        ("duty_basis_given", False, ("TN-RET-003",)),
    ]
    row = ruling.as_dict()["missing"][0]
    assert row["ask"] == "承办单位是否经研究确定或直接指定" and row["type"] == "bool"


def test_a_weaker_rule_that_is_open_leaves_the_answer_determined(ask: Ask, pack: RulePack) -> None:
    ruling = ask(pack, "return", return_requested=True, designated_by_ruling=False, return_in_window=True)
    assert [one.rule_id for one in ruling.verdicts if one.state == "not_evaluated"] == ["TN-RET-003"]
    assert not ruling.undetermined


@pytest.mark.parametrize(
    ("asked_at", "in_window", "answer"),
    [("2026-05-06T09:00:00+08:00", True, "required"), ("2026-05-06T09:00:01+08:00", False, "forbidden")],
)
def test_instants_decide_at_the_second(ask: Ask, filled: RulePack, asked_at: str, in_window: bool, answer: str) -> None:
    ruling = ask(
        filled,
        "return",
        return_requested=True,
        designated_by_ruling=False,
        dispatched_at="2026-05-05T09:00:00+08:00",
        return_requested_at=asked_at,
    )
    assert (ruling.facts["return_in_window"], ruling.answer) == (in_window, answer)
    assert ruling.derived == ("return_in_window",)
    (deadline,) = ruling.deadlines
    assert (deadline.stage, deadline.due_at) == ("return", datetime.fromisoformat("2026-05-06T09:00:00+08:00"))
    assert "days" not in ruling.as_dict()["deadlines"][0]


def test_a_limit_without_a_value_is_to_be_filled(ask: Ask, pack: RulePack) -> None:
    ruling = ask(
        pack,
        "return",
        return_requested=True,
        designated_by_ruling=False,
        dispatched_at="2026-05-05T09:00:00+08:00",
        return_requested_at="2026-05-06T09:00:00+08:00",
    )
    (limit,) = ruling.unset
    assert (limit.kind, limit.id, limit.title, limit.rules) == ("limit", "return_window", "退回时限", ("TN-RET-004",))
    (missing,) = [one for one in ruling.missing if one.fact.name == "return_in_window"]
    assert missing.reason == "参数未填：退回时限（return_window）"
    assert ruling.undetermined_by == ("TN-RET-004",)


def test_a_parameter_without_a_value_is_to_be_filled(ask: Ask, pack: RulePack) -> None:
    ruling = ask(pack, "extension", extension_workdays=12)
    assert (ruling.answer, ruling.undetermined) == ("silent", True)
    assert [(one.kind, one.id, one.unit, one.note, one.rules) for one in ruling.unset] == [
        ("parameter", "extension_max_workdays", "工作日", "没有找到。", ("TN-EXT-001",))
    ]
    assert ruling.missing == ()
    assert ruling.counterfactual.state == "none_found"


def test_the_checklist_tells_given_missing_and_unknown(ask: Ask, pack: RulePack) -> None:
    ruling = ask(pack, "exclusion", material_application_form=True, material_statement=False)
    assert {one.name: one.state for one in ruling.checklist} == {
        "material_application_form": "given",
        "material_statement": "missing",
        "material_contact_record": "unknown",
    }
    assert ruling.checklist[0].rules == ("TN-EXC-001", "TN-EXC-002")
    assert ask(pack, "return").checklist == ()


def test_rules_that_passed_are_listed_on_request(ask: Ask, pack: RulePack) -> None:
    facts = {"return_requested": True, "designated_by_ruling": False}
    assert "TN-RET-001" not in {one.rule_id for one in ask(pack, "return", **facts).verdicts}
    listed = {one.rule_id: one.state for one in ask(pack, "return", all_rules=True, **facts).verdicts}
    assert listed["TN-RET-001"] == "pass"


def test_it_follows_from_its_input_alone(ask: Ask, pack: RulePack, filled: RulePack) -> None:
    facts = {"return_requested": True, "designated_by_ruling": True}
    one, again = ask(pack, "return", **facts), ask(pack, "return", **facts, duty_basis_given=None)
    assert one.id == again.id and one.as_dict() == again.as_dict()
    assert ask(filled, "return", **facts).id != one.id
    assert ask(pack, "return", return_requested=True).id != one.id
    assert (one.pack_id, one.calendar_id) == (pack.id, WorkCalendar(pack.calendar).id)


class Differing(RuleEngine):
    """An engine whose second opinion differs on some rules."""

    differing: tuple[str, ...] = ()

    def evaluate(self, *arguments, **options) -> Evaluation:
        return replace(super().evaluate(*arguments, **options), engine="durable", disagreements=self.differing)


@pytest.mark.parametrize(
    ("differing", "answer", "decided_by"),
    [
        (("TN-RET-001",), "escalated", ("TN-RET-001",)),
        (("TN-RET-002",), "forbidden", ("TN-RET-001",)),
        ((), "forbidden", ("TN-RET-001",)),
    ],
)
def test_engines_that_differ_send_the_matter_to_a_person(ask: Ask, pack, differing, answer, decided_by) -> None:
    engine = Differing(pack, kind="python")
    engine.differing = differing
    ruling = ask(engine, "return", return_requested=True, designated_by_ruling=True)
    assert (ruling.answer, ruling.decided_by, ruling.disagreements) == (answer, decided_by, differing)
    if answer == "escalated":
        assert ruling.disposition is not None and "TN-RET-001" in ruling.disposition.action
        assert "人工判断" in ruling.disposition.action
    assert (ruling.counterfactual.state == "none_found") == bool(differing)


@pytest.mark.parametrize(
    ("gate", "facts", "code"),
    [
        ("nowhere", {}, "E3204"),
        ("return", {"return_request": True}, "E3202"),
        ("return", {"return_requested": 1}, "E3203"),
        ("return", {"dispatched_at": "2026-05-05T09:00:00"}, "E3203"),
    ],
)
def test_what_does_not_fit_is_refused(ask: Ask, pack: RulePack, gate: str, facts: dict, code: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        ask(pack, gate, **facts)
    assert caught.value.code == code


# ---- the packs that come with the software ---------------------------------------------------------------------------


def turned(pack: RulePack, ruling: Ruling, as_of: datetime) -> dict[str, str]:
    """The states of the gate's rules with the changes of the counterfactual put in, by the reference evaluator."""
    facts = ruling.facts | {change.fact: change.after for change in ruling.counterfactual.changes}
    return {one.rule_id: one.state for one in evaluate(pack, facts, as_of=as_of, gate=ruling.gate)}


def test_weifang_a_designated_unit_may_not_return(ask: Ask, as_of: datetime) -> None:
    pack = load_pack("weifang")
    engine = RuleEngine(pack)
    ruling = ask(engine, "return", return_requested=True, designated_by_ruling=True)
    engine.close()
    assert (ruling.answer, ruling.decided_by) == ("forbidden", ("WF-RET-002",))
    (verdict,) = [one for one in ruling.verdicts if one.rule_id == "WF-RET-002"]
    assert (verdict.state, verdict.clause.article) == ("hit", "第二十二条第二款")
    (change,) = ruling.counterfactual.changes
    assert (change.fact, change.before, change.after) == ("designated_by_ruling", True, False)
    assert turned(pack, ruling, as_of)["WF-RET-002"] == "pass"
    assert "within_statutory_duty" in {one.fact.name for one in ruling.missing}


def test_jinan_twelve_days_are_too_many_and_ten_are_not(ask: Ask, as_of: datetime) -> None:
    pack = load_pack("jinan")
    facts = {"extension_requested": True, "business_environment_report": True, "approved_by_head": True}
    ruling = ask(pack, "extension", **facts, extension_workdays=12)
    assert (ruling.answer, ruling.decided_by) == ("forbidden", ("JN-EXT-003",))
    assert "“申请延长的工作日数”由“12 工作日”改为“10 工作日”" in ruling.counterfactual.sentence
    assert turned(pack, ruling, as_of)["JN-EXT-003"] == "pass"
    assert ask(pack, "extension", **facts, extension_workdays=10).answer != "forbidden"


@pytest.mark.parametrize(
    ("asked_at", "forbidden"), [("2026-05-06T09:00:00+08:00", False), ("2026-05-06T09:00:01+08:00", True)]
)
def test_anyang_gives_twenty_four_hours_to_the_second(
    ask: Ask, as_of: datetime, asked_at: str, forbidden: bool
) -> None:
    pack = load_pack("anyang")
    ruling = ask(
        pack,
        "return",
        return_requested=True,
        clearly_outside_duty=True,
        return_reason_length=40,
        dispatched_at="2026-05-05T09:00:00+08:00",
        return_requested_at=asked_at,
    )
    assert (ruling.answer == "forbidden", "AY-RET-001" in ruling.decided_by) == (forbidden, forbidden)
    assert "return_in_window" in ruling.derived
    assert {one.stage: one.limit for one in ruling.deadlines}["return"] == "24小时"
    if forbidden:
        (change,) = ruling.counterfactual.changes
        assert (change.fact, change.before, change.after) == ("return_in_window", False, True)
        assert turned(pack, ruling, as_of)["AY-RET-001"] == "pass"


def test_the_national_checklist_of_an_exclusion(ask: Ask) -> None:
    ruling = ask(load_pack("national"), "exclusion", exclusion_requested=True, material_application_form=True, material_statement=False)  # fmt: skip
    states = {one.name: one.state for one in ruling.checklist}
    assert (states["material_application_form"], states["material_statement"]) == ("given", "missing")
    assert states["material_head_signature"] == states["material_contact_record"] == "unknown"
    assert ruling.answer == "required" and "NAT-EXC-001" in ruling.decided_by
    assert ruling.disposition is not None and "情况说明" in ruling.disposition.action


def test_the_national_pack_says_which_period_is_to_be_filled(ask: Ask) -> None:
    ruling = ask(
        load_pack("national"),
        "exclusion",
        exclusion_requested=True,
        callback_at="2026-04-30T10:00:00+08:00",
        exclusion_requested_at="2026-05-06T09:00:00+08:00",
    )
    (unset,) = [one for one in ruling.unset if one.id == "exclusion_apply_workdays"]
    assert (unset.kind, unset.unit, unset.rules) == ("parameter", "工作日", ("NAT-EXC-003",))


def test_xincheng_says_what_the_contract_leaves_open(ask: Ask) -> None:
    pack = load_pack("hohhot-xincheng")
    closure = ask(pack, "closure", hours_to_due=2)
    (prewarn,) = [one for one in closure.unset if one.id == "prewarn_hours"]
    assert "XC-CLO-001" in prewarn.rules and "请提供小时数" in prewarn.note
    exclusion = ask(
        pack,
        "exclusion",
        exclusion_requested=True,
        callback_at="2026-04-30T10:00:00+08:00",
        exclusion_requested_at="2026-05-06T09:00:00+08:00",
    )
    assert "新城区合同" in {one.id: one.note for one in exclusion.unset}["exclusion_apply_workdays"]


@pytest.mark.parametrize("name", ["national", "weifang", "jinan", "anyang"])
@pytest.mark.parametrize("gate", GATES)
def test_no_fact_at_all_is_no_error_and_every_find_turns(ask: Ask, as_of: datetime, name: str, gate: str) -> None:
    pack = load_pack(name)
    ruling = ask(pack, gate, all_rules=True)
    found = ruling.counterfactual
    if found.state == "found":
        states = turned(pack, ruling, as_of)
        assert {turn.rule_id: turn.after for turn in found.turns}.items() <= states.items()
        assert all(states[rule_id] == "hit" for rule_id in found.decided_by)
        assert found.answer != ruling.answer
    assert found.evaluations <= 20_000


def test_the_page_tells_the_precedence_and_the_bound(root: Path) -> None:
    page = (root / "docs" / "rulings.md").read_text(encoding="utf-8")
    rows = [f"| {word} | `{code}` |" for code, word in ANSWERS.items()]
    places = [page.index(row) for row in rows]
    assert places == sorted(places)
    assert f"只找到 {MAX_CHANGES} 个事实、{MAX_EVALUATIONS} 次求值为止" in page
    for name in Ruling.__dataclass_fields__.keys() - {"answer", "gate", "as_of", "engine", "pack_id", "calendar_id"}:
        assert f"`{name}`" in page, name


def test_the_example_of_the_page_is_what_comes_out(root: Path, ask: Ask) -> None:
    page = (root / "docs" / "rulings.md").read_text(encoding="utf-8")
    found = re.search(r"```\n(\{\"return_requested\".*?)```", page, re.S)
    assert found
    ruling = ask(load_pack("anyang"), "return", **json.loads(found[1]))
    assert ruling.disposition is not None
    shown = [f"退回：{ANSWERS[ruling.answer]}（{'、'.join(ruling.decided_by)}）", f"处置：{ruling.disposition.action}", ruling.counterfactual.sentence]  # fmt: skip
    assert "\n".join(shown) in page
