"""Sign in at a real OpenID provider that runs on loopback."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from intake.errors import ZhipaiError
from service.access import oidc
from tests.service.access.conftest import Town

CLIENT, BACK = "zhipai", "http://testserver/login/oidc/callback"


@pytest.fixture
def browser(town: Town) -> TestClient:
    """``by-oidc`` is user-17 at the provider, ``gone`` is user-gone."""
    return TestClient(town.client.app, follow_redirects=False)


def consent(url: str, subject: str) -> str:
    """What the person does at the provider: names himself there, and is sent back with a code."""
    answer = httpx.post(url, data={"sub": subject}, follow_redirects=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def test_whoever_has_an_account_gets_in(browser: TestClient) -> None:
    assert "用统一身份认证登录" in browser.get("/login").text
    begun = browser.get("/login/oidc")
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["state"] != asked["nonce"]
    assert asked["redirect_uri"] == [BACK] and asked["scope"] == ["openid"]
    cookie = begun.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/login/oidc" in cookie
    back = browser.get(consent(begun.headers["location"], "user-17"))
    assert back.status_code == 303 and back.headers["location"] == "/"
    assert browser.get("/v1/access/me").json()["name"] == "by-oidc"


@pytest.mark.parametrize("subject", ["stranger", "user-gone"])
def test_unknown_subject_is_told_what_to_do(browser: TestClient, subject: str) -> None:
    answer = browser.get(consent(browser.get("/login/oidc").headers["location"], subject))
    assert answer.status_code == 403 and "E6527" in answer.text and subject in answer.text
    assert browser.get("/v1/access/me").status_code == 401


def test_answer_that_began_elsewhere_is_refused(browser: TestClient) -> None:
    """Login CSRF: somebody's own answer of the provider, put before another browser."""
    link = consent(browser.get("/login/oidc").headers["location"], "user-17")
    browser.cookies.clear()
    assert "E6533" in browser.get(link).text
    browser.get("/login/oidc")
    assert "E6533" in browser.get(link).text, "另一次登录的 state 不对"
    assert browser.get("/v1/access/me").status_code == 401


def test_code_serves_once(browser: TestClient) -> None:
    begun = browser.get("/login/oidc")
    kept = dict(browser.cookies)
    link = consent(begun.headers["location"], "user-17")
    assert browser.get(link).status_code == 303
    browser.cookies.clear()
    browser.cookies.update(kept)
    answer = browser.get(link)
    assert answer.status_code == 502 and "E6528" in answer.text


def test_provider_that_says_no_or_nothing(browser: TestClient, issuer: str) -> None:
    begun = browser.get("/login/oidc")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    answer = browser.get(f"/login/oidc/callback?state={state}&error=access_denied")
    assert answer.status_code == 502 and "没有同意" in answer.text
    for wrong in ("http://localhost:1", f"{issuer}/", "http://192.0.2.1"):
        with pytest.raises(ZhipaiError) as caught:
            oidc.begin(oidc.Provider(wrong, CLIENT, "s", BACK), oidc.Flow.new())
        assert caught.value.code == "E6528"


def test_without_the_setting_there_is_no_such_way(client: TestClient) -> None:
    assert "login/oidc" not in client.get("/login").text
    assert client.get("/login/oidc").status_code == 404


NOW = datetime(2026, 5, 6, 9, 0, tzinfo=UTC)
PROVIDER = oidc.Provider("https://id.example", CLIENT, "s", BACK)
KEY = RSAKey.generate_key(2048, {"kid": "k1"})
KEYS = {"keys": [KEY.as_dict(private=False)]}
GOOD = {
    "iss": "https://id.example", "aud": CLIENT, "sub": "user-17", "nonce": "n",
    "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 300,
}  # fmt: skip


def test_good_token() -> None:
    token = jwt.encode({"alg": "RS256", "kid": "k1"}, GOOD, KEY)
    assert oidc._subject(PROVIDER, token, KEYS, "n", NOW) == "user-17"


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"nonce": "other"},
        {"nonce": None},
        {"exp": int(NOW.timestamp()) - 61},
        {"iat": int(NOW.timestamp()) + 3600},
        {"sub": None},
    ],
)
def test_token_that_is_not_for_us_is_refused(change: dict) -> None:
    claims = {key: value for key, value in (GOOD | change).items() if value is not None}
    token = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, KEY)
    with pytest.raises(ZhipaiError) as caught:
        oidc._subject(PROVIDER, token, KEYS, "n", NOW)
    assert caught.value.code == "E6528"


def test_token_of_another_signer_is_refused() -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "k1"})
    shared = OctKey.import_key(b"s3cret-of-ours, long enough for a digest")
    forged = [
        jwt.encode({"alg": "RS256", "kid": "k1"}, GOOD, stranger),
        jwt.encode({"alg": "HS256", "kid": "k1"}, GOOD, shared, algorithms=["HS256"]),
        "eyJhbGciOiJub25lIn0.e30.",
        "",
        "a.b.c",
    ]
    for token in forged:
        with pytest.raises(ZhipaiError) as caught:
            oidc._subject(PROVIDER, token, KEYS, "n", NOW)
        assert caught.value.code == "E6528"
