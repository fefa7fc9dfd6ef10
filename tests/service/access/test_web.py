"""What OWASP ASVS asks of any web service: headers, host names, uploads, logs, exports, generic errors."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from fastapi.testclient import TestClient

from service.access.passwords import hash_password
from service.api.middleware import Gatekeeper, check_host, form_csrf
from service.logging import configure
from service.table_writer import FORMULA_STARTS, safe_cell
from tests.service.access.conftest import PASSWORD, Town

PAGES = ["/login", "/v1/errors", "/healthz", "/nowhere"]


@pytest.mark.parametrize("path", PAGES)
def test_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin" and "no-store" in headers["cache-control"]
    assert "server" not in headers and "x-powered-by" not in headers


def test_documentation_has_a_policy_of_its_own(client: TestClient) -> None:
    assert "script-src 'self' 'unsafe-inline'" in client.get("/docs").headers["content-security-policy"]


def test_pages_hold_no_inline_script_or_style(client: TestClient, town: Town) -> None:
    for text in (
        client.get("/login").text,
        client.get("/account").text,
        town.browser("dispatcher").http.get("/account").text,
    ):
        assert "<style" not in text and " style=" not in text and " onclick=" not in text
        assert all("src=" in tag.split(">")[0] for tag in text.split("<script")[1:])


def test_names_by_which_the_service_may_be_called() -> None:
    allowed = frozenset({"127.0.0.1", "zhipai.example"})
    for host in ("127.0.0.1:8000", "Zhipai.Example", "zhipai.example:443"):
        check_host(host, allowed)
    for host in ("evil.example", "zhipai.example.evil", "", "127.0.0.1.evil:8000", "zhipai.example@evil"):
        with pytest.raises(Exception, match="E6509"):
            check_host(host, allowed)


def gate(limit: int, upload: int) -> TestClient:
    async def app(scope, receive, send) -> None:
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(body)).encode()})

    return TestClient(Gatekeeper(app, max_body_bytes=limit, max_upload_bytes=upload))


def test_size_is_checked_before_anything_is_unpacked() -> None:
    client = gate(100, 1000)
    assert client.post("/", content=b"x" * 100).text == "100"
    assert client.post("/", content=b"x" * 101).json()["code"] == "E6506"
    zipped = {"file": ("a.xlsx", b"PK\x03\x04\xff\xfe" * 20)}
    assert client.post("/", files=zipped).status_code == 200, "上传的文件不是文字，不查编码"
    assert client.post("/", files={"file": ("a.xlsx", b"\x00" * 1000)}).json()["code"] == "E6506"
    chunks = (b"x" * 60 for _ in range(3))
    assert client.post("/", content=chunks).json()["code"] == "E6506", "没有报长度的也一样"


def test_token_of_a_form_is_found_and_nothing_else_is_read() -> None:
    token = "a" * 64
    assert form_csrf("application/x-www-form-urlencoded", f"x=1&csrf={token}".encode()) == token
    part = f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{token}\r\n--b'.encode()
    assert form_csrf("multipart/form-data; boundary=b", part) == token
    assert form_csrf("multipart/form-data; boundary=b", b"x" * 2000 + part) == ""
    assert form_csrf("application/json", f'{{"csrf": "{token}"}}'.encode()) == ""
    assert form_csrf("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 2000)) == ""


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch):
    """Turns the log to standard error of this test, and back."""
    before = structlog.get_config()
    yield lambda kind: (structlog.reset_defaults(), configure(kind))
    structlog.configure(**before)


@pytest.mark.parametrize("kind", ["json", "console"])
def test_log_cannot_be_forged(log, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    log(kind)
    evil = "x\n2026-05-06 [info] signed_in account=admin\r\x1b[2K\x1b]0;title\x07\u2028 end"
    structlog.get_logger().info("request_failed", path=evil, code="E1")
    lines = capsys.readouterr().err
    assert lines.count("\n") == 1 and "\r" not in lines and "\x1b" not in lines and "\x07" not in lines
    if kind == "json":
        assert json.loads(lines)["path"] == evil


def test_log_holds_no_secret(town: Town, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    header = town.key("dispatcher")
    browser = town.browser("dispatcher")
    town.browser("dispatcher", "wrong-password-typed")
    town.client.get("/v1/access/me", headers=header)
    town.client.get("/v1/access/me", headers={"Authorization": header["Authorization"] + "x"})
    browser.http.post("/account/password", data={"csrf": browser.csrf, "old": PASSWORD, "new": "x", "again": "x"})
    said = capsys.readouterr()
    everything = said.out + said.err + "".join(record.getMessage() for record in caplog.records)
    secrets = [PASSWORD, "wrong-password-typed", header["Authorization"], browser.http.cookies["zhipai"], browser.csrf]
    assert not [secret for secret in secrets if secret in everything]


def test_settings_do_not_print_the_secret(town: Town) -> None:
    assert "s3cret-of-ours" not in repr(town.settings) and "s3cret-of-ours" not in str(town.settings)


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_no_formula_leaves_the_house(start: str) -> None:
    assert safe_cell(f"{start}HYPERLINK(1)").startswith("'")


def test_unexpected_error_says_nothing_of_its_cause(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"SELECT secret FROM {hash_password('x')}")

    monkeypatch.setattr("service.api.access_routes.accounts.list_accounts", fail)
    http = TestClient(town.client.app, raise_server_exceptions=False)
    http.post("/login", data={"name": "admin", "password": PASSWORD})
    answer = http.get("/v1/access/accounts")
    assert (answer.status_code, answer.json()["code"]) == (500, "E6505")
    assert "SELECT" not in answer.text and "RuntimeError" not in answer.text
