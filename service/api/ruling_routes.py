"""The routes of rulings: one gate, one answer; and what may be looked up before asking."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from intake.canonical import canonical_json
from rules.fact_dictionary import fact_dictionary
from rules.vocabulary import GATES
from service import clock
from service.access import Actor
from service.access.grants import require
from service.api.auth import needs
from service.api.routes import PROBLEM, runtime
from service.api.ruling_examples import EXAMPLES
from service.api.ruling_schemas import FactsOut, RulesOut, RulingIn, RulingOut
from service.rule_catalogue import describe_facts, describe_pack
from service.rulings import RulingRequest, make_ruling, rules_and_calendar, served_pack, served_packs, text_of

GATE_LIST = "、".join(f"{name} {title}" for name, title in GATES.items())
Gate = Annotated[str, Query(max_length=40, description=f"只看一个关口：{GATE_LIST}")]
router = APIRouter(tags=["研判"])


@router.post(
    "/v1/rulings/{gate}",
    summary="问一个关口：能不能、应当怎样、依据什么",
    response_model=RulingOut,
    responses={422: PROBLEM | {"description": "规则包、关口、事实或时刻不对，where 指出是哪一处"}},
)
def ruling(
    request: Request,
    who: Annotated[Actor, Depends(needs("rules.read", "case.submit"))],
    gate: Annotated[str, Path(max_length=40, description=GATE_LIST, examples=["return"])],
    ruling_in: Annotated[RulingIn, Body(openapi_examples=EXAMPLES)],
    verdicts: Annotated[
        str, Query(pattern="^(spoken|all)$", description="all 表示连同未命中的规则一并列出")
    ] = "spoken",
) -> Response:
    """给出结论、决定它的规则、处置与告知、缺少的事实、未填的参数、材料清单，以及最少改什么结论就会变。不写入任何东西。"""
    if ruling_in.order_id:
        require(who, "triage.propose")
    state = runtime(request)
    at = ruling_in.as_of or clock.now(state.settings.time_zone)
    snapshot = state.snapshot_at(ruling_in.as_of)
    rules, calendar = rules_and_calendar(ruling_in.pack, snapshot, state.settings, state.engine, at=at)
    text = ruling_in.text or (text_of(state.engine, ruling_in.order_id) if ruling_in.order_id else "")
    question = RulingRequest(
        gate=gate,
        as_of=at,
        text=text,
        all_rules=verdicts == "all",
        **ruling_in.model_dump(exclude={"pack", "as_of", "text"}),
    )
    return _json(make_ruling(question, rules, calendar))


@router.get(
    "/v1/rules/facts",
    summary="事实字典",
    response_model=FactsOut,
    dependencies=[Depends(needs("rules.read", "case.submit"))],
)
def facts(gate: Gate = "") -> Response:
    """规则能读到的每一个事实：类型、单位、取值、来源、可知的关口、缺少时请人核实什么。"""
    return _json({"facts": describe_facts(gate), "dictionary": fact_dictionary().id})


@router.get(
    "/v1/rules",
    summary="规则包里有什么",
    response_model=RulesOut,
    dependencies=[Depends(needs("rules.read"))],
    responses={422: PROBLEM | {"description": "没有这个规则包或关口"}},
)
def rules_of_pack(
    request: Request,
    pack: Annotated[str, Query(max_length=200, description="规则包的名字；不填为正在使用的")] = "",
    gate: Gate = "",
) -> Response:
    """列出规则与条款、生效日期、参数与时限今天的值，以及还没有填的参数和时限。"""
    state = runtime(request)
    in_use, now = state.snapshot.rules.pack, clock.now(state.settings.time_zone)
    document = describe_pack(served_pack(pack, in_use, state.engine, at=now), now.date(), gate)
    packs = [{"name": name, "in_use": name == in_use.name} for name in served_packs(in_use)]
    return _json(document | {"packs": packs})


def _json(document: dict[str, Any]) -> Response:
    """Canonical JSON (RFC 8785), so that the same ruling is the same bytes."""
    return Response(canonical_json(document), media_type="application/json")
