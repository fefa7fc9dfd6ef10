"""The routes by which another office watches the log: checkpoints, and proofs that it can check by itself."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse

from service import clock
from service.access import Actor
from service.access.grants import require
from service.api.audit_examples import BUNDLE, CHECKPOINT, CONSISTENCY
from service.api.auth import needs
from service.api.routes import PROBLEM, runtime
from service.api.schemas import EXAMPLE_DECISION_ID
from service.audit.bundle import make_bundle, make_consistency
from service.audit.checkpoint import sign_checkpoint

#: The largest number of records that is asked about without a look into the log: it still fits every database.
MOST = 10**15
router = APIRouter(tags=["审计"])


@router.get(
    "/v1/audit/checkpoint",
    summary="日志现在的检查点",
    response_class=PlainTextResponse,
    dependencies=[Depends(needs("audit.verify"))],
    responses={
        200: {"content": {"text/plain": {"example": CHECKPOINT}}},
        404: PROBLEM | {"description": "日志还是空的"},
        503: PROBLEM | {"description": "日志与签过的检查点矛盾，或签名密钥不可用"},
    },
)
def checkpoint(request: Request) -> Response:
    """日志的名称、条数、根和签名（C2SP tlog-checkpoint）。上次签发之后有新记录就签一个新的，否则给上次的。"""
    state = runtime(request)
    signed = sign_checkpoint(state.engine, state.settings, at=clock.now(state.settings.time_zone))
    return PlainTextResponse(signed.note)


@router.get(
    "/v1/audit/decisions/{decision_id}/bundle",
    summary="一条记录的证明",
    responses={
        200: {"content": {"application/json": {"example": BUNDLE}}},
        404: PROBLEM | {"description": "没有这条记录"},
    },
)
def bundle(
    request: Request,
    decision_id: Annotated[str, Path(max_length=64, description="决定编号", examples=[EXAMPLE_DECISION_ID])],
    who: Annotated[Actor, Depends(needs("audit.read"))],
) -> Response:
    """记录、路径和检查点，一个 JSON 文件。用 zhipai audit check-bundle 或 tools/check_bundle.py 在别的机器上核对。"""
    state = runtime(request)
    content = make_bundle(state.engine, state.settings, decision_id, at=clock.now(state.settings.time_zone))
    if not who.scope.all:
        require(who, "audit.read", unit=json.loads(json.loads(content)["record"]).get("unit", ""))
    return Response(content, media_type="application/json")


@router.get(
    "/v1/audit/consistency",
    summary="证明日志只增未改",
    dependencies=[Depends(needs("audit.verify"))],
    responses={
        200: {"content": {"application/json": {"example": CONSISTENCY}}},
        404: PROBLEM | {"description": "日志没有这么长"},
        422: PROBLEM | {"description": "from 比 to 大"},
    },
)
def consistency(
    request: Request,
    first: Annotated[int, Query(alias="from", ge=0, le=MOST, description="前一个检查点的条数", examples=[1])],
    second: Annotated[int, Query(alias="to", ge=0, le=MOST, description="后一个检查点的条数", examples=[2])],
) -> Response:
    """RFC 6962 的一致性证明：前 from 条是前 to 条的开头。两端签过的检查点附在里面。"""
    return Response(make_consistency(runtime(request).engine, first, second), media_type="application/json")
