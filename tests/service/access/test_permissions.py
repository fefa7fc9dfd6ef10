"""Every role against every action, the data scope, and the reason that comes with each answer."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from intake.errors import ZhipaiError
from intake.unit import Unit, UnitDirectory
from service.access import ACTIONS, ROLES, Actor, Scope
from service.access.actor import THIS_MACHINE
from service.access.grants import check_grant, check_roles
from tests.service.access.conftest import SHELL, person

#: action -> who may. Written out once more, so that a slip in the code is seen.
MAY = {
    "triage.propose": {"dispatcher", "shift_lead", "data_scientist", "rule_owner"},
    "dispatch.decide": {"dispatcher", "shift_lead"},
    "case.review": {"shift_lead"},
    "case.submit": {"unit"},
    "kb.read": {
        "dispatcher", "shift_lead", "kb_maintainer", "kb_reviewer", "data_scientist", "rule_owner", "auditor",
    },
    "kb.write": {"kb_maintainer"},
    "kb.review": {"kb_reviewer"},
    "kb.import": {"kb_maintainer"},
    "rules.read": {"dispatcher", "shift_lead", "data_scientist", "rule_owner", "auditor"},
    "rules.write": {"rule_owner"},
    "rules.publish": {"rule_owner"},
    "rules.backtest": {"rule_owner"},
    "model.read": {"data_scientist", "auditor"},
    "model.train": {"data_scientist"},
    "model.promote": {"data_scientist"},
    "model.label": {"data_scientist"},
    "audit.read": {"auditor"},
    "audit.verify": {"auditor"},
    "audit.export": {"auditor"},
    "audit.replay": {"auditor"},
    "access.manage": {"admin"},
    "access.grant_auditor": {"security_admin"},
    "privacy.erase": {"security_admin"},
    "metrics.read": {"data_scientist", "admin"},
    "overview.read": {"shift_lead", "data_scientist", "auditor"},
}  # fmt: skip
DIRECTORY = UnitDirectory(
    [
        Unit("市城管局", district="市级"),
        Unit("临江区城管局", parent="市城管局", district="临江区"),
        Unit("临江区城管局一中队", parent="临江区城管局", district="临江区"),
        Unit("东湖区城管局", parent="市城管局", district="东湖区"),
    ]
)


def test_the_table_names_every_action() -> None:
    assert set(MAY) == set(ACTIONS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ACTIONS)
def test_role_and_action(role: str, action: str) -> None:
    answer = person("某人", role).may(action)
    assert answer.allowed is (role in MAY[action])
    assert re.search(r"[一-鿿]", answer.reason), "每个回答都有理由"
    assert ROLES[role].title in answer.reason


def test_without_a_role_nothing_is_allowed() -> None:
    assert not any(person("新人").may(action).allowed for action in ACTIONS)
    assert "没有任何角色" in person("新人").may("kb.read").reason


def test_unknown_action_is_refused_even_for_this_machine() -> None:
    assert not THIS_MACHINE.may("dispatch.everything").allowed
    assert all(THIS_MACHINE.may(action).allowed for action in ACTIONS)


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        (Scope.everything(), ["市城管局", "东湖区城管局", "从前的局"], []),
        (Scope.of(units=["市城管局"]), ["市城管局", "临江区城管局一中队", "东湖区城管局"], ["从前的局"]),
        (Scope.of(units=["临江区城管局"]), ["临江区城管局", "临江区城管局一中队"], ["市城管局", "东湖区城管局"]),
        (Scope.of(districts=["东湖区"]), ["东湖区城管局"], ["市城管局", "临江区城管局"]),
    ],
)
def test_a_unit_stands_for_its_children(scope: Scope, inside: list[str], outside: list[str]) -> None:
    actor = replace(person("某人", "dispatcher"), scope=scope.with_children(DIRECTORY))
    for unit in inside:
        assert actor.may("dispatch.decide", unit=unit).allowed, unit
    for unit in outside:
        refused = actor.may("dispatch.decide", unit=unit)
        assert not refused.allowed and unit in refused.reason


def test_district_is_part_of_the_scope() -> None:
    actor = person("某人", "dispatcher", districts=("东湖区",))
    assert actor.may("dispatch.decide", district="东湖区").allowed
    assert not actor.may("dispatch.decide", district="临江区").allowed


def test_key_is_narrowed_to_its_actions() -> None:
    key = Actor("key:1", "机器", frozenset({"dispatcher"}), Scope.everything(), "key", frozenset({"triage.propose"}))
    assert key.may("triage.propose").allowed
    assert "密钥" in key.may("dispatch.decide").reason and not key.may("dispatch.decide").allowed


@pytest.mark.parametrize("roles", [{"admin", "auditor"}, {"admin", "security_admin"}, {"auditor", "security_admin"}])
def test_three_administrators_are_kept_apart(roles: set[str]) -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_roles(roles)
    assert caught.value.code == "E7855" and "三员分立" in caught.value.message


@pytest.mark.parametrize("other", sorted(set(ROLES) - {"auditor"}))
def test_auditor_audits_nothing_of_his_own(other: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_roles({"auditor", other})
    assert caught.value.code == "E7855"


@pytest.mark.parametrize("actor", [person("a", "admin"), SHELL])
@pytest.mark.parametrize("before, after", [((), {"auditor"}), ({"auditor"}, ()), ((), {"security_admin"})])
def test_system_administrator_neither_gives_nor_takes_the_auditor(actor, before, after) -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_grant(actor, "某人", before, after)
    assert caught.value.code == "E7856"


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"auditor", "security_admin"}))
def test_security_administrator_gives_only_the_auditor(role: str) -> None:
    giver = person("s", "security_admin")
    with pytest.raises(ZhipaiError):
        check_grant(giver, "某人", (), {role})
    assert check_grant(giver, "某人", (), {"auditor"}) == "access.grant_auditor"
    assert check_grant(person("a", "admin"), "某人", (), {role}) == "access.manage"


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"admin", "security_admin"}))
def test_others_give_nothing(role: str) -> None:
    for wanted in ("dispatcher", "auditor"):
        with pytest.raises(ZhipaiError):
            check_grant(person("b", role), "某人", (), {wanted})


@pytest.mark.parametrize("role", ["admin", "security_admin"])
def test_nobody_changes_his_own_permissions(role: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_grant(person("a", role), "a", {role}, {role, "dispatcher"})
    assert caught.value.code == "E7853"
