"""The start page, which leads everybody to his work, and the try-out of one order, which stores nothing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from intake.order import MAX_TEXT, WorkOrder
from service import clock
from service.access import Actor
from service.access.roles import titles
from service.api.auth import actor, needs
from service.pages.order_view import order_view
from service.pages.render import fragment, page
from service.runtime import Runtime
from service.triage import propose

router = APIRouter(include_in_schema=False)
EXAMPLE = "小区楼下烧烤店每晚油烟很大，孩子一直咳嗽，找店家说过没用，希望有人管管。"
Tries = Annotated[Actor, Depends(needs("triage.propose"))]


@router.get("/")
def start(request: Request, who: Annotated[Actor, Depends(actor)]) -> Response:
    return page(request, "start.html", roles=titles(who.roles))


@router.get("/try")
def try_out(request: Request, _: Tries) -> Response:
    return page(request, "try.html", example=EXAMPLE)


@router.post("/try")
def tried(request: Request, _: Tries, text: Annotated[str, Form(max_length=4 * MAX_TEXT)] = "") -> Response:
    """The proposal for a text. E1001–E1004 as for any order."""
    state: Runtime = request.app.state.runtime
    now = clock.now(state.settings.time_zone)
    proposal = propose(WorkOrder(text), as_of=now, snapshot=state.snapshot_at(now))
    return fragment(request, "try_result.html", view=order_view(proposal.as_dict(), state.snapshot.knowledge))
