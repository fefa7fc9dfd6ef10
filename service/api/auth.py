"""The dependencies by which a route knows who asks and whether he may.

``Depends(needs("dispatch.decide"))`` on every route that is not for everybody; a test walks the routes and fails for one
without. Where the unit is known only later, the route calls :func:`service.access.grants.require` with it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from urllib.parse import quote, urlsplit

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from intake.errors import ZhipaiError, register
from intake.unit import UnitDirectory
from service import clock
from service.access.accounts import any_account
from service.access.actor import THIS_MACHINE, Actor, Scope
from service.access.grants import require
from service.access.keys import PREFIX, find_key
from service.access.rate import Buckets
from service.access.sessions import Limits, Session, find
from service.runtime import Runtime
from service.settings import Settings

register("E6520", "需要登录", "请先登录。网页请打开 /login；程序请在 Authorization 头里带接口密钥。", status=401)
register(
    "E6523", "请求来源不对", "这个请求不是从智派的页面发出的，或页面已经过期，没有执行。请刷新页面后再试。", status=403
)
register("E6526", "请先修改密码", "现在用的是一次性或已到期的密码，请先打开 /account 修改密码。", status=403)
register(
    "E6530", "操作人不符", "actor 写的是“{said}”，与登录的“{name}”不是同一个人。请不填 actor，或用自己的账号登录。"
)

COOKIES = ("__Host-zhipai", "zhipai")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def limits_of(settings: Settings) -> Limits:
    return Limits(timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours))


def actor(request: Request) -> Actor:
    """Whoever asks. E6520 if sign-in is required and nobody signed in; E6523, E6524, E6525, E6526."""
    found = _identified(request)
    session: Session | None = getattr(request.state, "session", None)
    if session is not None and session.must_change:
        raise ZhipaiError("E6526")
    return found


def actor_even_before_change(request: Request) -> Actor:
    """Like :func:`actor`, for the pages on which a one-time password is changed."""
    return _identified(request)


def needs(*actions: str) -> Callable[[Request], Actor]:
    """A dependency: whoever asks, if he may do one of ``actions``; E6521 with the reason otherwise."""

    def allowed(request: Request) -> Actor:
        found = actor(request)
        if not any(found.may(action).allowed for action in actions):
            require(found, actions[0])
        return found

    allowed.actions = actions  # type: ignore[attr-defined]  # read by the test that walks the routes
    return allowed


def csrf_token(request: Request) -> str:
    """The token that forms and scripts of a page send back; empty where nobody is signed in."""
    session: Session | None = getattr(request.state, "session", None)
    return session.csrf if session else ""


def named(actor: Actor, said: str, *, on_behalf: bool = False) -> str:
    """Who stands in the record. ``said``: the name in the request's body.

    Without accounts it is the name in the body. A person stands for himself. A key does too, but for a dispatch
    (``on_behalf``) it may name the person who decided: ``key:<id>/<name>``. E6502 without a name, E6530 for another's.
    """
    said = said.strip()
    if actor.via == "local":
        if not said:
            raise ZhipaiError("E6502", {"field": "actor", "problem": "不能为空"}, "/actor")
        return said
    if not said or said == actor.name:
        return actor.name
    if actor.via == "key" and on_behalf:
        return f"{actor.name}/{said}"
    raise ZhipaiError("E6530", {"said": said[:64], "name": actor.name}, "/actor")


def sign_in_required(request: Request) -> bool:
    """Whether people have to sign in here. It never becomes false again: accounts are closed, not deleted."""
    state = request.app.state
    if state.runtime.settings.sign_in == "required" or getattr(state, "has_accounts", False):
        return True
    state.has_accounts = any_account(state.runtime.engine)
    return state.has_accounts


def sign_in_page(error: ZhipaiError, request: Request) -> Response | None:
    """Where a person who opened a page is sent to sign in or to change a password; None for a program."""
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
    if not wants_page or request.headers.get("hx-request") or request.method not in SAFE:
        return None
    if error.code == "E6520":
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(path, safe='')}", status_code=303)
    return RedirectResponse("/account", status_code=303) if error.code == "E6526" else None


def check_origin(request: Request) -> None:
    """E6523 for a change that a browser sends from a page that is not ours."""
    if request.method in SAFE:
        return
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise ZhipaiError("E6523")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ZhipaiError("E6523")


def session_cookie(request: Request) -> str:
    """The token of the session, or nothing."""
    return next((request.cookies[name] for name in COOKIES if name in request.cookies), "")


def _identified(request: Request) -> Actor:
    found: Actor | None = getattr(request.state, "actor", None)
    if found is None:
        found = _identify(request)
        request.state.actor = found
    return found


def _identify(request: Request) -> Actor:
    runtime: Runtime = request.app.state.runtime
    at = clock.now(runtime.settings.time_zone)
    header = request.headers.get("authorization", "")
    if header:
        scheme, _, key = header.partition(" ")
        try:
            if scheme.lower() != "bearer" or not key.startswith(PREFIX):
                raise ZhipaiError("E6525")
            found = find_key(runtime.engine, key.strip(), at=at)
        except ZhipaiError:
            _take(request, address_of(request))
            raise
        _take(request, found.name)
        return _seeing_children(found, runtime.snapshot.directory)
    check_origin(request)
    token = session_cookie(request)
    session = find(runtime.engine, token, at=at, limits=limits_of(runtime.settings)) if token else None
    if session is not None:
        _take(request, session.csrf)
        request.state.session = session
        sent = request.headers.get("x-csrf-token") or str(getattr(request.state, "form_csrf", ""))
        if request.method not in SAFE and not hmac.compare_digest(sent.encode(), session.csrf.encode()):
            raise ZhipaiError("E6523")
        return _seeing_children(session.actor, runtime.snapshot.directory)
    if sign_in_required(request):
        _take(request, address_of(request))
        raise ZhipaiError("E6520")
    return THIS_MACHINE


def _take(request: Request, subject: str) -> None:
    buckets(request, "requests", request.app.state.runtime.settings.requests_per_minute).take(subject)


def buckets(request: Request, name: str, per_minute: int) -> Buckets:
    """The buckets of this process for one purpose."""
    state = request.app.state
    if not hasattr(state, "buckets"):
        state.buckets = {}
    return state.buckets.setdefault(name, Buckets(per_minute))


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def _seeing_children(found: Actor, directory: UnitDirectory) -> Actor:
    return replace(found, scope=_expanded(found.scope, directory))


@lru_cache(maxsize=64)
def _expanded(scope: Scope, directory: UnitDirectory) -> Scope:
    return scope.with_children(directory)
