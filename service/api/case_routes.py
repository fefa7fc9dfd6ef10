"""``/v1/cases``: a unit asks for 退单、延期、不纳入考核、挂账; somebody else decides."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from intake.errors import ZhipaiError
from service import clock
from service.access import Actor
from service.access.grants import require
from service.api.auth import named, needs
from service.api.case_schemas import (
    EXAMPLE_CASE_ID,
    KIND_TEXT,
    CaseFiledOut,
    CaseIn,
    CaseOut,
    CasesOut,
    ReviewedOut,
    ReviewIn,
)
from service.api.routes import PROBLEM, runtime
from service.cases import Ask, Material, answer_of_rules, submit
from service.cases_facts import standing_of
from service.cases_read import PAGE, CaseFilter, counts, list_cases, read_case
from service.cases_review import Review, review
from service.db.engine import reading
from service.log import Recorded
from service.version import VERSION

CaseId = Annotated[str, Path(max_length=64, description="申请编号", examples=[EXAMPLE_CASE_ID])]
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=200, examples=["unit-017-20260502-01"])]
Asker = Annotated[Actor, Depends(needs("case.submit"))]
Reviewer = Annotated[Actor, Depends(needs("case.review"))]
Reader = Annotated[Actor, Depends(needs("case.review", "case.submit"))]
SOFTWARE = f"zhipai {VERSION}"
CONFLICTS: dict[int | str, dict[str, Any]] = {
    403: PROBLEM | {"description": "没有权限，不在范围之内，或审核自己的申请"},
    404: PROBLEM | {"description": "没有这个申请"},
    409: PROBLEM | {"description": "工单不在本单位、已有在审的申请、已经审核，或看过之后有了变化"},
    422: PROBLEM | {"description": "内容或事实不对"},
}
router = APIRouter(tags=["申请"])


@router.post(
    "/v1/cases",
    summary="承办单位提出申请",
    status_code=201,
    response_model=CaseFiledOut,
    responses=CONFLICTS | {200: {"description": "同一个申请重发：没有再写一次", "model": CaseFiledOut}},
)
def ask(request: Request, who: Asker, case_in: CaseIn, key: Key) -> Response:
    """退单、延期、不纳入考核、挂账。规则当即给出结论、缺什么、怎样会变；由另一个人审核。"""
    asked = Ask(
        case_in.order_id,
        case_in.kind,
        case_in.reason,
        named(who, case_in.actor),
        key,
        case_in.facts,
        tuple(Material(one.name, one.link, one.kind) for one in case_in.materials),
        case_in.suggested_unit,
    )
    case_id, repeated = submitted(request, who, asked)
    with reading(runtime(request).engine) as connection:
        document = _document(read_case(connection, case_id))
    return JSONResponse(document | {"repeated": repeated}, status_code=200 if repeated else 201)


@router.get("/v1/cases", summary="申请清单", response_model=CasesOut)
def cases(
    request: Request,
    who: Reader,
    status: Annotated[
        Literal["", "pending", "accepted", "refused"], Query(description="不填为待审；空为全部")
    ] = "pending",
    kind: Annotated[Literal["", "return", "extension", "exclusion", "suspension"], Query(description=KIND_TEXT)] = "",
    order_id: Annotated[str, Query(max_length=64, description="只看一张工单的")] = "",
    after: Annotated[str, Query(max_length=200, description="上一页给的 next")] = "",
) -> dict[str, Any]:
    """待审的按工单到期先后，审过的按时间倒序，一页 50 个。只列看得到的单位的。"""
    with reading(runtime(request).engine) as connection:
        lines = list_cases(connection, CaseFilter(status, kind, order_id, after), scope=who.scope)
        waiting = counts(connection, scope=who.scope)
    rows = [{name: getattr(line, name) for name in line.__slots__} for line in lines]
    return {"cases": rows, "waiting": waiting, "next": lines[-1].place if len(lines) == PAGE else ""}


@router.get("/v1/cases/{case_id}", summary="一个申请", response_model=CaseOut, responses={404: CONFLICTS[404]})
def case(request: Request, who: Reader, case_id: CaseId) -> Response:
    """单位写的、规则说的、怎样决定的。"""
    with reading(runtime(request).engine) as connection:
        return JSONResponse(_document(visible_case(connection, who, case_id)))


@router.post(
    "/v1/cases/{case_id}/decision",
    summary="审核一个申请，记入日志",
    status_code=201,
    response_model=ReviewedOut,
    responses=CONFLICTS,
)
def decide(request: Request, who: Reviewer, case_id: CaseId, review_in: ReviewIn, key: Key) -> Response:
    """同意退单，工单回到待派；同意延期，办结到期随之改变。申请、决定记录和对外事件在同一个事务里写入。"""
    asked = Review(
        case_id,
        review_in.choice,
        review_in.reason,
        named(who, review_in.actor),
        who.role_for("case.review"),
        key,
        review_in.facts,
        review_in.revision,
    )
    recorded = reviewed(request, who, asked)
    return Response(recorded.content, media_type="application/json", status_code=200 if recorded.repeated else 201)


# What the pages do as well


def submitted(request: Request, who: Actor, asked: Ask) -> tuple[str, bool]:
    """File a request; E6521 unless the order is with a unit of the actor's scope, else as :func:`submit`."""
    state = runtime(request)
    at = clock.now(state.settings.time_zone)
    snapshot = state.snapshot
    _own(request, who, asked.order_id)
    return submit(state.engine, asked, snapshot.rules, snapshot.calendar, directory=snapshot.directory, at=at)


def foreseen(request: Request, who: Actor, asked: Ask) -> dict[str, Any]:
    """What the rules would say to a request."""
    state = runtime(request)
    at = clock.now(state.settings.time_zone)
    snapshot = state.snapshot
    _own(request, who, asked.order_id)
    return answer_of_rules(state.engine, asked, snapshot.rules, snapshot.calendar, directory=snapshot.directory, at=at)


def reviewed(request: Request, who: Actor, asked: Review) -> Recorded:
    """Decide on a case by the rules that were in force when it was asked for."""
    state = runtime(request)
    with reading(state.engine) as connection:
        found = visible_case(connection, who, asked.case_id, action="case.review")
    snapshot = state.snapshot_at(datetime.fromisoformat(found["asked_at"]))
    return review(
        state.engine,
        asked,
        rules=snapshot.rules,
        calendar=snapshot.calendar,
        software=SOFTWARE,
        request_id=request.state.request_id,
        at=clock.now(state.settings.time_zone),
    )


def visible_case(connection: Connection, who: Actor, case_id: str, *, action: str = "") -> dict[str, Any]:
    """A case that somebody may see (or act upon); E7991, E6521."""
    found = read_case(connection, case_id)
    able = action or ("case.review" if who.may("case.review").allowed else "case.submit")
    require(who, able, unit=found["unit"])
    return found


def _own(request: Request, who: Actor, order_id: str) -> None:
    with reading(runtime(request).engine) as connection:
        standing = standing_of(connection, order_id)
    if standing is None:
        raise ZhipaiError("E7990", {"order_id": order_id[:80]})
    require(who, "case.submit", unit=standing.unit)


def _document(found: dict[str, Any]) -> dict[str, Any]:
    """A case as JSON."""
    left_out = ("record", "commitment", "facts", "answer")
    return {name: value for name, value in found.items() if name not in left_out}
