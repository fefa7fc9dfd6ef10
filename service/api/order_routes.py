"""``/v1/orders``: file an order, read the queue, refuse an order, take a decision back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service import clock, order_life, order_queue
from service.access import Actor
from service.access.grants import require
from service.api.auth import named, needs
from service.api.routes import PROBLEM, runtime
from service.api.schemas import EXAMPLE_DECISION_ID, ProposalOut, Short, Text, TriageIn
from service.db.engine import reading
from service.filing import file_order
from service.metrics import PROPOSALS
from service.order_life import Step
from service.order_queue import QueueFilter, Row
from service.version import VERSION

router = APIRouter()
Dispatcher = Annotated[Actor, Depends(needs("dispatch.decide"))]
OrderId = Annotated[str, Path(max_length=64, description="工单编号", examples=["20260501000123"])]
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=200, examples=["pd-017-20260501-0002"])]
SOFTWARE = f"zhipai {VERSION}"


class OrderIn(TriageIn):
    """一条要登记的诉求。与取得建议相同，但不能指定 as_of：登记的时刻就是时限的起点。"""

    as_of: None = Field(None, description="登记不能指定时刻", examples=[None])


class QueueOrderOut(BaseModel):
    order_id: str = Field(examples=["20260501000123"])
    status: Literal["open", "returned", "dispatched", "refused", "merged"] = Field(
        description="open 待派 / returned 退回待派 / dispatched 已派 / refused 不予受理 / merged 已并单",
        examples=["open"],
    )
    revision: int = Field(description="第几次变化；作决定时带上，可防止覆盖别人的决定", examples=[1])
    proposal_id: str = Field(examples=["p-0f3c6f7f6d8f4a0e9a57f6c1f2b3a4d5"])
    district: str = Field(examples=["临江区"])
    channel: str = Field(examples=["电话"])
    abstained: bool = Field(description="疑难", examples=[False])
    due_at: str = Field(description="办结到期（UTC）；未定为空", examples=["2026-05-12T15:59:59.000000+00:00"])
    unit: str = Field(description="已派给的单位", examples=[""])
    decision_id: str | None = Field(description="现行的决定", examples=[None])
    actor: str = Field(description="最后一次变化是谁作的", examples=[""])
    text: str = Field(description="脱敏后的开头", examples=["小区楼下烧烤店每晚油烟很大"])


class QueueOut(BaseModel):
    orders: list[QueueOrderOut]
    waiting: dict[str, int] = Field(
        description="待办数：open、returned、abstained、all",
        examples=[{"open": 12, "returned": 1, "abstained": 3, "all": 13}],
    )
    next: str = Field(description="下一页的 after；到头为空", examples=[""])


class RefusalIn(BaseModel):
    """不予受理 / 分类处置。"""

    model_config = ConfigDict(extra="forbid")

    actor: Text = Field("", max_length=64, description="作决定的人（工号）；登录后不用填", examples=["pd-017"])
    reason: Text = Field(min_length=2, max_length=2000, description="理由", examples=["已进入诉讼程序，告知向法院反映"])
    rule_id: Short = Field("", description="依据哪条命中的规则；没有则为空", examples=["NAT-ACC-002"])
    action: Short = Field("不予受理", description="处置方式", examples=["转告其他途径"])
    tell: Text = Field(
        "", max_length=2000, description="告知来电人的要点", examples=["该事项已进入诉讼程序，请向受理法院反映。"]
    )
    clause: Text = Field("", max_length=400, description="依据", examples=[""])
    revision: int | None = Field(None, ge=1, description="看到的 revision；不填则不核对", examples=[1])


class UndoIn(BaseModel):
    """撤销一个决定。撤销本身也是一个决定，原来的留在日志里。"""

    model_config = ConfigDict(extra="forbid")

    actor: Text = Field("", max_length=64, description="撤销的人（工号）；登录后不用填", examples=["pd-017"])
    reason: Text = Field(min_length=2, max_length=2000, description="理由", examples=["选错了单位"])
    decision_id: Text = Field(max_length=64, description="要撤销的决定，须是现行的", examples=[EXAMPLE_DECISION_ID])


class LifeOut(BaseModel):
    """决定在日志中的记录。"""

    model_config = ConfigDict(extra="allow")

    sequence: int = Field(examples=[2])
    decision_id: str = Field(examples=[EXAMPLE_DECISION_ID])
    kind: str = Field(examples=["refusal"])
    order_id: str = Field(examples=["20260501000123"])
    actor: str = Field(examples=["pd-017"])
    reason: str = Field(examples=["已进入诉讼程序，告知向法院反映"])
    decided_at: str = Field(examples=["2026-05-01T09:33:05+08:00"])


CONFLICTS: dict[int | str, dict[str, Any]] = {
    404: PROBLEM | {"description": "队列里没有这张工单"},
    409: PROBLEM | {"description": "已有决定，或看过之后有了变化"},
    422: PROBLEM | {"description": "内容不对"},
}


@router.post(
    "/v1/orders",
    summary="登记一张工单，进入派单队列",
    tags=["派单"],
    status_code=201,
    response_model=ProposalOut,
    responses={
        200: {"description": "同一张工单重复登记：没有再写一次", "model": ProposalOut},
        409: PROBLEM | {"description": "编号已用于另一条诉求"},
        422: PROBLEM | {"description": "诉求不能处理"},
    },
)
def file(request: Request, who: Annotated[Actor, Depends(needs("triage.propose"))], order_in: OrderIn) -> Response:
    """研判、保存建议，并以“待派”放进队列。整份文件用命令 `zhipai orders import`。"""
    state = runtime(request)
    order, snapshot = order_in.to_order(), state.snapshot
    filed = file_order(state.engine, order, snapshot=snapshot, actor=who.name, at=clock.now(state.settings.time_zone))
    if not filed.repeated:
        state.shadow.offer(order, filed.proposal, snapshot)
        state.model_shadow.offer(order, filed.proposal, snapshot)
        PROPOSALS.labels(abstained=str(filed.proposal.abstained).lower()).inc()
    return Response(filed.proposal.canonical, media_type="application/json", status_code=200 if filed.repeated else 201)


@router.get("/v1/orders", summary="派单队列", tags=["派单"], response_model=QueueOut)
def queue(
    request: Request,
    who: Dispatcher,
    status: Annotated[
        Literal["", "open", "returned", "dispatched", "refused", "merged"], Query(description="状态；不填为全部待办")
    ] = "",
    district: Annotated[str, Query(max_length=200, description="区")] = "",
    channel: Annotated[str, Query(max_length=200, description="渠道")] = "",
    abstained: Annotated[bool, Query(description="只看疑难")] = False,
    after: Annotated[str, Query(max_length=120, description="上一页给的 next")] = "",
) -> QueueOut:
    """待办按到期先后；已办的按最近的变化。只列看得到的区和单位。"""
    asked = QueueFilter(status, district, channel, abstained, after)
    with reading(runtime(request).engine) as connection:
        rows = order_queue.read_page(connection, asked, scope=who.scope)
        waiting = order_queue.counts(connection, scope=who.scope)
    end = rows[-1].place if len(rows) == order_queue.PAGE else ""
    return QueueOut(orders=[_out(row) for row in rows], waiting=waiting, next=end)


@router.post(
    "/v1/orders/{order_id}/refuse",
    summary="不予受理 / 分类处置，记入日志",
    tags=["派单"],
    status_code=201,
    response_model=LifeOut,
    responses=CONFLICTS,
)
def refuse(request: Request, who: Dispatcher, order_id: OrderId, refusal: RefusalIn, key: Key) -> Response:
    """处置方式、告知要点和依据一并记入；工单不再待派。"""
    state = runtime(request)
    recorded = order_life.refuse(
        state.engine,
        _step(request, who, order_id, refusal.actor, refusal.reason, key, refusal.revision),
        disposition={name: getattr(refusal, name) for name in ("rule_id", "action", "tell", "clause")},
        software=SOFTWARE,
        request_id=request.state.request_id,
        at=clock.now(state.settings.time_zone),
    )
    return Response(recorded.content, media_type="application/json", status_code=200 if recorded.repeated else 201)


@router.post(
    "/v1/orders/{order_id}/undo",
    summary="撤销现行的决定，工单回到待派",
    tags=["派单"],
    status_code=201,
    response_model=LifeOut,
    responses=CONFLICTS,
)
def undo(request: Request, who: Dispatcher, order_id: OrderId, undoing: UndoIn, key: Key) -> Response:
    """撤销是一个新的决定；被撤销的留在日志里，不改一个字。"""
    state = runtime(request)
    recorded = order_life.undo(
        state.engine,
        _step(request, who, order_id, undoing.actor, undoing.reason, key, None),
        decision_id=undoing.decision_id,
        software=SOFTWARE,
        request_id=request.state.request_id,
        at=clock.now(state.settings.time_zone),
    )
    return Response(recorded.content, media_type="application/json", status_code=200 if recorded.repeated else 201)


def _step(request: Request, who: Actor, order_id: str, actor: str, reason: str, key: str, revision: int | None) -> Step:
    """Who does it, if the order lies within his scope; E7950, E6521, E6530."""
    with reading(runtime(request).engine) as connection:
        row = order_queue.require_row(connection, order_id)
    require(who, "dispatch.decide", unit=row.unit or None, district=row.district or None)
    role = who.role_for("dispatch.decide")
    return Step(order_id, named(who, actor, on_behalf=True), role, reason, key, revision)


def _out(row: Row) -> QueueOrderOut:
    values = {name: getattr(row, name) for name in QueueOrderOut.model_fields}
    return QueueOrderOut(**values | {"due_at": row.due})
