"""Every route has a permission, and over HTTP each role is let in exactly where it may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from service.access import ROLES
from service.api import auth
from tests.service.access.conftest import Town
from tests.service.access.test_permissions import MAY

#: Open to everybody, and why.
OPEN = {
    "/healthz": "supervisors ask it",
    "/readyz": "supervisors ask it; no order, no name",
    "/v1/errors": "the list of messages",
    "/docs": "how to call it",
    "/docs/oauth2-redirect": "part of it",
    "/login": "where one signs in",
    "/login/oidc": "where one signs in",
    "/login/oidc/callback": "where one signs in",
}
#: Whoever is signed in, in whatever role.
ANYBODY = {
    "/": "leads each role to its pages",
    "/v1/access/me": "what may I do",
    "/v1/access/check": "may I do this",
    "/v1/access/roles": "what the roles are",
    "/logout": "one's own session",
    "/account": "one's own account",
    "/account/password": "one's own password",
    "/account/sign-out-everywhere": "one's own sessions",
}
#: A request that gets past the permission (whatever is said of its content), and the actions of which one is enough.
DOORS = [
    ("POST", "/v1/triage", {"text": ""}, ["triage.propose"]),
    ("POST", "/v1/decisions", {}, ["dispatch.decide"]),
    ("GET", "/v1/decisions/none", None, ["audit.read", "dispatch.decide", "case.review", "case.submit"]),
    ("POST", "/v1/rulings/return", {"facts": {}}, ["rules.read", "case.submit"]),
    ("GET", "/v1/rules", None, ["rules.read"]),
    ("GET", "/v1/rules/facts", None, ["rules.read", "case.submit"]),
    ("GET", "/v1/rules/shadow", None, ["rules.read"]),
    ("GET", "/v1/signals", None, ["triage.propose"]),
    ("POST", "/v1/similar", {}, ["triage.propose"]),
    ("GET", "/v1/orders/none/similar", None, ["triage.propose"]),
    ("GET", "/v1/kb/search?q=x", None, ["kb.read"]),
    ("GET", "/v1/kb/entries", None, ["kb.read"]),
    ("GET", "/v1/kb/due", None, ["kb.read"]),
    ("POST", "/v1/kb/entries", {}, ["kb.write"]),
    ("POST", "/v1/kb/entries/none/submit", {"actor": ""}, ["kb.write"]),
    ("POST", "/v1/kb/entries/none/publish", {"actor": "", "reason": "理由"}, ["kb.review"]),
    ("GET", "/metrics", None, ["metrics.read"]),
    ("GET", "/v1/access/accounts", None, ["access.manage", "access.grant_auditor"]),
    ("POST", "/v1/access/accounts", {}, ["access.manage", "access.grant_auditor"]),
    ("GET", "/v1/access/keys", None, ["access.manage", "access.grant_auditor"]),
]


def dependencies(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from dependencies(one)


def routes(app: FastAPI) -> list[APIRoute]:
    found = [one.original_route for one in iter_route_contexts(app.routes)]
    return [route for route in found if isinstance(route, APIRoute)]


def test_every_route_has_a_permission(town: Town) -> None:
    found = routes(town.client.app)
    assert len(found) > 30
    for route in found:
        calls = set(dependencies(route.dependant))
        actions = [action for call in calls for action in getattr(call, "actions", ())]
        if route.path in OPEN:
            assert not actions, route.path
        elif route.path in ANYBODY:
            assert calls & {auth.actor, auth.actor_even_before_change}, route.path
        else:
            assert actions, f"{route.path} 没有权限要求"
            assert set(actions) <= MAY.keys(), route.path


@pytest.fixture(scope="module")
def keys(town: Town) -> dict[str, dict[str, str]]:
    return {role: town.key(role) for role in ROLES if role not in ("admin", "security_admin")}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door[0]} {door[1]}")
def test_each_role_is_let_in_where_it_may(town: Town, keys: dict[str, dict[str, str]], door) -> None:
    method, path, body, actions = door
    for role, header in keys.items():
        answer = town.client.request(method, path, json=body, headers=header)
        if any(role in MAY[action] for action in actions):
            assert answer.status_code not in (401, 403), (role, answer.text)
            assert answer.status_code < 500, answer.text
        else:
            assert answer.status_code == 403, (role, answer.text)
            problem = answer.json()
            assert problem["code"] == "E6521" and ROLES[role].title in problem["detail"], "拒绝时说明原因"


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door[0]} {door[1]}")
def test_nobody_gets_in_without_signing_in(town: Town, door) -> None:
    method, path, body, _ = door
    answer = town.client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "E6520")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", sorted(OPEN))
def test_open_addresses_are_open(town: Town, path: str) -> None:
    answer = town.client.get(path, follow_redirects=False)
    assert answer.status_code < 500 and answer.status_code not in (401, 403)
    assert not answer.headers.get("location", "").startswith("/login")


def test_administrators_over_a_session(town: Town) -> None:
    for role in ("admin", "security_admin"):
        browser = town.browser(role)
        for method, path, body, actions in DOORS:
            answer = browser.send(method, path, json=body)
            allowed = any(role in MAY[action] for action in actions)
            assert (answer.status_code != 403) is allowed, (role, path, answer.text)


def test_me_gives_a_reason_for_each_action(town: Town) -> None:
    told = town.browser("auditor").http.get("/v1/access/me").json()
    assert told["name"] == "auditor" and told["via"] == "session" and told["scope"] == "全市"
    assert {one["action"]: one["allowed"] for one in told["permissions"]} == {
        action: "auditor" in roles for action, roles in MAY.items()
    }
    assert all(one["reason"] for one in told["permissions"])


def test_check_answers_for_a_unit(town: Town) -> None:
    header = town.key("dispatcher", units=["临江区城市管理局"])
    for unit, allowed in (("临江区城市管理局", True), ("云汀市公安局", False)):
        told = town.client.get(f"/v1/access/check?action=dispatch.decide&unit={unit}", headers=header).json()
        assert told["allowed"] is allowed and told["reason"]
