"""``/v1/kb/search``, ``/v1/kb/suggest`` and ``/v1/kb/answer``: what the knowledge base says. Nothing is written."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from intake.order import MAX_TEXT
from service import clock, kb_search
from service.api.auth import needs
from service.api.routes import PROBLEM
from service.api.schemas import Short, Text
from service.runtime import Runtime

EXAMPLE_QUESTION = "刚付了首付，想把公积金取出来"
router = APIRouter(prefix="/v1/kb", tags=["知识库"], dependencies=[Depends(needs("kb.read"))])


class PassageOut(BaseModel):
    field: Literal["answer", "body"] = Field(description="在条目的哪一栏", examples=["answer"])
    start: int = Field(description="从第几个字起（0 为第一个）", examples=[0])
    end: int = Field(description="到第几个字之前", examples=[24])
    text: str = Field(description="原文", examples=["本人或配偶购买自住住房，可在购房后三年内提取。"])


class SourceOut(BaseModel):
    id: str = Field(description="条目编号", examples=["K2008"])
    title: str = Field(examples=["住房公积金租房提取"])
    unit: str = Field(description="责任单位", examples=["云汀市住房公积金管理中心"])
    district: str = Field(description="适用辖区；空为全市", examples=[""])
    clause: str = Field(description="依据", examples=[""])
    source: str = Field(description="来源", examples=["示范数据"])
    state: str = Field(examples=["发布"])
    secrecy: str = Field(description="内部的只供派单员和坐席", examples=["公开"])
    effective_from: str = Field(examples=["2024-03-01"])
    effective_to: str | None = Field(description="不再有效的第一天；没有写的为空", examples=[None])
    content_hash: str = Field(description="这一版内容的 SHA-256", examples=["ed06217747b0ae54"])
    score: float = Field(ge=0, le=1, description="答得上的概率（粗略）", examples=[0.62])


class HitOut(SourceOut):
    answer: str = Field(description="答复要点，原样，不是 HTML", examples=["凭购房合同到窗口提取。"])
    parts: dict[str, float] = Field(
        description="语义、词、字各比一般文本高几个标准差，及其加权和", examples=[{"dense": 3.1, "fused": 6.2}]
    )
    passage: PassageOut | None = Field(description="最可能答复问题的一句，供高亮")


class SearchOut(BaseModel):
    answered: bool = Field(description="有没有条目答得上；为假时列出的只供参考", examples=[True])
    reason: str = Field(examples=["找到了答得上的条目"])
    index: str = Field(description="知识快照的编号", examples=["kb-0123456789abcdef"])
    hits: list[HitOut]


class SuggestIn(BaseModel):
    """正在输入的文字。请在停顿约 200 毫秒后再发，不必每个字都发。"""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(max_length=MAX_TEXT, examples=["公积金提"])
    district: Short = Field("", examples=[""])
    unit: Short = Field("", examples=[""])
    as_of: AwareDatetime | None = Field(None, examples=["2026-05-01T09:30:00+08:00"])
    top: int = Field(5, ge=1, le=20, examples=[5])


class SuggestionOut(BaseModel):
    id: str = Field(examples=["K2008"])
    title: str = Field(examples=["住房公积金租房提取"])
    unit: str = Field(examples=["云汀市住房公积金管理中心"])


class SuggestOut(BaseModel):
    index: str = Field(examples=["kb-0123456789abcdef"])
    suggestions: list[SuggestionOut]


class AnswerIn(BaseModel):
    """一个问题。只有 text 必填。"""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(max_length=MAX_TEXT, examples=[EXAMPLE_QUESTION])
    district: Short = Field("", examples=[""])
    unit: Short = Field("", examples=[""])
    as_of: AwareDatetime | None = Field(None, examples=["2026-05-01T09:30:00+08:00"])
    top: int = Field(3, ge=1, le=10, description="最多引几条", examples=[3])


class QuoteOut(SourceOut):
    quote: PassageOut = Field(description="条目里的原句，没有改动")


class AnswerOut(BaseModel):
    answered: bool = Field(examples=[True])
    reason: str = Field(examples=["找到了答得上的条目"])
    index: str = Field(examples=["kb-0123456789abcdef"])
    quotes: list[QuoteOut] = Field(description="没有条目答得上时为空")


def _moment(request: Request, as_of: datetime | None) -> tuple[Runtime, datetime]:
    state: Runtime = request.app.state.runtime
    return state, as_of or clock.now(state.settings.time_zone)


@router.get(
    "/search",
    summary="查知识库",
    response_model=SearchOut,
    responses={422: PROBLEM | {"description": "参数不对，detail 说明原因"}},
)
def search(
    request: Request,
    q: Annotated[Text, Query(max_length=MAX_TEXT, description="问题，按来电人的话", examples=[EXAMPLE_QUESTION])],
    as_of: Annotated[AwareDatetime | None, Query(description="按哪一刻有效的条目；不填为现在")] = None,
    district: Annotated[Short, Query(description="只看这个区和全市的条目")] = "",
    unit: Annotated[Short, Query(description="只看这个单位的条目")] = "",
    state: Annotated[Short, Query(description="只看这个状态的条目；不填为在用的")] = "",
    top: Annotated[int, Query(ge=1, le=50, description="最多列几条")] = 5,
) -> dict[str, Any]:
    """先按日期、辖区、单位、状态筛，再排。没有条目答得上时 `answered` 为假，`reason` 说明为什么。"""
    runtime, at = _moment(request, as_of)
    return kb_search.search(runtime.snapshot.knowledge, q, as_of=at, district=district, unit=unit, state=state, top=top)


@router.post("/suggest", summary="边输入边提示条目", response_model=SuggestOut)
def suggest(request: Request, typed: SuggestIn) -> dict[str, Any]:
    """标题以这些字开头的在前，其次标题或问法里有的，不够再按意思补。"""
    runtime, at = _moment(request, typed.as_of)
    return kb_search.typed(
        runtime.snapshot.knowledge, typed.text, as_of=at, district=typed.district, unit=typed.unit, top=typed.top
    )


@router.post("/answer", summary="引条目的原句作答", response_model=AnswerOut)
def answer(request: Request, asked: AnswerIn) -> dict[str, Any]:
    """只引原句并注明出处，不改写、不拼接、不生成。答不上时不引。"""
    runtime, at = _moment(request, asked.as_of)
    return kb_search.quote(
        runtime.snapshot.knowledge, asked.text, as_of=at, district=asked.district, unit=asked.unit, top=asked.top
    )
