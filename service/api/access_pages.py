"""The pages of sign-in: ``/login``, ``/logout``, ``/account``."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from intake.errors import ZhipaiError
from service import clock
from service.access import Actor, oidc
from service.access.accounts import any_account, change_own_password
from service.access.passwords import LONGEST, PasswordRule
from service.access.roles import titles
from service.access.sessions import end, end_all, start
from service.access.sign_in import LockRule, sign_in
from service.api.auth import (
    COOKIES,
    actor_even_before_change,
    address_of,
    buckets,
    check_origin,
    csrf_token,
    limits_of,
    session_cookie,
)
from service.api.routes import runtime
from service.logging import get_logger
from service.pages.navigation import items_for
from service.pages.render import ENVIRONMENT
from service.settings import Settings

FLOW_COOKIE, FLOW_SECONDS = "zhipai-oidc", 600
Word = Annotated[str, Form(max_length=LONGEST * 4)]
router = APIRouter(include_in_schema=False)


def _page(request: Request, name: str, *, status_code: int = 200, **context: object) -> HTMLResponse:
    """A page that may be read before anybody signed in."""
    body = ENVIRONMENT.get_template(name).render(request_id=request.state.request_id, **context)
    return HTMLResponse(body, status_code, {"Cache-Control": "no-store"})


def _login(request: Request, *, next_path: str = "/", error: ZhipaiError | None = None) -> HTMLResponse:
    state = runtime(request)
    config = state.settings
    page = _page(
        request,
        "access/login.html",
        status_code=error.status if error else 200,
        error=error,
        next=next_path,
        accounts=any_account(state.engine),
        oidc=config.oidc_name if config.oidc_issuer else "",
    )
    if error is not None and error.status == 429:
        page.headers["Retry-After"] = str(error.params["seconds"])
    return page


@router.get("/login")
def login_page(request: Request, next: str = "/") -> Response:
    return _login(request, next_path=_local(next))


@router.post("/login", dependencies=[Depends(check_origin)])
def login(
    request: Request,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Word = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    state = runtime(request)
    config = state.settings
    rule = LockRule(failures=config.sign_in_failures, password_days=config.password_days)
    try:
        _limit(request)
        account = sign_in(state.engine, name.strip(), password, rule=rule, at=clock.now(config.time_zone))
    except ZhipaiError as error:
        return _login(request, next_path=_local(next), error=error)
    return _signed_in(request, account, _local(next))


@router.post("/logout")
def logout(request: Request, who: Annotated[Actor, Depends(actor_even_before_change)]) -> Response:
    end(runtime(request).engine, session_cookie(request))
    get_logger().info("signed_out", account=who.name)
    return _without_cookies(RedirectResponse("/login", status_code=303))


@router.get("/login/oidc")
def begin_oidc(request: Request) -> Response:
    flow = oidc.Flow.new()
    try:
        _limit(request)
        url = oidc.begin(_provider(request), flow)
    except ZhipaiError as error:
        return _login(request, error=error)
    answer = RedirectResponse(url, status_code=303)
    answer.set_cookie(
        FLOW_COOKIE,
        flow.secret,
        max_age=FLOW_SECONDS,
        path="/login/oidc",
        httponly=True,
        samesite="lax",
        secure=_secure(request),
    )
    return answer


@router.get("/login/oidc/callback")
def finish_oidc(request: Request) -> Response:
    state = runtime(request)
    flow = oidc.Flow(request.cookies.get(FLOW_COOKIE, ""))
    try:
        _limit(request)
        provider = _provider(request)
        if not flow.secret:
            raise ZhipaiError("E6533")
        at = clock.now(state.settings.time_zone)
        subject = oidc.finish(provider, flow, request.query_params, at=at)
        account = oidc.account_of(state.engine, subject)
    except ZhipaiError as error:
        get_logger().warning("oidc_refused", code=error.code)
        answer: Response = _login(request, error=error)
    else:
        get_logger().info("signed_in", account=account, oidc=True)
        answer = _signed_in(request, account, "/")
    answer.delete_cookie(FLOW_COOKIE, path="/login/oidc")
    return answer


@router.get("/account")
def account_page(
    request: Request, who: Annotated[Actor, Depends(actor_even_before_change)], done: bool = False
) -> Response:
    return _account(request, who, done=done)


@router.post("/account/password")
def change_password(
    request: Request,
    who: Annotated[Actor, Depends(actor_even_before_change)],
    old: Word = "",
    new: Word = "",
    again: Word = "",
) -> Response:
    state = runtime(request)
    config = state.settings
    rule = PasswordRule(config.password_length, config.password_classes)
    try:
        if who.via != "session":
            raise ZhipaiError("E6520")
        _limit(request)
        if new != again:
            raise ZhipaiError("E7857", {"problem": "两次输入的新密码不一样"})
        at = clock.now(config.time_zone)
        change_own_password(state.engine, who.name, old=old, new=new, rule=rule, at=at)
    except ZhipaiError as error:
        return _account(request, who, error=error)
    get_logger().info("password_changed", account=who.name)
    return _signed_in(request, who.name, "/account?done=true")


@router.post("/account/sign-out-everywhere")
def sign_out_everywhere(request: Request, who: Annotated[Actor, Depends(actor_even_before_change)]) -> Response:
    ended = end_all(runtime(request).engine, who.name)
    get_logger().info("signed_out", account=who.name, sessions=ended)
    return _without_cookies(RedirectResponse("/login", status_code=303))


def _account(request: Request, who: Actor, *, error: ZhipaiError | None = None, done: bool = False) -> HTMLResponse:
    session = getattr(request.state, "session", None)
    must_change = session is not None and session.must_change
    config = runtime(request).settings
    return _page(
        request,
        "access/account.html",
        status_code=error.status if error else 200,
        actor=who,
        nav=() if must_change else items_for(who),
        path=request.url.path,
        csrf=csrf_token(request),
        error=error,
        done=done and not must_change,
        must_change=must_change,
        roles=titles(who.roles),
        rule=PasswordRule(config.password_length, config.password_classes),
    )


def _signed_in(request: Request, account: str, path: str) -> Response:
    """A fresh session, whatever the browser had before, and on to the page that was wanted."""
    state = runtime(request)
    limits = limits_of(state.settings)
    end(state.engine, session_cookie(request))
    token = start(state.engine, account, at=clock.now(state.settings.time_zone), limits=limits)
    answer = _without_cookies(RedirectResponse(path, status_code=303))
    secure = _secure(request)
    answer.set_cookie(
        COOKIES[0] if secure else COOKIES[1], token, path="/", httponly=True, samesite="lax", secure=secure
    )
    return answer


def _without_cookies(answer: Response) -> Response:
    answer.delete_cookie(COOKIES[0], path="/", secure=True, httponly=True)
    answer.delete_cookie(COOKIES[1], path="/", httponly=True)
    return answer


def _secure(request: Request) -> bool:
    return runtime(request).settings.cookie_secure == "always" or request.url.scheme == "https"


def _local(path: str) -> str:
    """A page of ours, and never an address elsewhere (open redirect)."""
    parts = urlsplit(path)
    elsewhere = parts.scheme or parts.netloc or not path.startswith("/") or path.startswith(("//", "/\\"))
    return "/" if elsewhere or any(character < " " for character in path) else path


def _limit(request: Request) -> None:
    """E6524 for an address that tries too often, whatever name it tries."""
    buckets(request, "sign_in", runtime(request).settings.sign_in_per_minute).take(address_of(request))


def _provider(request: Request) -> oidc.Provider:
    config: Settings = runtime(request).settings
    if not config.oidc_issuer:
        raise ZhipaiError("E6532")
    base = config.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    secret = config.oidc_client_secret.get_secret_value()
    return oidc.Provider(config.oidc_issuer, config.oidc_client_id, secret, f"{base}/login/oidc/callback")
