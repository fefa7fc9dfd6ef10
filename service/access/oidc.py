"""Sign in at an OpenID Connect provider (统一身份认证): authorization code with PKCE, state and nonce."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import Engine, select

from intake.errors import ZhipaiError, register
from service.access.outbound import is_loopback
from service.db.engine import reading
from service.db.tables_access import ACCOUNTS

register(
    "E6527",
    "统一登录的用户没有账号",
    "统一登录成功，但你在智派还没有账号或账号已停用。请系统管理员建立账号，并填上你的用户编号：{subject}。",
    status=403,
)
register("E6528", "统一登录没有成功", "统一登录没有成功：{problem}。请重试，或用账号和密码登录。", status=502)
register("E6533", "登录已经过期", "这次登录已经过期，或不是在这个浏览器里开始的。请回到登录页重新登录。", status=400)
register("E6532", "没有设统一登录", "这里没有设统一登录。请用账号和密码登录。", status=404)

#: Signatures that only the provider can make. A shared secret (HS256) or none is refused.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
LEEWAY_SECONDS = 60
TIMEOUT = httpx.Timeout(5.0)


@dataclass(frozen=True, slots=True)
class Provider:
    """Where people sign in, and how this service is known there."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Flow:
    """One attempt. All that has to be remembered follows from one random value in a short-lived cookie, so that any
    worker can finish what another began; who sees the state or the nonce learns nothing about the others."""

    secret: str

    @classmethod
    def new(cls) -> Flow:
        return cls(secrets.token_urlsafe(32))

    def _part(self, name: str) -> str:
        return hmac.new(self.secret.encode(), name.encode(), hashlib.sha256).hexdigest()

    @property
    def state(self) -> str:
        return self._part("state")

    @property
    def nonce(self) -> str:
        return self._part("nonce")

    @property
    def verifier(self) -> str:
        return self._part("verifier")


def begin(provider: Provider, flow: Flow) -> str:
    """Where the browser is sent; E6528 if the provider does not answer."""
    digest = hashlib.sha256(flow.verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": provider.redirect_uri,
        "scope": "openid",
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    address = _metadata(provider.issuer)["authorization_endpoint"]
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def finish(provider: Provider, flow: Flow, answer: Mapping[str, str], *, at: datetime) -> str:
    """Who signed in (the ``sub`` claim).

    Parameters
    ----------
    answer : mapping
        The query with which the provider sent the browser back.

    Raises
    ------
    ZhipaiError
        E6533 if the state is another's, E6528 if the provider refused, or the token is not for us, not from it, or not of now.
    """
    if not hmac.compare_digest(answer.get("state", "").encode(), flow.state.encode()):
        raise ZhipaiError("E6533")
    if "code" not in answer:
        raise ZhipaiError("E6528", {"problem": "统一身份认证没有同意"})
    metadata = _metadata(provider.issuer)
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": provider.redirect_uri,
        "code_verifier": flow.verifier,
        "client_id": provider.client_id,
    }
    secret: tuple[str, str] | None = (quote(provider.client_id, safe=""), quote(provider.client_secret, safe=""))
    if metadata.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]:
        form["client_secret"] = provider.client_secret
        secret = None
    token = _json(
        lambda: httpx.post(metadata["token_endpoint"], data=form, auth=secret, timeout=TIMEOUT, follow_redirects=False)
    )
    return _subject(provider, str(token.get("id_token", "")), _get(metadata["jwks_uri"]), flow.nonce, at)


def account_of(engine: Engine, subject: str) -> str:
    """The account of somebody who signed in at the provider; E6527 if an administrator made none."""
    with reading(engine) as connection:
        row = connection.execute(
            select(ACCOUNTS.c.name, ACCOUNTS.c.closed).where(ACCOUNTS.c.subject == subject)
        ).first()
    if row is None or row.closed:
        raise ZhipaiError("E6527", {"subject": subject[:80]})
    return row.name


def _subject(provider: Provider, id_token: str, keys: dict[str, Any], nonce: str, at: datetime) -> str:
    rules: dict[str, Any] = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": provider.client_id},
        "nonce": {"essential": True, "value": nonce},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }
    try:
        claims = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims  # type: ignore[arg-type]
        jwt.JWTClaimsRegistry(now=int(at.timestamp()), leeway=LEEWAY_SECONDS, **rules).validate(claims)
    except (JoseError, ValueError, KeyError) as error:
        raise ZhipaiError("E6528", {"problem": "统一身份认证的令牌不可信"}) from error
    # A token for several services names the one that it was issued to.
    if claims.get("azp", provider.client_id) != provider.client_id:
        raise ZhipaiError("E6528", {"problem": "统一身份认证的令牌不是给智派的"})
    return claims["sub"]


@lru_cache(maxsize=4)
def _metadata(issuer: str) -> dict[str, Any]:
    """The provider's own description (OpenID Connect Discovery). What is wrong is not remembered."""
    if urlsplit(issuer).scheme != "https" and not is_loopback(urlsplit(issuer).hostname or ""):
        raise ZhipaiError("E6528", {"problem": "签发者地址须用 https"})
    found = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != issuer:
        raise ZhipaiError("E6528", {"problem": "签发者与设置的不一致"})
    if not all(
        isinstance(found.get(f"{name}"), str) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    ):
        raise ZhipaiError("E6528", {"problem": "统一身份认证的说明不完整"})
    return found


def _get(url: str) -> dict[str, Any]:
    return _json(lambda: httpx.get(url, timeout=TIMEOUT, follow_redirects=False))


def _json(ask: Callable[[], httpx.Response]) -> dict[str, Any]:
    """What the provider answers; E6528 if that is nothing, an error, or no JSON object."""
    try:
        answer = ask()
        answer.raise_for_status()
        found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ZhipaiError("E6528", {"problem": "统一身份认证没有应答，或不同意"}) from error
    if not isinstance(found, dict):
        raise ZhipaiError("E6528", {"problem": "统一身份认证的应答看不懂"})
    return found
