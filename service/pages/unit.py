"""承办单位: the orders that are with it, what it asks for, what it replies."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection
from starlette.datastructures import FormData

from intake.errors import ZhipaiError
from service import clock, order_queue
from service.access import Actor
from service.access.grants import require
from service.api.auth import named, needs
from service.api.case_routes import foreseen, submitted
from service.cases import STATUSES, Ask
from service.cases_facts import CASE_KINDS, asked_facts, deadlines_since, material_facts, standing_of
from service.cases_read import (
    PAGE,
    CaseFilter,
    add_reply,
    list_cases,
    may_see,
    order_shown,
    reasons_of,
    replies_of,
    unit_orders,
)
from service.db.engine import reading
from service.pages.case_view import deadline_rows, fact_fields, read_facts, read_materials, ruling_view
from service.pages.form_fields import Fields, in_zone, new_key, part, word
from service.pages.forms import go_to
from service.pages.render import fragment, page
from service.runtime import Runtime

router = APIRouter(include_in_schema=False)
Asker = Annotated[Actor, Depends(needs("case.submit"))]
OrderId = Annotated[str, Path(max_length=64)]
#: What a page says once something was done.
DONE = {"asked": "申请已提交，等待审核。", "replied": "答复已保存。"}


@router.get("/unit")
def orders(request: Request, who: Asker, after: Annotated[str, Query(max_length=200)] = "") -> Response:
    """The orders that are with the actor's units, and what they asked for lately."""
    state = _runtime(request)
    with reading(state.engine) as connection:
        found = unit_orders(connection, scope=who.scope, after=after)
        asked = list_cases(connection, CaseFilter(status=""), scope=who.scope, most=10) if not after else []
    last = found[-1].row if len(found) == PAGE else None
    return page(
        request,
        "unit/orders.html",
        orders=found,
        local=in_zone(state.settings.time_zone),
        asked=asked,
        kinds=CASE_KINDS,
        statuses=STATUSES,
        scope=who.scope.says(),
        more=f"{last.due_at}|{last.order_id}" if last else "",
    )


@router.post("/unit/orders/{order_id:path}/foresee")
def foresee(request: Request, who: Asker, order_id: OrderId, form: Fields) -> Response:
    """What the rules would say, before anything is asked for."""
    return fragment(request, "cases/ruling.html", view=ruling_view(foreseen(request, who, _ask(who, order_id, form))))


@router.post("/unit/orders/{order_id:path}/ask")
def ask(request: Request, who: Asker, order_id: OrderId, form: Fields) -> Response:
    submitted(request, who, _ask(who, order_id, form))
    return go_to(request, f"/unit/orders/{part(order_id)}?done=asked&kind={part(word(form, 'kind'))}")


@router.post("/unit/orders/{order_id:path}/reply")
def reply(request: Request, who: Asker, order_id: OrderId, form: Fields) -> Response:
    state = _runtime(request)
    with reading(state.engine) as connection:
        standing = standing_of(connection, order_id)
    if standing is None:
        raise ZhipaiError("E7990", {"order_id": order_id[:80]})
    require(who, "case.submit", unit=standing.unit)
    now = clock.now(state.settings.time_zone)
    add_reply(state.engine, order_id, word(form, "text"), actor=named(who, word(form, "actor")), at=now)
    return go_to(request, f"/unit/orders/{part(order_id)}?done=replied")


@router.get("/unit/orders/{order_id:path}")
def order(
    request: Request,
    who: Asker,
    order_id: OrderId,
    kind: Annotated[str, Query(max_length=20)] = "return",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """One order of the unit: its text and deadlines, the form of a request, requests and replies so far."""
    kind = kind if kind in CASE_KINDS else "return"
    with reading(_runtime(request).engine) as connection:
        if not may_see(connection, order_id, who.scope):
            standing = standing_of(connection, order_id)
            if standing is None:
                raise ZhipaiError("E7990", {"order_id": order_id[:80]})
            require(who, "case.submit", unit=standing.unit)
        return page(
            request, "unit/order.html", **_order(request, connection, who, order_id, kind), done=DONE.get(done, "")
        )


def _order(request: Request, connection: Connection, who: Actor, order_id: str, kind: str) -> dict[str, Any]:
    state = _runtime(request)
    now = clock.now(state.settings.time_zone)
    snapshot = state.snapshot
    shown = order_shown(connection, order_id)
    standing = standing_of(connection, order_id)
    mine = standing is not None and who.may("case.submit", unit=standing.unit).allowed
    row = order_queue.read_row(connection, order_id)
    cases = list_cases(connection, CaseFilter(status="", order_id=order_id), scope=who.scope)
    extended = any(one.kind == "extension" and one.status == "accepted" for one in cases)
    deadlines = (
        deadlines_since(standing, snapshot.rules.pack, snapshot.calendar, kind=shown.get("order_type", ""))
        if standing is not None
        else []
    )
    units = sorted(unit.name for unit in snapshot.directory.in_force(now)) if kind == "return" else []
    return {
        "order_id": order_id,
        "order": shown,
        "standing": standing,
        "mine": mine,
        "due": datetime.fromisoformat(row.due).astimezone(now.tzinfo) if row and row.due and extended else None,
        "deadlines": deadline_rows(deadlines),
        "kind": kind,
        "kinds": CASE_KINDS,
        "statuses": STATUSES,
        "waiting": {one.kind for one in cases if one.status == "pending"},
        "cases": cases,
        "reasons": reasons_of(connection, cases),
        "replies": [
            {**one, "at": datetime.fromisoformat(one["created_at"])}
            for one in replies_of(connection, order_id)
            if who.scope.covers(unit=one["unit"])
        ],
        "fields": fact_fields(asked_facts(snapshot.rules.pack, kind, as_of=now), {}),
        "materials": material_facts(kind),
        "units": [name for name in units if standing is None or name != standing.unit],
        "key": new_key(),
    }


def _ask(who: Actor, order_id: str, form: FormData) -> Ask:
    return Ask(
        order_id,
        word(form, "kind"),
        word(form, "reason"),
        named(who, word(form, "actor")),
        word(form, "key"),
        read_facts(form),
        read_materials(form),
        word(form, "suggested_unit"),
    )


def _runtime(request: Request) -> Runtime:
    state: Runtime = request.app.state.runtime
    return state
