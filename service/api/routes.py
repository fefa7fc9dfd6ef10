"""The routes of version 1."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from intake.errors import CATALOGUE
from service import clock
from service.access import Actor
from service.access.grants import require
from service.api.auth import named, needs
from service.api.schemas import (
    EXAMPLE_DECISION_ID,
    DecisionIn,
    DecisionOut,
    ProblemOut,
    ProposalOut,
    TriageIn,
)
from service.decisions import DecisionRequest, decide, read_decision
from service.metrics import DECISIONS, ENGINE_DISAGREEMENTS, PROPOSALS, render
from service.orders import store_proposal, with_order_id
from service.runtime import Runtime
from service.triage import propose
from service.version import VERSION

PROBLEM = {"model": ProblemOut, "content": {"application/problem+json": {}}}
router = APIRouter()


def runtime(request: Request) -> Runtime:
    return request.app.state.runtime


@router.post(
    "/v1/triage",
    summary="提交诉求，取得建议",
    tags=["派单"],
    dependencies=[Depends(needs("triage.propose"))],
    response_model=ProposalOut,
    responses={
        422: PROBLEM | {"description": "诉求不能处理，detail 说明原因"},
        503: PROBLEM | {"description": "暂不可用"},
    },
)
def triage(
    request: Request,
    order_in: TriageIn,
    verdicts: Annotated[
        str, Query(pattern="^(spoken|all)$", description="all 表示连同未命中的规则一并列出")
    ] = "spoken",
) -> Response:
    """给出承办单位、知识条目、规则判定和到期时刻，并保存这条建议供决定时引用。建议不产生任何派单动作。"""
    state = runtime(request)
    zone = state.settings.time_zone
    order = with_order_id(order_in.to_order())
    at = clock.now(zone)
    snapshot = state.snapshot_at(order_in.as_of)
    proposal = propose(order, as_of=order_in.as_of or at, snapshot=snapshot, all_verdicts=verdicts == "all")
    store_proposal(state.engine, order, proposal, at=at, snapshot=snapshot)
    state.shadow.offer(order, proposal, snapshot)
    state.model_shadow.offer(order, proposal, snapshot)
    PROPOSALS.labels(abstained=str(proposal.abstained).lower()).inc()
    return Response(proposal.canonical, media_type="application/json")


@router.post(
    "/v1/decisions",
    summary="采纳建议或改派，记入日志",
    tags=["派单"],
    status_code=201,
    response_model=DecisionOut,
    responses={
        200: {"description": "同一个幂等键的重发：返回已记录的决定，没有再写一次", "model": DecisionOut},
        404: PROBLEM | {"description": "没有这条建议"},
        409: PROBLEM | {"description": "幂等键已用于另一个决定"},
        422: PROBLEM | {"description": "单位或理由不对"},
    },
)
def decisions(
    request: Request,
    who: Annotated[Actor, Depends(needs("dispatch.decide"))],
    decision_in: DecisionIn,
    idempotency_key: Annotated[
        str,
        Header(
            min_length=8,
            max_length=200,
            description="每个决定一个键；网络不稳时用同一个键重发，不会记两次",
            examples=["pd-017-20260501-0001"],
        ),
    ],
) -> Response:
    """派单去向、决定记录和对外事件在同一个事务里写入：要么都有，要么都没有。"""
    state = runtime(request)
    require(who, "dispatch.decide", unit=decision_in.unit)
    by = {"actor": named(who, decision_in.actor, on_behalf=True), "role": who.role_for("dispatch.decide")}
    recorded = decide(
        state.engine,
        DecisionRequest(**decision_in.model_dump() | by, idempotency_key=idempotency_key),
        directory=lambda: state.snapshot.directory,
        software=f"zhipai {VERSION}",
        request_id=request.state.request_id,
        at=clock.now(state.settings.time_zone),
    )
    if not recorded.repeated:
        DECISIONS.labels(action=decision_in.action).inc()
    return Response(recorded.content, media_type="application/json", status_code=200 if recorded.repeated else 201)


@router.get(
    "/v1/decisions/{decision_id}",
    summary="查一条决定",
    tags=["派单"],
    response_model=DecisionOut,
    responses={404: PROBLEM | {"description": "没有这条决定"}},
)
def decision(
    request: Request,
    who: Annotated[Actor, Depends(needs("audit.read", "dispatch.decide", "case.review", "case.submit"))],
    decision_id: Annotated[str, Path(max_length=64, description="决定编号", examples=[EXAMPLE_DECISION_ID])],
) -> Response:
    """返回日志里的原样记录：当时的建议、选择、理由和各快照编号。"""
    content = read_decision(runtime(request).engine, decision_id)
    if not (who.scope.all and who.may("audit.read").allowed):
        # A dispatcher or a unit looks up dispatches; what else is in the log is for the auditor.
        record = json.loads(content)
        dispatch = next((one for one in ("dispatch.decide", "case.review", "case.submit") if who.may(one).allowed), "")
        action = dispatch if dispatch and record["kind"] == "dispatch" else "audit.read"
        require(who, action, unit=record.get("unit", ""))
    return Response(content, media_type="application/json")


@router.get(
    "/healthz",
    summary="进程是否活着",
    tags=["运维"],
    responses={200: {"content": {"application/json": {"example": {"status": "ok"}}}}},
)
def healthz() -> dict[str, str]:
    """只说明进程在应答；是否能工作看 /readyz。"""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="是否可以工作",
    tags=["运维"],
    responses={
        200: {"content": {"application/json": {"example": {"status": "ready", "checks": {"database": "ok"}}}}},
        503: {"description": "还不能工作，checks 说明缺什么"},
    },
)
def readyz(request: Request) -> Response:
    """检查数据库、模型、规则引擎和工作日历。"""
    checks = readiness(runtime(request))
    failed = [name for name, saying in checks.items() if saying.startswith("失败")]
    ids = runtime(request).snapshot.ids
    body: dict[str, Any] = {
        "status": "unready" if failed else "ready",
        "checks": checks,
        "snapshot": {name: getattr(ids, name) for name in ids.__slots__},
        "version": VERSION,
    }
    return JSONResponse(body, status_code=503 if failed else 200)


def readiness(state: Runtime) -> dict[str, str]:
    """What each part says of itself: ``ok…``, ``提醒：…`` or ``失败：…``."""
    from service.db.engine import check_version
    from service.readiness import calendar_says

    checks: dict[str, str] = {}
    try:
        check_version(state.engine)
        checks["database"] = "ok"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the database, readiness says so
        checks["database"] = f"失败：{getattr(error, 'message', type(error).__name__)}"
    checks["model"] = (
        f"提醒：热更新没有成功（{state.reload_problem}），仍用原来的版本" if state.reload_problem else "ok"
    )
    checks["rules"] = state.rules_say()
    if shadow := state.shadow.says():
        checks["shadow"] = shadow
    if model_shadow := state.model_shadow.says():
        checks["model_shadow"] = model_shadow
    if outbox := state.outbox.says():
        checks["outbox"] = outbox
    if checkpoints := state.checkpoints.says():
        checks["checkpoints"] = checkpoints
    checks["calendar"] = calendar_says(state.snapshot.calendar, today=clock.now(state.settings.time_zone).date())
    return checks


@router.get(
    "/metrics",
    summary="Prometheus 指标",
    tags=["运维"],
    dependencies=[Depends(needs("metrics.read"))],
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"example": "zhipai_requests_total 1"}}}},
)
def metrics(request: Request) -> Response:
    """请求数、用时、建议数、决定数、规则引擎不一致次数。没有任何诉求内容。"""
    count, seen = runtime(request).snapshot.rules.disagreement_count, request.app.state.disagreements_seen
    # Another version of the rules has an engine of its own, which counts from nought.
    ENGINE_DISAGREEMENTS.inc(count - seen if count >= seen else count)
    request.app.state.disagreements_seen = count
    runtime(request).outbox.measure()
    return Response(render(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get(
    "/v1/errors",
    summary="错误编号一览",
    tags=["运维"],
    responses={
        200: {"content": {"application/json": {"example": [{"code": "E1001", "title": "诉求内容为空", "status": 422}]}}}
    },
)
def errors() -> list[dict[str, Any]]:
    """所有稳定编号、标题和说明，供对接方查阅。"""
    return [
        {"code": code, "title": title, "status": status, "message": message}
        for code, (title, message, status, _) in sorted(CATALOGUE.items())
    ]
