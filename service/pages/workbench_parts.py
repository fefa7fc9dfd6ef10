"""Parts of the workbench that are fetched when somebody looks at them: days, similar orders, a search."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from intake.order import MAX_TEXT, WorkOrder
from intake.prepare import prepare
from rules import compute_deadlines, derive_facts
from service import clock, order_queue
from service.access import Actor
from service.api.auth import needs
from service.api.similar_routes import window_of
from service.db.engine import reading
from service.kb_search import search
from service.pages.order_view import hits
from service.pages.render import fragment
from service.pages.workbench import Dispatcher, OrderId, visible
from service.runtime import Runtime

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(needs("kb.read"))]
#: Similar orders that are less likely than this only cost a look.
LEAST_SIMILAR, MOST_SIMILAR = 0.3, 6


@router.get("/workbench/orders/{order_id:path}/days")
def days(request: Request, actor: Dispatcher, order_id: OrderId) -> Response:
    """Every deadline counted day by day: which day counts, which does not, and why."""
    state: Runtime = request.app.state.runtime
    with reading(state.engine) as connection:
        row = visible(connection, actor, order_id)
        proposal = order_queue.shown_proposal(connection, row)
    return fragment(request, "workbench/days.html", deadlines=_counted(proposal, state))


def _counted(proposal: dict[str, Any], state: Runtime) -> list[dict[str, Any]]:
    """The deadlines of a proposal once more, by the same functions as :func:`service.triage.propose`, with their days.

    The masked order gives the same facts: a mask says that there is a telephone number as the number does.
    """
    start = datetime.fromisoformat(proposal["as_of"])
    snapshot = state.snapshot_at(start)
    order = proposal["order"]
    if not order["text"]:
        return []
    filed = WorkOrder(
        **{name: value for name, value in order.items() if name not in ("received_at", "related", "masked_paths")},
        received_at=datetime.fromisoformat(order["received_at"]) if order["received_at"] else None,
        related=tuple(order["related"]),
    )
    facts = derive_facts(
        prepare(filed, snapshot.gazetteer),
        received_at=filed.received_at or start,
        ranking_units=[unit["unit"] for unit in proposal["units"]],
        directory=snapshot.directory,
    )
    found = compute_deadlines(
        snapshot.rules.pack,
        kind=str(facts.get("kind", "")),
        start=start,
        as_of=start,
        calendar=snapshot.calendar,
        facts=facts,
    )
    return [one.as_dict() for one in found if one.days]


@router.get("/workbench/orders/{order_id:path}/similar")
def similar(request: Request, actor: Dispatcher, order_id: OrderId) -> Response:
    """Recent orders that may tell of the same matter; those of the same caller can be merged."""
    state: Runtime = request.app.state.runtime
    with reading(state.engine) as connection:
        row = visible(connection, actor, order_id)
    window = window_of(request)
    # What was filed a moment ago counts as well: a repeat often comes within minutes.
    window.catch_up()
    found = window.similar_to(order_id, least=LEAST_SIMILAR, most=MOST_SIMILAR)
    return fragment(request, "workbench/similar.html", row=row, found=found, waiting=window.waiting)


@router.get("/workbench/search")
def knowledge(
    request: Request,
    _: Reader,
    q: Annotated[str, Query(max_length=MAX_TEXT)] = "",
    district: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The knowledge base, asked by the dispatcher."""
    state: Runtime = request.app.state.runtime
    if not q.strip():
        return fragment(request, "workbench/entries.html", entries=[], reason="", answered=True)
    now = clock.now(state.settings.time_zone)
    found = search(state.snapshot.knowledge, q, as_of=now, district=district, top=5)
    return fragment(
        request,
        "workbench/entries.html",
        entries=hits(found["hits"]),
        reason=found["reason"],
        answered=found["answered"],
    )
