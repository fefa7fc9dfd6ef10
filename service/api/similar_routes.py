"""``/v1/orders/{id}/similar``, ``/v1/similar`` and ``/v1/signals``: what repeats, and what gathers. Nothing is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from intake.order import MAX_TEXT, WorkOrder
from service import clock
from service.api.auth import needs
from service.api.routes import PROBLEM
from service.api.schemas import EXAMPLE_TEXT, Short, Text
from service.runtime import Runtime
from service.similar import Window


@asynccontextmanager
async def _window(app: FastAPI) -> AsyncIterator[None]:
    runtime: Runtime = app.state.runtime
    app.state.window = Window(
        runtime.engine,
        snapshot=lambda: runtime.snapshot,
        now=lambda: clock.now(runtime.settings.time_zone),
    )
    yield
    app.state.window.close()


router = APIRouter(lifespan=_window, dependencies=[Depends(needs("triage.propose"))])
LEAST = Query(0.5, ge=0, le=1, description="只列概率不低于它的", examples=[0.5])
MOST = Query(10, ge=1, le=20, description="最多列几条", examples=[10])


class SimilarIn(BaseModel):
    """一段诉求，不必已经登记。只有 text 必填。"""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(description=f"诉求内容，最多 {MAX_TEXT} 字", examples=[EXAMPLE_TEXT])
    order_id: Text = Field("", max_length=64, description="工单编号；给出时不会与自己相比", examples=[""])
    title: Short = Field("", examples=[""])
    received_at: AwareDatetime | None = Field(
        None, description="受理时间，带时区", examples=["2026-05-01T09:30:00+08:00"]
    )
    district: Short = Field("", examples=[""])
    street: Short = Field("", examples=[""])
    community: Short = Field("", examples=[""])
    related: list[Short] = Field([], max_length=50, description="关联工单的编号", examples=[[]])

    def to_order(self) -> WorkOrder:
        return WorkOrder(**self.model_dump(exclude={"related"}), related=tuple(self.related))


class SimilarOut(BaseModel):
    order_id: str = Field(examples=["20260430000871"])
    probability: float = Field(ge=0, le=1, description="两单反映同一件事的概率", examples=[0.93])
    kind: Literal["duplicate", "same_matter"] = Field(
        description="duplicate 可由人并单；same_matter 集中诉求，只关联、不合并", examples=["same_matter"]
    )
    reason: str = Field(description="为什么是这一类", examples=["来电人未知"])
    text: str = Field(description="脱敏后的开头", examples=["小区门口烧烤摊油烟呛人"])
    received_at: str = Field(description="受理时间；没有填的为登记时间", examples=["2026-04-30T20:11:00+08:00"])
    unit: str = Field(description="派给的单位；还没有决定的为建议的第一位", examples=["临江区城市管理局"])
    returned_by: list[str] = Field(description="经同意退回过它的单位", examples=[["临江区水务局"]])


class SimilarAnswer(BaseModel):
    similar: list[SimilarOut]
    compared: int = Field(description="与多少条近期工单比较", examples=[3120])
    waiting: int = Field(description="还有多少条近期工单没有读完；不为 0 时请稍后再问", examples=[0])


class SignalOrder(BaseModel):
    order_id: str = Field(examples=["20260501000123"])
    received_at: str = Field(examples=["2026-05-01T09:30:00+08:00"])
    text: str = Field(description="脱敏后的开头", examples=["锦绣家园从早上就没有水"])


class SignalOut(BaseModel):
    function: str = Field(description="责任单位的职能", examples=["供水集团"])
    place: str = Field(description="多数工单写的地点", examples=["锦绣家园"])
    district: str = Field(examples=["临江区"])
    tellings: int = Field(description="除去重复的，有几次反映", examples=[6])
    expected: float = Field(description="按平常的比例，这几个小时应有几次", examples=[0.2])
    chance: float = Field(description="平常也会这么多的机会，已按比较的次数修正", examples=[0.00002])
    first: str = Field(examples=["2026-05-01T08:02:00+08:00"])
    last: str = Field(examples=["2026-05-01T10:40:00+08:00"])
    raised_at: str = Field(description="到哪一单时成为信号", examples=["2026-05-01T09:30:00+08:00"])
    orders: list[SignalOrder]


class SignalsAnswer(BaseModel):
    signals: list[SignalOut]
    compared: int = Field(description="看了多少条近期工单", examples=[3120])
    waiting: int = Field(description="还有多少条没有读完", examples=[0])


def window_of(request: Request) -> Window:
    """The window of this process; it follows the database from the first question on."""
    window: Window = request.app.state.window
    if not window.following:
        # The newest orders at once, the rest behind the scenes.
        window.catch_up()
        window.start()
    return window


@router.get(
    "/v1/orders/{order_id}/similar",
    summary="与这张工单反映同一件事的近期工单",
    tags=["派单"],
    response_model=SimilarAnswer,
    responses={404: PROBLEM | {"description": "没有这张工单"}},
)
def similar_to(
    request: Request,
    order_id: Annotated[str, Path(max_length=64, description="工单编号", examples=["20260501000123"])],
    least: float = LEAST,
    most: int = MOST,
) -> dict[str, Any]:
    """只列出来供人判断：并单由人作出，可以撤销；来电人不同的只关联。"""
    window = window_of(request)
    found = window.similar_to(order_id, least=least, most=most)
    return {"similar": [one.as_dict() for one in found], "compared": len(window), "waiting": window.waiting}


@router.post(
    "/v1/similar",
    summary="与这段诉求反映同一件事的近期工单",
    tags=["派单"],
    response_model=SimilarAnswer,
    responses={422: PROBLEM | {"description": "诉求不能处理，detail 说明原因"}},
)
def similar(request: Request, order_in: SimilarIn, least: float = LEAST, most: int = MOST) -> dict[str, Any]:
    """不登记、不写入。通话还没结束时就可以问。"""
    window = window_of(request)
    found = window.similar(order_in.to_order(), least=least, most=most)
    return {"similar": [one.as_dict() for one in found], "compared": len(window), "waiting": window.waiting}


@router.get("/v1/signals", summary="突发：同一件事在同一个地方集中反映", tags=["派单"], response_model=SignalsAnswer)
def signals(request: Request) -> dict[str, Any]:
    """近 30 天里几个小时之内集中出现的同一件事，最不寻常的在前。提示，不作结论。"""
    window = window_of(request)
    rows = [
        {
            "function": burst.function,
            "place": burst.place,
            "district": burst.district,
            "tellings": burst.tellings,
            "expected": round(burst.expected, 3),
            "chance": burst.chance,
            "first": burst.first.isoformat(),
            "last": burst.last.isoformat(),
            "raised_at": burst.raised_at.isoformat(),
            "orders": window.excerpts(burst.order_ids),
        }
        for burst in window.signals()
    ]
    return {"signals": rows, "compared": len(window), "waiting": window.waiting}
