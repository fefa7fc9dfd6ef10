"""``/v1/audit/decisions/{id}/replay``: what a decision was taken on, computed again."""

from __future__ import annotations

import threading
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime

from service import clock
from service.api.auth import needs
from service.api.routes import PROBLEM, runtime
from service.api.schemas import EXAMPLE_DECISION_ID
from service.replay import replay, subject_of_decision, what_if
from service.replay_parts import Finder

router = APIRouter(tags=["审计"])
#: A replay may load a model and an index of another day: one at a time in each process.
ONE = threading.Lock()

EXAMPLE = {
    "proposal_id": "p-0f3c6f7f6d8f4a0e9a57f6c1f2b3a4d5",
    "decision_id": EXAMPLE_DECISION_ID,
    "order_id": "20260501000123",
    "as_of": "2026-05-01T09:31:00+08:00",
    "outcome": "identical",
    "says": "逐字节相同",
    "differences": [],
    "missing": [],
    "skipped": [],
    "notes": [],
    "environment": [],
    "snapshot": {"rules": "weifang@21a580f01542", "model": "model-3f9a0c7d12be4a51"},
}


@router.get(
    "/v1/audit/decisions/{decision_id}/replay",
    summary="回放一条决定",
    dependencies=[Depends(needs("audit.replay"))],
    responses={
        200: {"content": {"application/json": {"example": EXAMPLE}}},
        404: PROBLEM | {"description": "没有这条决定"},
        422: PROBLEM | {"description": "这种决定没有建议可以回放，或工单文字已删除"},
    },
)
def replay_decision(
    request: Request,
    decision_id: Annotated[str, Path(max_length=64, description="决定编号", examples=[EXAMPLE_DECISION_ID])],
    as_of: Annotated[AwareDatetime | None, Query(description="换一个时刻问会怎样，带时区")] = None,
    today: Annotated[bool, Query(description="按今天的快照和此刻再问一次")] = False,
) -> dict[str, Any]:
    """在当日的快照下重算当时的建议：逐字节相同，或逐处列出不同和原因。带 `as_of` 或 `today` 时改问“换到那一刻会怎样”。"""
    state = runtime(request)
    subject = subject_of_decision(state.engine, decision_id)
    with ONE:
        if as_of is not None or today:
            at = as_of or clock.now(state.settings.time_zone)
            return what_if(subject, state.snapshot_at(at), as_of=at)
        finder = Finder(state.settings, state.engine, state.snapshot.encoder, state.snapshot)
        return replay(subject, finder).as_dict()
