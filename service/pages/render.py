"""Templates to answers: one environment with autoescape, and what every page is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from intake.errors import ZhipaiError
from service.access import Actor
from service.access.names import person, read_names
from service.api.auth import csrf_token
from service.db.engine import reading
from service.pages.navigation import items_for
from service.pages.static import address
from service.version import VERSION

WEEKDAYS = "一二三四五六日"


def _instant(value: str | datetime | None) -> str:
    """``2026-05-12 23:59`` for a person; empty for none."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{at:%Y-%m-%d %H:%M}"


def _short_instant(value: str | datetime | None) -> str:
    """``5月12日（周二）23:59``."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{at.month}月{at.day}日（周{WEEKDAYS[at.weekday()]}）{at:%H:%M}"


def _percent(value: float) -> str:
    """``81%``; what would round to 0 or 100 without being so keeps a digit."""
    return f"{value:.1%}" if 0 < value < 0.01 or 0.99 < value < 1 else f"{value:.0%}"


def _box(value: str) -> str:
    """The kind of input that shows a date as it was typed: a browser's date box shows nothing of what is no date."""
    try:
        return "date" if not value or date.fromisoformat(value).isoformat() == value else "text"
    except ValueError:
        return "text"


ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
ENVIRONMENT.filters |= {"instant": _instant, "short_instant": _short_instant, "percent": _percent, "date_box": _box}
ENVIRONMENT.globals |= {"static": address, "version": VERSION}


def page(
    request: Request, name: str, *, status_code: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """A whole page: the template with the actor, the navigation and the CSRF token."""
    actor = _actor(request)
    given = {"nav": items_for(actor) if actor else (), "path": request.url.path, **context}
    return fragment(request, name, status_code=status_code, headers=headers, **given)


def fragment(
    request: Request, name: str, *, status_code: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """A part of a page, for htmx."""
    token = csrf_token(request)

    def csrf_field() -> Markup:
        return Markup('<input type="hidden" name="csrf" value="{}">').format(token)

    body = ENVIRONMENT.get_template(name).render(
        actor=_actor(request),
        csrf=token,
        csrf_field=csrf_field,
        person=lambda name: _person(name, names_for(request)),
        request_id=getattr(request.state, "request_id", ""),
        **context,
    )
    # What is shown depends on who asks and may hold order texts: no shared store keeps it.
    return HTMLResponse(body, status_code, {"Cache-Control": "private, no-store", **(headers or {})})


def names_for(request: Request) -> Mapping[str, str]:
    """Account → name (:func:`service.access.names.read_names`), read once for a request, and only if asked for."""
    found: Mapping[str, str] | None = getattr(request.state, "names", None)
    if found is None:
        with reading(request.app.state.runtime.engine) as connection:
            found = request.state.names = read_names(connection)
    return found


def _person(actor: str, names: Mapping[str, str]) -> Markup:
    """Who did something: the name, with what stands in the records on its title."""
    found = person(actor, names)
    if not found.account:
        return escape(found.said)
    return Markup('<span title="记录里是 {}">{}</span>').format(found.account, found.said)


def _actor(request: Request) -> Actor | None:
    """Whoever asks, as the route's dependency found out; None on a page for everybody (sign-in)."""
    found: Actor | None = getattr(request.state, "actor", None)
    return found


def wants_page(request: Request) -> bool:
    """Whether an error is read by a person in a browser: a page is asked for, not data, and not a part of a page."""
    return (
        "text/html" in request.headers.get("accept", "")
        and "hx-request" not in request.headers
        and not request.url.path.startswith("/v1/")
    )


def error_page(error: ZhipaiError, request: Request) -> HTMLResponse:
    """What went wrong, as a page. It stands alone: whatever failed may be what the header needs."""
    body = ENVIRONMENT.get_template("error.html").render(
        error=error, request_id=getattr(request.state, "request_id", "")
    )
    return HTMLResponse(body, error.status, {"Cache-Control": "no-store"})
