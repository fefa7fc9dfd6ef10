"""Sign-in as a browser sees it: cookies, CSRF, redirects, who stands in the record, keys, accounts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from service.access.accounts import create_administrator
from service.api.app import create_app
from service.db.engine import make_engine, writing
from service.db.tables_access import ACCESS_KEYS
from service.settings import Settings
from tests.service.access.conftest import PASSWORD, Town, order, put

ORDER = {"text": "小区楼下烧烤店每晚油烟很大，孩子一直咳嗽，找店家说过没用，希望有人管管。"}
HTML = {"accept": "text/html"}


def test_cookie_is_out_of_reach_of_scripts(town: Town) -> None:
    browser = town.browser("dispatcher")
    assert browser.signed_in.status_code == 303 and browser.signed_in.headers["location"] == "/account"
    cookie = browser.signed_in.headers.get_list("set-cookie")[-1]
    assert cookie.startswith("zhipai=") and "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    assert "Secure" not in cookie


def test_cookie_is_secure_over_https(town: Town) -> None:
    http = TestClient(town.client.app, base_url="https://testserver", follow_redirects=False)
    answer = http.post("/login", data={"name": "dispatcher", "password": PASSWORD})
    cookie = answer.headers.get_list("set-cookie")[-1]
    assert cookie.startswith("__Host-zhipai=") and "Secure" in cookie and "Domain" not in cookie
    assert "max-age" in answer.headers["strict-transport-security"]
    assert http.get("/v1/access/me").json()["name"] == "dispatcher"


def test_wrong_password_shows_one_sentence(town: Town) -> None:
    answer = town.browser("dispatcher", "wrong").signed_in
    assert answer.status_code == 401 and "账号或密码不对" in answer.text and "zhipai=" not in str(answer.headers)


def test_each_sign_in_is_a_new_session(town: Town) -> None:
    browser = town.browser("dispatcher")
    first = browser.http.cookies["zhipai"]
    browser.http.post("/login", data={"name": "dispatcher", "password": PASSWORD})
    assert browser.http.cookies["zhipai"] != first
    old = TestClient(town.client.app, cookies={"zhipai": first})
    assert old.get("/v1/access/me").status_code == 401, "原来的会话已经作废"


def test_page_leads_to_sign_in_and_back(town: Town) -> None:
    http = TestClient(town.client.app, follow_redirects=False)
    answer = http.get("/account?done=true", headers=HTML)
    assert answer.status_code == 303 and answer.headers["location"] == "/login?next=%2Faccount%3Fdone%3Dtrue"
    page = http.get(answer.headers["location"])
    assert 'value="/account?done=true"' in page.text
    back = http.post("/login", data={"name": "dispatcher", "password": PASSWORD, "next": "/account?done=true"})
    assert back.headers["location"] == "/account?done=true"


@pytest.mark.parametrize(
    "path", ["https://example.org", "//example.org", "/\\example.org", "javascript:alert(1)", "", "/\t/example.org"]
)
def test_sign_in_leads_nowhere_else(town: Town, path: str) -> None:
    http = TestClient(town.client.app, follow_redirects=False)
    answer = http.post("/login", data={"name": "dispatcher", "password": PASSWORD, "next": path})
    assert answer.headers["location"] == "/"


def test_change_without_the_token_is_refused(town: Town) -> None:
    browser = town.browser("kb_maintainer")
    body = {"entry": {"title": "标题", "answer": "答复", "unit": "某局"}}
    for headers in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": town.browser("kb_reviewer").csrf}):
        answer = browser.http.post("/v1/kb/entries", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "E6523")
    assert browser.send("POST", "/v1/kb/entries", json=body).status_code == 201
    assert browser.http.post("/logout", data={"csrf": "x"}).status_code == 403
    assert browser.http.post("/logout", data={"csrf": browser.csrf}).headers["location"] == "/login"
    assert browser.http.get("/v1/access/me").status_code == 401


def test_change_from_another_site_is_refused(town: Town, client: TestClient) -> None:
    browser = town.browser("dispatcher")
    for header in ({"Origin": "https://example.org"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = browser.http.post("/v1/triage", json=ORDER, headers=header | {"X-CSRF-Token": browser.csrf})
        assert answer.json()["code"] == "E6523"
        answer = client.post("/v1/triage", json=ORDER, headers=header)
        assert answer.json()["code"] == "E6523", "没有启用登录时也一样"
        answer = town.client.post("/login", data={"name": "dispatcher", "password": PASSWORD}, headers=header)
        assert answer.status_code == 403
    same = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": browser.csrf}
    assert browser.http.post("/v1/triage", json=ORDER, headers=same).status_code == 200


def test_record_names_the_account_and_its_role(town: Town) -> None:
    browser = town.browser("dispatcher")
    proposal = browser.send("POST", "/v1/triage", json=ORDER).json()
    unit = proposal["units"][0]["unit"]
    wanted = {"proposal_id": proposal["proposal_id"], "action": "accept", "unit": unit}
    sent = {"Idempotency-Key": "access-decision-1", "X-CSRF-Token": browser.csrf}
    other = browser.http.post("/v1/decisions", json=wanted | {"actor": "别人"}, headers=sent)
    assert (other.status_code, other.json()["code"]) == (422, "E6530")
    record = browser.http.post("/v1/decisions", json=wanted, headers=sent).json()
    assert (record["actor"], record["role"]) == ("dispatcher", "dispatcher")
    path = f"/v1/decisions/{record['decision_id']}"
    assert town.browser("auditor").http.get(path).json()["actor"] == "dispatcher"
    assert town.client.get(path, headers=town.key("unit", units=[unit])).status_code == 200
    elsewhere = town.client.get(path, headers=town.key("unit", units=["云汀市公安局"]))
    assert elsewhere.json()["code"] == "E6521" and unit in elsewhere.json()["detail"]


def test_key_says_for_whom_it_decided(town: Town) -> None:
    header = town.key("dispatcher")
    proposal = town.client.post("/v1/triage", json=ORDER, headers=header).json()
    unit = proposal["units"][0]["unit"]
    wanted = {"proposal_id": proposal["proposal_id"], "action": "accept", "unit": unit, "actor": "pd-017"}
    record = town.client.post("/v1/decisions", json=wanted, headers=header | {"Idempotency-Key": "access-key-1"}).json()
    key_id = header["Authorization"].split("_")[1]
    assert record["actor"] == f"key:{key_id}/pd-017" and record["role"] == "dispatcher"


def test_decision_outside_the_scope_is_refused(town: Town) -> None:
    header = town.key("dispatcher", units=["云汀市公安局"])
    body = {"proposal_id": "p", "action": "accept", "unit": "临江区城市管理局"}
    answer = town.client.post("/v1/decisions", json=body, headers=header | {"Idempotency-Key": "access-scope-1"})
    assert answer.json()["code"] == "E6521" and "临江区城市管理局" in answer.json()["detail"]


def test_maintainer_does_not_publish_his_own(town: Town) -> None:
    put(town.engine, "both", "kb_maintainer", "kb_reviewer", at=datetime.now(UTC))
    both, reviewer = town.browser("both"), town.browser("kb_reviewer")
    entry = {"title": "夜间施工由谁管", "answer": "城市管理部门。", "unit": "某局"}
    made = both.send("POST", "/v1/kb/entries", json={"entry": entry}).json()
    path = f"/v1/kb/entries/{made['id']}"
    assert both.send("POST", f"{path}/submit", json={}).status_code == 200
    own = both.send("POST", f"{path}/publish", json={"reason": "核对无误"})
    assert own.status_code == 409, "自己写的自己不能发布"
    told = reviewer.send("POST", f"{path}/publish", json={"reason": "核对无误"}).json()
    record = town.browser("auditor").http.get(f"/v1/decisions/{told['decision_id']}").json()
    assert (record["actor"], record["role"], record["authors"]) == ("kb_reviewer", "kb_reviewer", ["both"])
    assert town.browser("dispatcher").http.get(f"/v1/decisions/{told['decision_id']}").status_code == 403


def test_keys_bad_expired_and_revoked(town: Town) -> None:
    header = town.key("dispatcher")
    key_id = header["Authorization"].split("_")[1]
    assert town.client.get("/v1/access/me", headers=header).json()["name"] == f"key:{key_id}"
    for wrong in (header["Authorization"][:-1], f"Bearer zk_{key_id}_", "Bearer zk_", "Bearer x", "Basic YTpi", "zk_"):
        answer = town.client.get("/v1/access/me", headers={"Authorization": wrong})
        assert (answer.status_code, answer.json()["code"]) == (401, "E6525"), wrong
    admin = town.browser("admin")
    listed = next(one for one in admin.http.get("/v1/access/keys").json()["keys"] if one["key_id"] == key_id)
    assert listed["used_at"] and "secret" not in str(listed)
    assert admin.send("POST", f"/v1/access/keys/{key_id}/revoke", json={"reason": "换发"}).json()["revoked_at"]
    assert town.client.get("/v1/access/me", headers=header).status_code == 401
    header = town.key("dispatcher")
    with writing(town.engine) as connection:
        past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        key_id = header["Authorization"].split("_")[1]
        connection.execute(update(ACCESS_KEYS).where(ACCESS_KEYS.c.key_id == key_id).values(expires_at=past))
        connection.commit()
    assert town.client.get("/v1/access/me", headers=header).status_code == 401


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"roles": ["admin"]}, "E7860"),
        ({"roles": []}, "E7860"),
        ({"roles": ["auditor"]}, "E7856"),
        ({"roles": ["boss"]}, "E7854"),
        ({"roles": ["dispatcher"], "actions": ["audit.read"]}, "E7860"),
        ({"roles": ["dispatcher"], "actions": []}, "E7860"),
        ({"roles": ["dispatcher"], "units": ["没有的局"]}, "E7863"),
        ({"roles": ["dispatcher"], "districts": ["没有的区"]}, "E7863"),
        ({"roles": ["dispatcher"], "days": 367}, "E6502"),
    ],
)
def test_key_that_may_not_be_given(town: Town, wanted: dict, code: str) -> None:
    body = {"title": "机器", "reason": "测试用"} | wanted
    assert town.browser("admin").send("POST", "/v1/access/keys", json=body).json()["code"] == code


def test_account_from_the_first_day_to_the_last(town: Town) -> None:
    admin = town.browser("admin")
    body = {"name": "pd-100", "display": "张三", "roles": ["dispatcher"], "reason": "新到岗"}
    once = admin.send("POST", "/v1/access/accounts", json=body).json()["one_time_password"]
    person = town.browser("pd-100", once)
    assert person.http.get("/v1/access/me").json()["code"] == "E6526"
    assert person.http.get("/", headers=HTML).headers["location"] == "/account"
    new = {"csrf": person.csrf, "old": once, "new": PASSWORD}
    for again, code in (("another", 422), (PASSWORD, 303)):
        assert person.http.post("/account/password", data=new | {"again": again}).status_code == code
    assert person.http.get("/v1/access/me").json()["display"] == "张三"
    admin.send("PATCH", "/v1/access/accounts/pd-100", json={"closed": True, "reason": "调离"})
    assert person.http.get("/v1/access/me").status_code == 401
    assert town.browser("pd-100").signed_in.status_code == 401


def test_sign_out_everywhere(town: Town) -> None:
    put(town.engine, "twice", "dispatcher", at=datetime.now(UTC))
    one, two = town.browser("twice"), town.browser("twice")
    assert one.http.post("/account/sign-out-everywhere", data={"csrf": one.csrf}).status_code == 303
    assert two.http.get("/v1/access/me").status_code == 401


@pytest.fixture
def alone(config: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(config), raise_server_exceptions=False) as client:
        yield client


def test_without_accounts_this_machine_may_do_all_until_the_first(alone: TestClient, config: Settings) -> None:
    assert alone.get("/v1/access/me").json()["via"] == "local"
    assert "create-admin" in alone.get("/account").text
    body = {"name": "pd-017", "roles": ["dispatcher"], "reason": "新到岗"}
    assert alone.post("/v1/access/accounts", json=body).json()["code"] == "E7859"
    engine = make_engine(config.url)
    create_administrator(engine, order(at=datetime.now(UTC)), name="admin", security=False)
    engine.dispose()
    assert alone.get("/v1/access/me").status_code == 401, "有了第一个账号，立刻要登录"


def test_sign_in_may_be_required_from_the_start(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = client.app.state.runtime
    monkeypatch.setattr(runtime, "settings", runtime.settings.model_copy(update={"sign_in": "required"}))
    assert client.get("/v1/rules").json()["code"] == "E6520"
    assert "zhipai users create-admin" in client.get("/login").text
