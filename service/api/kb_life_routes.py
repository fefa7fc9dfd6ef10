"""The routes of an entry's life: list, read, draft, and every step from 送审 to 归档."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from intake.errors import ZhipaiError
from service import clock
from service.access import Actor
from service.access.grants import require
from service.api.auth import named, needs
from service.api.kb_life_schemas import EXAMPLE_ID, MOST, ConflictOut, DraftIn, StepIn, StepOut
from service.api.problems import problem
from service.api.routes import PROBLEM, runtime
from service.kb_history import entry_diff, entry_document, entry_history, list_entries, what_is_due
from service.kb_life import EntryConflict, Step, archive, publish, roll_back, save_draft, take_step
from service.version import VERSION

Action = Literal["submit", "return", "discard", "publish", "ask", "archive", "rollback"]
EntryId = Annotated[str, Path(max_length=64, description="条目编号", examples=[EXAMPLE_ID])]
NONE: dict[int | str, dict[str, Any]] = {404: PROBLEM | {"description": "没有这个条目或版本"}}
REFUSED: dict[int | str, dict[str, Any]] = {
    409: {
        "model": ConflictOut,
        "content": {"application/problem+json": {}},
        "description": "状态不对、作者审自己的稿，或别人先改了（E4044：带对方的改动和你的内容）",
    },
    422: PROBLEM | {"description": "内容或理由不对"},
}
STEPS = {
    "submit": {"summary": "送审", "value": {"actor": "张三"}},
    "return": {"summary": "退回修改", "value": {"actor": "李四", "reason": "缺少依据"}},
    "publish": {"summary": "发布", "value": {"actor": "李四", "reason": "核对无误", "revision": 2}},
    "ask": {"summary": "请责任单位更新", "value": {"actor": "李四", "reason": "咨询电话打不通"}},
    "archive": {"summary": "归档", "value": {"actor": "李四", "reason": "政策已停止"}},
    "rollback": {"summary": "回退到第 1 版", "value": {"actor": "李四", "reason": "第 2 版有误", "version": 1}},
    "discard": {"summary": "放弃草稿", "value": {"actor": "张三"}},
}
_ROW = {
    "id": EXAMPLE_ID,
    "revision": 4,
    "state": "发布",
    "standing": "发布",
    "version": 2,
    "title": "餐饮油烟净化设施与专用烟道要求",
    "unit": "某市城市管理局",
    "effective_to": None,
}
_CHANGE = {"field": "answer", "title": "答复要点", "before": "五个工作日答复", "after": "七个工作日答复"}


def _shown(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """What the answer looks like, for the documentation."""
    return {200: {"content": {"application/json": {"example": example}}}}


LISTED = _shown({"entries": [_ROW], "next": EXAMPLE_ID})
DUE = _shown(
    {
        "day": "2026-11-20",
        "update_days": None,
        "expiring": [
            {key: _ROW[key] for key in ("id", "title", "unit")}
            | {"effective_to": "2026-11-27", "days": 7, "reminder": 7}
        ],
    }
)
SHOWN = _shown(_ROW | {"authors": ["张三"], "entry": {"body_html": "<p>……</p>"}, "draft": None, "changes": [_CHANGE]})
HISTORY = _shown(
    {
        "id": EXAMPLE_ID,
        "events": [
            {
                "revision": 4,
                "action": "publish",
                "actor": "李四",
                "at": "2026-11-20T09:30:00+08:00",
                "note": "核对无误",
                "version": 2,
                "decision_id": "d-0f8fad5bd9cb469fa16570867728950e",
            }
        ],
    }
)
DIFF = _shown({"id": EXAMPLE_ID, "old": 1, "new": 2, "changes": [_CHANGE]})
READS = [Depends(needs("kb.read"))]
Writer = Annotated[Actor, Depends(needs("kb.write"))]
#: The steps of an entry's author; every other is a reviewer's.
AUTHORS = frozenset({"submit", "discard"})
router = APIRouter(tags=["知识库"])


@router.get("/v1/kb/entries", summary="条目清单", responses=LISTED, dependencies=READS)
def entries(
    request: Request,
    state: Annotated[str, Query(max_length=10, description="状态：草稿、待审、发布、待更新、失效、归档")] = "",
    unit: Annotated[str, Query(max_length=200, description="责任单位")] = "",
    title: Annotated[str, Query(max_length=128, description="标题里有这些字")] = "",
    after: Annotated[str, Query(max_length=64, description="上一页的 next")] = "",
    limit: Annotated[int, Query(ge=1, le=500, description="一页几条")] = 50,
) -> dict[str, Any]:
    """按编号的顺序，一页一页地列；每条给出状态、现行版本、标题、单位、失效日期。"""
    state_of = runtime(request)
    day = clock.now(state_of.settings.time_zone).date()
    return list_entries(state_of.engine, day=day, state=state, unit=unit, text=title, after=after, limit=limit)


@router.get("/v1/kb/due", summary="到期与更新", responses=DUE, dependencies=READS)
def due(
    request: Request, days: Annotated[int, Query(ge=0, le=3650, description="几天内到期的")] = 30
) -> dict[str, Any]:
    """快到期的条目（30、7、1 天三档）、已请单位更新的、各单位更新次数与是否按时。没有填更新时限的，不判断按时与否。"""
    state = runtime(request)
    now = clock.now(state.settings.time_zone)
    return what_is_due(state.engine, now=now, within=days, limit=state.settings.kb_update_days)


@router.get("/v1/kb/entries/{entry_id}", summary="一个条目", responses=SHOWN | NONE, dependencies=READS)
def entry(request: Request, entry_id: EntryId) -> dict[str, Any]:
    """现行版本、在改的草稿、两者的不同、revision。正文另给出可以安全显示的 HTML（`body_html`）。"""
    state = runtime(request)
    return entry_document(state.engine, entry_id, day=clock.now(state.settings.time_zone).date())


@router.get(
    "/v1/kb/entries/{entry_id}/history", summary="一个条目的全部经过", responses=HISTORY | NONE, dependencies=READS
)
def history(request: Request, entry_id: EntryId) -> dict[str, Any]:
    """谁在何时做了什么、理由、成为第几版、决定编号。"""
    return {"id": entry_id, "events": entry_history(runtime(request).engine, entry_id)}


@router.get("/v1/kb/entries/{entry_id}/diff", summary="两个版本的不同", responses=DIFF | NONE, dependencies=READS)
def diff(
    request: Request,
    entry_id: EntryId,
    old: Annotated[int | None, Query(ge=1, le=MOST, description="旧的是第几版；不填为前一版")] = None,
    new: Annotated[int | None, Query(ge=0, le=MOST, description="新的是第几版，0 为草稿；不填为最近一版")] = None,
) -> dict[str, Any]:
    """逐字段列出原来和现在。"""
    return entry_diff(runtime(request).engine, entry_id, old, new)


@router.post("/v1/kb/entries", summary="起草新条目", status_code=201, response_model=StepOut, responses=REFUSED)
def create(request: Request, who: Writer, draft_in: DraftIn) -> Response:
    """存为草稿，编号由系统给。要送审、由另一个人发布之后才可检索。"""
    if draft_in.revision:
        raise ZhipaiError("E6502", {"field": "revision", "problem": "新条目不填"}, "/revision")
    return _answer(request, lambda: _draft(request, who, draft_in, None), 201)


@router.post("/v1/kb/entries/{entry_id}/draft", summary="写修改稿", response_model=StepOut, responses=REFUSED)
def change(request: Request, who: Writer, entry_id: EntryId, draft_in: DraftIn) -> Response:
    """对已有条目写修改稿，现行版本不变。`revision` 写读到的那个数：别人先改了，返回 409，带对方的改动、你的内容和合在一起的稿子。"""
    return _answer(request, lambda: _draft(request, who, draft_in, entry_id), 200)


@router.post(
    "/v1/kb/entries/{entry_id}/{action}",
    summary="送审、退回、发布、请更新、归档、回退、放弃草稿",
    response_model=StepOut,
    responses=NONE | REFUSED,
)
def act(
    request: Request,
    who: Annotated[Actor, Depends(needs("kb.write", "kb.review"))],
    entry_id: EntryId,
    action: Annotated[Action, Path(description="做哪一步", examples=["publish"])],
    step_in: Annotated[StepIn, Body(openapi_examples=STEPS)],
) -> Response:
    """发布、归档、回退成为新的一版，与决定记录在同一个事务里写入；一秒内可检索。"""
    return _answer(request, lambda: stepped(request, who, entry_id, action, step_in), 200)


def stepped(request: Request, who: Actor, entry_id: str, action: str, step_in: StepIn) -> dict[str, Any]:
    """Take a step for whoever may; E6521 otherwise, and what the step itself raises."""
    state = runtime(request)
    at = clock.now(state.settings.time_zone)
    needed = "kb.write" if action in AUTHORS else "kb.review"
    require(who, needed)
    _within(request, who, needed, entry_id)
    name, role = named(who, step_in.actor), who.role_for(needed)
    step = Step(name, step_in.reason, step_in.revision, f"zhipai {VERSION}", role)
    if action in ("publish", "archive"):
        told = (publish if action == "publish" else archive)(state.engine, entry_id, step, at=at)
    elif action == "rollback":
        if step_in.version is None:
            raise ZhipaiError("E6502", {"field": "version", "problem": "缺少这个字段"}, "/version")
        told = roll_back(state.engine, entry_id, step_in.version, step, at=at)
    else:
        return take_step(state.engine, entry_id, action, step, at=at)
    state.wake()
    return told


def _within(request: Request, who: Actor, action: str, entry_id: str) -> None:
    """E6521 if the entry belongs to a unit out of the actor's scope; E4043 if there is none."""
    if not who.scope.all:
        state = runtime(request)
        day = clock.now(state.settings.time_zone).date()
        require(who, action, unit=entry_document(state.engine, entry_id, day=day)["unit"])


