"""派单工作台: the queue on the left, one order in the middle, what is proposed on the right."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from service import clock, order_queue
from service.access import Actor
from service.access.grants import require
from service.api.auth import needs
from service.db.engine import reading
from service.order_queue import OPEN, RETURNED, STATUSES, QueueFilter, Row
from service.pages.order_view import order_view
from service.pages.render import fragment, page
from service.runtime import Runtime

router = APIRouter(include_in_schema=False)
Dispatcher = Annotated[Actor, Depends(needs("dispatch.decide"))]
OrderId = Annotated[str, Path(max_length=64)]
#: The list of the queue: what it may show, by name.
LISTS = {"": "全部待办", **STATUSES}


def queue_filter(
    status: Annotated[str, Query(max_length=20)] = "",
    district: Annotated[str, Query(max_length=200)] = "",
    channel: Annotated[str, Query(max_length=200)] = "",
    abstained: Annotated[str, Query(max_length=5)] = "",
    after: Annotated[str, Query(max_length=120)] = "",
) -> QueueFilter:
    """The filters of the list, as its form sends them; an unknown status is that of all that wait."""
    return QueueFilter(status if status in LISTS else "", district, channel, bool(abstained), after)


Asked = Annotated[QueueFilter, Depends(queue_filter)]


@router.get("/workbench")
def workbench(request: Request, actor: Dispatcher, asked: Asked, list: str = "") -> Response:
    """The first order of the queue, or with ``?list=1`` the queue alone (on a telephone there is room for one)."""
    with reading(_runtime(request).engine) as connection:
        rows = order_queue.read_page(connection, asked, scope=actor.scope)
        row = rows[0] if rows and not list else None
        shown = _order(request, connection, row) | {"waiting": bool(rows)}
        return _page(request, connection, actor, asked, rows, shown)


@router.get("/workbench/queue")
def queue(
    request: Request, actor: Dispatcher, asked: Asked, open: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """The list alone, when the filters or the queue changed, or its next page (``after``)."""
    with reading(_runtime(request).engine) as connection:
        rows = order_queue.read_page(connection, asked, scope=actor.scope)
        if asked.after:
            return fragment(request, "workbench/rows.html", rows=rows, more=_more(asked, rows), open=open)
        return fragment(request, "workbench/list.html", **_queue(connection, actor, asked, rows), open=open)


@router.get("/workbench/orders/{order_id:path}")
def order(request: Request, actor: Dispatcher, asked: Asked, order_id: OrderId) -> Response:
    """One order: the part for htmx, or the whole page for whoever comes by its address."""
    with reading(_runtime(request).engine) as connection:
        row = visible(connection, actor, order_id)
        shown = _order(request, connection, row)
        if "hx-request" in request.headers:
            return fragment(request, "workbench/order.html", **shown)
        rows = order_queue.read_page(connection, asked, scope=actor.scope)
        return _page(request, connection, actor, asked, rows, shown)


def visible(connection: Connection, actor: Actor, order_id: str) -> Row:
    """The order's line; E7950 if it was never filed, E6521 if it lies outside what the actor may see."""
    row = order_queue.require_row(connection, order_id)
    if row.district or row.unit:
        require(actor, "dispatch.decide", unit=row.unit or None, district=row.district or None)
    return row


def answer_with(
    request: Request, row: Row | None, asked: QueueFilter, *, headers: dict[str, str] | None = None
) -> Response:
    """The part of the page that shows an order (or that none is left), with the address that goes with it."""
    with reading(_runtime(request).engine) as connection:
        shown = _order(request, connection, row)
    address = f"/workbench/orders/{row.order_id}" if row else "/workbench"
    return fragment(
        request, "workbench/order.html", headers={"HX-Push-Url": address + _query(asked), **(headers or {})}, **shown
    )


def _page(
    request: Request, connection: Connection, actor: Actor, asked: QueueFilter, rows: list[Row], shown: dict[str, Any]
) -> Response:
    state = _runtime(request)
    today = clock.now(state.settings.time_zone)
    units = sorted(unit.name for unit in state.snapshot.directory.in_force(today))
    return page(request, "workbench/page.html", units=units, **_queue(connection, actor, asked, rows), **shown)


def _queue(connection: Connection, actor: Actor, asked: QueueFilter, rows: list[Row]) -> dict[str, Any]:
    return {
        "rows": rows,
        "asked": asked,
        "lists": LISTS,
        "counts": order_queue.counts(connection, scope=actor.scope),
        "choices": order_queue.choices(connection, scope=actor.scope),
        "more": _more(asked, rows),
    }


def _more(asked: QueueFilter, rows: list[Row]) -> str:
    """The address of the next page of the list; empty at its end."""
    if len(rows) < order_queue.PAGE:
        return ""
    return "/workbench/queue" + _query(asked, after=rows[-1].place)


def _query(asked: QueueFilter, **more: str) -> str:
    values = {name: value for name, value in asdict(asked).items() if value and name != "after"} | more
    if "abstained" in values:
        values["abstained"] = "on"
    return "?" + urlencode(values) if values else ""


def _order(request: Request, connection: Connection, row: Row | None) -> dict[str, Any]:
    """Everything that ``order.html`` reads; ``row`` None: nothing is open."""
    state = _runtime(request)
    if row is None:
        return {"row": None, "open": "", "waiting": False, "last_event": order_queue.last_event(connection)}
    snapshot = state.snapshot
    proposal = order_queue.shown_proposal(connection, row)
    ids = snapshot.ids
    return {
        "row": row,
        "open": row.order_id,
        "told": order_queue.told(row),
        "view": order_view(proposal, snapshot.knowledge),
        "outdated": [
            name
            for key, name in (("rules", "规则"), ("model", "模型"), ("knowledge", "知识库"))
            if proposal["snapshot"][key] != getattr(ids, key)
        ],
        "events": _events(connection, row, ZoneInfo(state.settings.time_zone)),
        "last_event": order_queue.last_event(connection),
        "statuses": {"open": OPEN, "returned": RETURNED},
    }


def _events(connection: Connection, row: Row, zone: ZoneInfo) -> list[dict[str, Any]]:
    return [
        {
            **event,
            "name": order_queue.EVENTS.get(event["kind"], event["kind"]),
            "at": datetime.fromisoformat(event["created_at"]).astimezone(zone),
        }
        for event in order_queue.events_of(connection, row.order_id)
    ]


def _runtime(request: Request) -> Runtime:
    state: Runtime = request.app.state.runtime
    return state
