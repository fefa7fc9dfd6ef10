"""上线与退回: the checks of a version, made when they are asked for, and the two buttons with a reason."""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from intake.errors import ZhipaiError
from service.access import Actor
from service.api.auth import named, needs
from service.model_life import Mover, promote_version, review_version, rollback_version
from service.pages.forms import go_to
from service.pages.models import STATES, Number
from service.pages.render import fragment
from service.pages.rules import moment, runtime
from training.champion import champion
from training.registry import Registry

router = APIRouter(include_in_schema=False)
Promoter = Annotated[Actor, Depends(needs("model.promote"))]
Reason = Annotated[str, Form(max_length=2000)]
LEAST = 2
#: A review ranks with two models for some seconds: one at a time in each process, the next waits.
_alone = threading.Lock()


@router.post("/models/versions/{number}/check")
def check(request: Request, _: Promoter, number: Number) -> Response:
    """Every check against the champion; nothing is written."""
    state, now = runtime(request), moment(request)
    with _alone:
        registry = Registry(state.settings.mlruns)
        found = review_version(registry, registry.get(number), at=now, encoder=state.snapshot.encoder)
    return fragment(request, "models/checks.html", number=number, review=found, states=STATES)


@router.post("/models/versions/{number}/promote")
def promote(request: Request, actor: Promoter, number: Number, reason: Reason = "") -> Response:
    """Check once more and put the version in force; E5107 with the failing lines where a check fails."""
    state, now = runtime(request), moment(request)
    mover = _mover(actor, reason)
    with _alone:
        promote_version(state.settings, number, mover=mover, at=now, encoder=state.snapshot.encoder).require()
    state.wake()
    return go_to(request, f"/models?done={number}")


@router.post("/models/rollback")
def rollback(
    request: Request, actor: Promoter, seen: Annotated[str, Form(max_length=10)], reason: Reason = ""
) -> Response:
    """Put the version in force that was so before; ``seen`` is the one that the page showed as in force."""
    state, now = runtime(request), moment(request)
    current = champion(state.settings.mlruns)
    if current is None or current.version != seen:
        now_in_force = f"现行的是版本 {current.version}" if current else "没有现行的版本"
        raise ZhipaiError("E7986", {"what": "现行的模型", "now": now_in_force})
    with _alone:
        moved = rollback_version(state.settings, mover=_mover(actor, reason), at=now)
    state.wake()
    return go_to(request, f"/models?done={moved.version.version}")


def _mover(actor: Actor, reason: str) -> Mover:
    if len(reason.strip()) < LEAST:
        raise ZhipaiError("E7985", {"field": "理由", "problem": f"至少写 {LEAST} 个字，会记入决定日志"})
    return Mover(named(actor, actor.name), reason, role=actor.role_for("model.promote"))
