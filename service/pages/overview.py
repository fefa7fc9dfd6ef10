"""总览: the numbers of the day, each of which opens the orders behind it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from service import clock, order_queue
from service.access import Actor
from service.api.auth import needs
from service.api.similar_routes import window_of
from service.db.engine import reading
from service.order_queue import STATUSES
from service.overview import (
    DUE,
    PAST_DAYS,
    Behind,
    by_district,
    by_hour,
    by_unit,
    count_behind,
    orders_behind,
)
from service.pages.render import fragment, page
from service.runtime import Runtime

router = APIRouter(include_in_schema=False)
Viewer = Annotated[Actor, Depends(needs("overview.read"))]
PAGE = 50
#: Units that the chart shows; the table has all.
CHARTED = 12
#: Matters, and orders of one matter, that are listed.
MATTERS, EXCERPTS, OF_ONE = 10, 3, 100
EVENTS = {"filed": "登记", "dispatch": "派出", "reopen": "退回"}


def behind(
    event: Annotated[Literal["", "filed", "dispatch", "reopen"], Query()] = "",
    day: Annotated[date | None, Query()] = None,
    hour: Annotated[int | None, Query(ge=0, le=23)] = None,
    status: Annotated[Literal["", "waiting", "open", "returned", "dispatched", "refused", "merged"], Query()] = "",
    due: Annotated[Literal["", "overdue", "today", "soon"], Query()] = "",
    unit: Annotated[str, Query(max_length=200)] = "",
    district: Annotated[str, Query(max_length=200)] = "",
    abstained: Annotated[bool, Query()] = False,
    order: Annotated[list[str] | None, Query(max_length=OF_ONE)] = None,
    after: Annotated[str, Query(max_length=120)] = "",
) -> Behind:
    return Behind(event, day, hour, status, due, unit, district, abstained, tuple(order or ()), after)


Asked = Annotated[Behind, Depends(behind)]


@router.get("/overview")
def overview(request: Request, who: Viewer, part: Annotated[int, Query(ge=1, le=1000)] = 1) -> Response:
    state: Runtime = request.app.state.runtime
    zone = state.settings.time_zone
    now = clock.now(zone)
    with reading(state.engine) as connection:
        hours = by_hour(connection, now=now, scope=who.scope, zone=zone)
        districts = by_district(connection, now=now, scope=who.scope, zone=zone)
        units = by_unit(connection, now=now, scope=who.scope, zone=zone)
        waiting = order_queue.counts(connection, scope=who.scope)
    total = {
        name: sum(hour[name] for hour in hours) for name in ("filed", "abstained", "dispatch", "reopen", "yesterday")
    }
    due = {name: sum(unit[name] for unit in units) for name in DUE}
    return page(
        request,
        "overview/page.html",
        now=now,
        day=now.date().isoformat(),
        before=(now.date() - timedelta(days=1)).isoformat(),
        hours=[hour for hour in hours if any(hour[name] for name in total)],
        total=total,
        districts=districts,
        units=units[(part - 1) * PAGE : part * PAGE],
        part=part,
        parts=-(-len(units) // PAGE),
        due=due,
        due_names=DUE,
        waiting=waiting,
        past_days=PAST_DAYS,
        by_hour_chart=_hours_chart(hours, now.hour) if total["filed"] or total["yesterday"] else None,
        by_unit_chart=_units_chart(units[:CHARTED]) if units else None,
        charted=min(len(units), CHARTED),
    )


@router.get("/overview/orders")
def orders(request: Request, who: Viewer, asked: Asked) -> Response:
    """The orders behind a number."""
    state: Runtime = request.app.state.runtime
    with reading(state.engine) as connection:
        shown = _orders(connection, state, who, asked)
        if "hx-request" in request.headers:
            return fragment(request, "overview/rows.html", **shown)
        zone = state.settings.time_zone
        number = count_behind(connection, asked, now=clock.now(zone), scope=who.scope, zone=zone)
    return page(request, "overview/orders.html", number=number, told=told(asked), **shown)


@router.get("/overview/hot")
def hot(request: Request, who: Viewer) -> Response:
    """Matters that gather unusually. Fetched after the page: the first question reads the recent orders."""
    window = window_of(request)
    found = [burst for burst in window.signals() if who.scope.covers(district=burst.district or None)][:MATTERS]
    matters = [
        {
            "burst": burst,
            "excerpts": window.excerpts(burst.order_ids[-EXCERPTS:]),
            "query": urlencode({"order": burst.order_ids[-OF_ONE:]}, doseq=True),
        }
        for burst in found
    ]
    return fragment(request, "overview/hot.html", matters=matters, compared=len(window), waiting=window.waiting)


def told(asked: Behind) -> str:
    """Which orders these are, in words."""
    parts = []
    if asked.event:
        hour = f" {asked.hour} 时" if asked.hour is not None else ""
        parts.append(f"{asked.day.isoformat() if asked.day else '今天'}{hour}{EVENTS[asked.event]}的")
    if asked.status:
        parts.append({"waiting": "等着派单的"}.get(asked.status) or STATUSES[asked.status])
    parts += [DUE[asked.due]] if asked.due else []
    parts += [one for one in (asked.unit, asked.district) if one]
    parts += ["疑难"] if asked.abstained else []
    parts += ["同一件事的"] if asked.order_ids else []
    return "，".join(parts) or "全部"


def _orders(connection: Connection, state: Runtime, who: Actor, asked: Behind) -> dict[str, Any]:
    zone = state.settings.time_zone
    rows, following = orders_behind(connection, asked, now=clock.now(zone), scope=who.scope, zone=zone, most=PAGE)
    return {"rows": rows, "statuses": STATUSES, "more": _query(asked, following) if following else ""}


def _query(asked: Behind, after: str) -> str:
    values = {name: getattr(asked, name) for name in asked.__slots__ if name != "order_ids"}
    given = {name: str(value).lower() for name, value in values.items() if value not in ("", None, False)}
    return urlencode({**given, "order": asked.order_ids, "after": after}, doseq=True)


def _hours_chart(hours: list[dict[str, Any]], until: int) -> dict[str, Any]:
    """Today as columns (the difficult ones apart), yesterday as a line; hours to come stay empty."""
    names = [f"{hour['hour']}时" for hour in hours]
    plain = [hour["filed"] - hour["abstained"] if hour["hour"] <= until else None for hour in hours]
    hard = [hour["abstained"] if hour["hour"] <= until else None for hour in hours]
    series: list[dict[str, Any]] = [
        {"type": "bar", "stack": "today", "name": "今天登记", "data": plain},
        {"type": "bar", "stack": "today", "name": "其中疑难", "data": hard},
    ]
    if any(hour["yesterday"] for hour in hours):
        yesterday = [hour["yesterday"] for hour in hours]
        series.append({"type": "line", "name": "昨天登记", "data": yesterday, "symbolSize": 5})
    return {
        "legend": {"data": [one["name"] for one in series]},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": names},
        "yAxis": {"type": "value", "minInterval": 1},
        "series": series,
    }


def _units_chart(units: list[dict[str, Any]]) -> dict[str, Any]:
    names = [unit["unit"] or "（待派）" for unit in units]
    shown = [name if len(name) <= 14 else name[:13] + "…" for name in names]
    return {
        "legend": {"data": list(DUE.values())},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "value", "minInterval": 1},
        "yAxis": {"type": "category", "inverse": True, "data": shown, "axisLabel": {"interval": 0}},
        "series": [
            {"type": "bar", "stack": "due", "name": title, "data": [unit[name] for unit in units]}
            for name, title in DUE.items()
        ],
    }
