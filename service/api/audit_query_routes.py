"""``/v1/audit/decisions``, ``/v1/audit/export`` and ``/v1/audit/stats``: the decision log searched, taken along, counted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from service import clock
from service.access import Actor
from service.access.grants import require
from service.api.auth import needs
from service.api.routes import PROBLEM, runtime
from service.audit_export import MEDIA, stream
from service.audit_query import AuditFilter, newest_first, rows_of
from service.audit_stats import decision_stats

router = APIRouter(tags=["审计"])

EXAMPLE_ROW = {
    "sequence": 1024,
    "decision_id": "d-0f8fad5bd9cb469fa16570867728950e",
    "kind": "dispatch",
    "at": "2026-05-01T09:31:12.123456+08:00",
    "actor": "pd-017",
    "order_id": "20260501000123",
    "action": "override",
    "unit": "某市排水公司",
    "proposed": "临江区城市管理局",
    "abstained": False,
    "reason": "井盖属于排水公司",
    "model": "model-3f9a0c7d12be",
    "rules": "weifang@21a580f0",
    "hits": ["NA-ACC-001"],
    "case_kind": "",
    "outcome": "",
}
_RATE = {"k": 12, "n": 240, "rate": 0.05, "low": 0.0288, "high": 0.0855, "few": False}
_STATS = {
    "filter": {"since": "2026-05-01T00:00:00+08:00"},
    "by": ["unit"],
    "returns_known": False,
    "groups": [
        {"dispatches": 240, "override": _RATE, "agreement": _RATE, "abstention": _RATE, "returned": None},
    ],
}


def _answers(content: dict[str, Any], **more: str) -> dict[int | str, dict[str, Any]]:
    """What a route gives back, for the documentation."""
    return {200: {"content": content, **more}, 422: PROBLEM | {"description": "条件不对，detail 说明原因"}}


def wanted(
    since: Annotated[AwareDatetime | None, Query(description="从这一刻起，带时区")] = None,
    until: Annotated[AwareDatetime | None, Query(description="到这一刻为止（不含），带时区")] = None,
    kind: Annotated[
        str, Query(max_length=30, description="类别：dispatch 派单、case 事项、rule_publication 规则发布……")
    ] = "",
    unit: Annotated[str, Query(max_length=200, description="派给的单位")] = "",
    actor: Annotated[str, Query(max_length=200, description="经办人")] = "",
    order_id: Annotated[str, Query(max_length=64, description="工单编号")] = "",
    model: Annotated[str, Query(max_length=120, description="给出建议的模型的编号")] = "",
    gate: Annotated[str, Query(max_length=30, description="关口；与 rule、state 说的是同一条判定")] = "",
    rule: Annotated[str, Query(max_length=80, description="规则编号")] = "",
    state: Annotated[str, Query(max_length=20, description="判定：hit、pass、not_evaluated")] = "",
    override: Annotated[bool | None, Query(description="true 只看改派，false 只看采纳")] = None,
    abstained: Annotated[bool | None, Query(description="true 只看模型弃权的，false 只看没有弃权的")] = None,
) -> AuditFilter:
    return AuditFilter(
        since=since, until=until, kind=kind, unit=unit, actor=actor, order_id=order_id, model=model,
        gate=gate, rule=rule, state=state, override=override, abstained=abstained,
    )  # fmt: skip


Wanted = Annotated[AuditFilter, Depends(wanted)]


def _in_scope(who: Actor, action: str, meant: AuditFilter) -> None:
    """Whoever sees only some units has to name one of them; E6521 otherwise."""
    if not who.scope.all:
        require(who, action, unit=meant.unit)


@router.get(
    "/v1/audit/decisions",
    summary="查决定日志",
    responses=_answers({"application/json": {"example": {"decisions": [EXAMPLE_ROW], "next": 1024}}}),
)
def decisions(
    request: Request,
    who: Annotated[Actor, Depends(needs("audit.read"))],
    meant: Wanted,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="上一页的 next")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="一页几条")] = 50,
) -> dict[str, Any]:
    """新的在前，一页一页地列；`next` 为 null 时没有下一页。条件之间是“并且”。只列要点，原样记录用 `/v1/decisions/{id}`。"""
    _in_scope(who, "audit.read", meant)
    state = runtime(request)
    found, following = newest_first(state.engine, meant, before=before, limit=limit, zone=state.settings.time_zone)
    for row in found:
        row.pop("record", None)
    return {"decisions": found, "next": following}


@router.get(
    "/v1/audit/export",
    summary="导出决定日志",
    response_class=StreamingResponse,
    responses=_answers(
        {"text/csv": {"example": "序号,决定编号,类别,时刻,…\r\n1024,d-0f8fad5bd9cb469fa16570867728950e,dispatch,…"}},
        description="文件，边查边送；中途出错时连接断开，文件不完整",
    ),
)
def export(
    request: Request,
    who: Annotated[Actor, Depends(needs("audit.export"))],
    meant: Wanted,
    form: Annotated[
        Literal["csv", "xlsx", "jsonl", "records"],
        Query(alias="format", description="csv（带 BOM）、xlsx、jsonl；records 为原样记录，一行一条"),
    ] = "csv",
) -> Response:
    """按序号从旧到新，列与命令行 `zhipai audit export` 相同。以 = + - @ 开头的单元格在 CSV 里前面加一个撇号。"""
    _in_scope(who, "audit.export", meant)
    state = runtime(request)
    rows = rows_of(state.engine, meant, zone=state.settings.time_zone, record=form == "records")
    chunks = stream(_begun(rows), form)
    day = f"{clock.now(state.settings.time_zone):%Y%m%d}"
    name = f"zhipai-audit-{day}.{'jsonl' if form == 'records' else form}"
    return StreamingResponse(
        chunks, media_type=MEDIA[form], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _begun(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows, with the first already read: a database that does not answer is then an error, not a broken file."""
    first = next(rows, None)
    return chain([first], rows) if first is not None else iter(())


@router.get(
    "/v1/audit/stats",
    summary="改派率、一致率、弃权率、退单率",
    responses=_answers({"application/json": {"example": _STATS}}),
)
def stats(
    request: Request,
    who: Annotated[Actor, Depends(needs("audit.read", "overview.read"))],
    meant: Wanted,
    by: Annotated[list[Literal["unit", "model", "week"]] | None, Query(description="按什么分组，可写两个")] = None,
) -> dict[str, Any]:
    """每个比率都带分子 k、分母 n 和 95% 的 Wilson 区间；n 不足 30 的 `few` 为 true。没有退单数据时 `returned` 为 null，不是 0。"""
    _in_scope(who, "audit.read" if who.may("audit.read").allowed else "overview.read", meant)
    return decision_stats(runtime(request).engine, meant, by=by or ())