def _draft(request: Request, who: Actor, draft_in: DraftIn, entry_id: str | None) -> dict[str, Any]:
    return drafted(request, who, draft_in.entry.content(), entry_id, revision=draft_in.revision, said=draft_in.actor)


def drafted(
    request: Request, who: Actor, content: dict[str, Any], entry_id: str | None, *, revision: int | None, said: str
) -> dict[str, Any]:
    """Keep a draft for whoever may; E6521 otherwise, E4043 for an entry that is none, and what the text itself raises."""
    state = runtime(request)
    require(who, "kb.write", unit=str(content.get("unit") or "") or None)
    if entry_id:
        entry_document(state.engine, entry_id, day=clock.now(state.settings.time_zone).date())
        _within(request, who, "kb.write", entry_id)
        content = content | {"id": entry_id}
    step = Step(named(who, said), "", revision, f"zhipai {VERSION}", who.role_for("kb.write"))
    return save_draft(state.engine, content, step, at=clock.now(state.settings.time_zone))


def _answer(request: Request, do: Callable[[], dict[str, Any]], status: int) -> Response:
    """What a step told, or the conflict with all that its user needs to go on."""
    try:
        return JSONResponse(do(), status_code=status)
    except EntryConflict as conflict:
        return problem(conflict, request, **conflict.details)
