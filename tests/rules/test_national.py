"""The pack that every city inherits: what its empty parameters do once they are filled, and that triage stays lean."""

from __future__ import annotations

import pytest

from rules import evaluate, load_pack
from rules.fact_dictionary import fact_dictionary

FILLED = """
parameters:
  extension_count_max: {value: 1, source: 某市热线规程第九条, effective_from: 2026-01-01}
  extension_max_workdays: {value: 5, source: 某市热线规程第九条, effective_from: 2026-01-01}
  extension_approver_required: {value: 单位负责人, source: 某市热线规程第九条, effective_from: 2026-01-01}
  extension_signature_required: {value: true, source: 某市热线规程第九条, effective_from: 2026-01-01}
  exclusion_contact_attempts_min: {value: 3, source: 某市热线规程第二十条, effective_from: 2026-01-01}
  callback_attempts_min: {value: 3, source: 某市热线规程第十八条, effective_from: 2026-01-01}
"""
EXTENSION = {"extension_requested": True}
EXCLUSION = {"exclusion_requested": True, "exclusion_reason_class": "无法联系"}
CALLBACK = {"callback_reached": False}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("user") / "overrides.yaml"
    path.write_text(FILLED, encoding="utf-8")
    return load_pack("national", overrides=path)


@pytest.mark.parametrize(
    ("rule_id", "facts", "state"),
    [
        ("NAT-EXT-002", EXTENSION | {"extension_count": 1}, "hit"),
        ("NAT-EXT-002", EXTENSION | {"extension_count": 0}, "pass"),
        ("NAT-EXT-003", EXTENSION | {"extension_workdays": 6}, "hit"),
        ("NAT-EXT-003", EXTENSION | {"extension_workdays": 5}, "pass"),
        ("NAT-EXT-004", EXTENSION | {"extension_approver_level": "科室负责人"}, "hit"),
        ("NAT-EXT-004", EXTENSION | {"extension_approver_level": "单位负责人"}, "pass"),
        ("NAT-EXT-008", EXTENSION | {"material_head_signature": False}, "hit"),
        ("NAT-EXT-008", EXTENSION | {"material_head_signature": True}, "pass"),
        ("NAT-EXC-007", EXCLUSION | {"contact_attempts": 2}, "hit"),
        ("NAT-EXC-007", EXCLUSION | {"contact_attempts": 3}, "pass"),
        ("NAT-PCB-010", CALLBACK | {"contact_attempts": 2}, "hit"),
        ("NAT-PCB-010", CALLBACK | {"contact_attempts": 3}, "pass"),
    ],
)
def test_a_parameter_that_the_user_fills_makes_its_rule_speak(filled, as_of, rule_id, facts, state):
    assert {one.rule_id: one.state for one in evaluate(filled, facts, as_of=as_of)}[rule_id] == state
    empty = {one.rule_id: one for one in evaluate(load_pack("national"), facts, as_of=as_of)}[rule_id]
    assert empty.state == "not_evaluated" and "参数未填" in empty.cause


def test_nothing_of_practice_blocks():
    pack = load_pack("national")
    for rule in pack.rules:
        if rule.severity == "block":
            assert rule.clause.startswith("state-council-2025-66#"), rule.id


def test_the_gates_of_triage_stay_lean():
    """Every proposal runs these rules through the online engine as well."""
    assert sum(rule.gate in ("acceptance", "dispatch") for rule in load_pack("national").rules) <= 45


def test_what_a_person_has_to_verify_is_asked():
    """A rule that waits for a person tells what to verify: such a fact has its question."""
    dictionary = fact_dictionary()
    # Nobody is asked these at filing: false by their meaning (rules/derive.py).
    given = {"unit_dispute", "joint_matter"}
    for rule in load_pack("national").rules:
        for name in set(rule.reads) - given:
            fact = dictionary.get(name)
            assert fact is not None and (fact.source != "person" or fact.ask), f"{rule.id}: {name}"


def test_the_two_meanings_of_refusal_share_nothing():
    """接听端的处置与办理后申报的“不予受理” (non_acceptance.md section 6): two facts, with no value in common."""
    intake, after = (fact_dictionary().get(name) for name in ("intake_disposition", "post_handling_exclusion"))
    assert intake is not None and after is not None
    assert not set(intake.values) & set(after.values)
