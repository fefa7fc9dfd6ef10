"""审计: the log with its filters, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from intake.errors import ZhipaiError, register
from rules.vocabulary import GATES
from service import clock
from service.access import Actor
from service.access.names import account_of
from service.api.auth import needs
from service.audit_query import AuditFilter, count_of, newest_first
from service.pages.audit_view import KINDS, line
from service.pages.order_view import STATES
from service.pages.render import fragment, names_for, page
from service.runtime import Runtime

register("E7982", "时刻的写法不对", "“{name}”的写法不对，请写成 2026-05-01 或 2026-05-01T09:30。")
register("E7967", "不止一个人叫这个名字", "有几个账号都叫“{name}”：{accounts}。请在“经办人”里填账号。")
register("E7983", "须先选单位", "您的范围是{scope}，请在“单位”里填写其中的一个，再查。", status=403)

router = APIRouter(include_in_schema=False)
Auditor = Annotated[Actor, Depends(needs("audit.read"))]
Text = Annotated[str, Query(max_length=200)]
PAGE = 50
#: The three answers to a question that may be left open.
EITHER = {"": None, "yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the filters hold, as they were typed."""

    since: str = ""
    until: str = ""
    kind: str = ""
    unit: str = ""
    actor: str = ""
    order_id: str = ""
    model: str = ""
    gate: str = ""
    rule: str = ""
    state: str = ""
    override: str = ""
    abstained: str = ""

    def given(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}

    def meant(self, zone: str, names: Mapping[str, str]) -> AuditFilter:
        """The filter; E7982 for an instant that cannot be read, E7967 for a name of several people (``names``: account →
        name), E7900–E7902 as there."""
        plain = {name: value for name, value in self.given().items() if name not in _READ}
        if self.actor:
            plain["actor"] = _account(self.actor, names)
        return AuditFilter(
            since=_instant("从", self.since, zone),
            until=_instant("到", self.until, zone, whole_day=True),
            override=EITHER.get(self.override),
            abstained=EITHER.get(self.abstained),
            **plain,
        )


def _account(typed: str, names: Mapping[str, str]) -> str:
    """Pages show names, records hold accounts: either may be typed."""
    meant = account_of(typed, names)
    if len(meant) > 1:
        raise ZhipaiError("E7967", {"name": typed[:40], "accounts": "、".join(meant[:10])}, where="query:actor")
    return meant[0]


_READ = frozenset({"since", "until", "override", "abstained"})


def asked_for(
    since: Text = "",
    until: Text = "",
    kind: Text = "",
    unit: Text = "",
    actor: Text = "",
    order_id: Text = "",
    model: Text = "",
    gate: Text = "",
    rule: Text = "",
    state: Text = "",
    override: Text = "",
    abstained: Text = "",
) -> Asked:
    given = (since, until, kind, unit, actor, order_id, model, gate, rule, state, override, abstained)
    return Asked(*(one.strip() for one in given))


Wanted = Annotated[Asked, Depends(asked_for)]


@router.get("/audit")
def log(request: Request, who: Auditor, asked: Wanted, before: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """The newest records that fit, and the filters. What is wrong with these is said beside them."""
    state = runtime(request)
    try:
        rows, more = _found(request, who, asked, before)
        problem = ""
    except ZhipaiError as error:
        rows, more, problem = [], "", error.message
    return page(
        request,
        "audit/log.html",
        status_code=422 if problem else 200,
        tab="log",
        rows=rows,
        more=more,
        problem=problem,
        export=export_addresses(request, who, asked) if not problem else {},
        **filters(asked, state),
    )


@router.get("/audit/rows")
def rows(request: Request, who: Auditor, asked: Wanted, before: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """The next page of the table."""
    found, more = _found(request, who, asked, before)
    return fragment(request, "audit/rows.html", rows=found, more=more)


@router.get("/audit/count")
def count(request: Request, who: Auditor, asked: Wanted) -> Response:
    """How many there are: asked for after the page is there, as it may take a second."""
    state = runtime(request)
    return fragment(request, "audit/count.html", number=count_of(state.engine, checked(request, who, asked)))


def _found(request: Request, who: Actor, asked: Asked, before: int | None) -> tuple[list[dict[str, Any]], str]:
    wanted, state = checked(request, who, asked), runtime(request)
    found, following = newest_first(state.engine, wanted, before=before, limit=PAGE, zone=state.settings.time_zone)
    more = "?" + urlencode(asked.given() | {"before": following}) if following else ""
    return [line(row) for row in found], more


def checked(request: Request, who: Actor, asked: Asked) -> AuditFilter:
    """The filter, if it lies within what somebody may see; E7983 otherwise."""
    wanted = _meant(request, asked)
    if not who.scope.all and not (wanted.unit and who.scope.covers(unit=wanted.unit)):
        raise ZhipaiError("E7983", {"scope": who.scope.says()}, where="query:unit")
    return wanted


def _meant(request: Request, asked: Asked) -> AuditFilter:
    return asked.meant(runtime(request).settings.time_zone, names_for(request) if asked.actor else {})


def filters(asked: Asked, state: Runtime) -> dict[str, Any]:
    """What ``audit/filters.html`` reads."""
    today = clock.now(state.settings.time_zone).date()
    return {
        "asked": asked,
        "query": urlencode(asked.given()),
        "kinds": KINDS,
        "gates": GATES,
        "states": STATES,
        "units": sorted({unit.name for unit in state.snapshot.directory.units}),
        "spans": [
            (name, urlencode({**asked.given(), "since": (today - timedelta(days=back)).isoformat(), "until": ""}))
            for name, back in (("今天", 0), ("近 7 天", 6), ("近 30 天", 29))
        ],
        "narrowed": sum(name not in ("since", "until", "kind", "order_id") for name in asked.given()),
    }


def export_addresses(request: Request, who: Actor, asked: Asked) -> dict[str, str]:
    """Format → address of the export of what is shown; empty for who may not export."""
    if not who.may("audit.export").allowed:
        return {}
    given: Mapping[str, Any] = _meant(request, asked).given()
    values = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    return {form: "/v1/audit/export?" + urlencode({**values, "format": form}) for form in ("xlsx", "csv", "jsonl")}


def _instant(name: str, said: str, zone: str, *, whole_day: bool = False) -> datetime | None:
    """What was typed as an instant of the zone. A day is its beginning, or with ``whole_day`` that of the next."""
    if not said:
        return None
    try:
        if len(said) == len("2026-05-01"):
            day = date.fromisoformat(said) + timedelta(days=1 if whole_day else 0)
            return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
        at = datetime.fromisoformat(said)
    except (ValueError, OverflowError) as error:
        raise ZhipaiError("E7982", {"name": name}, where="query") from error
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))


def runtime(request: Request) -> Runtime:
    state: Runtime = request.app.state.runtime
    return state
