"""模型: the registered versions, what each showed on its frozen test, and every move of an alias."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from service.access import Actor
from service.api.auth import needs
from service.model_desk import data_card_of, evidence_of, find_registered, learning_curve_of, moves
from service.model_life import unrecorded
from service.model_shadow import read_summary
from service.pages.model_charts import accuracy_at_coverage, curve, reliability
from service.pages.render import page
from service.pages.rule_reports import ReportName, sandboxed
from service.pages.rules import runtime
from service.reports import DRIFT, find_report, reports
from training.catalogue import catalogue
from training.champion import CHAMPION
from training.compare import NAMES
from training.registry import PREVIOUS

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(needs("model.read"))]
Number = Annotated[str, Path(max_length=10, pattern="^[0-9]+$")]
ALIASES = {"champion": "现行", "challenger": "候选", "previous": "上一个"}
STATES = {True: ("good", "通过"), False: ("bad", "不通过"), None: ("", "未比较")}
#: Versions, and pairs of units on which the shadow differs, on one page.
PAGE, PAIRS = 50, 20


def tabs(actor: Actor) -> list[tuple[str, str]]:
    """The pages of this subject that somebody may open."""
    labels = [("/models/labels", "标注")] if actor.may("model.label").allowed else []
    return [("/models", "版本"), ("/models/drift", "漂移与影子"), *labels]


@router.get("/models")
def models(request: Request, actor: Reader) -> Response:
    """The versions, the newest first, and the log of moves."""
    state = runtime(request)
    versions = catalogue(state.settings.mlruns)[:PAGE]
    aliases = {alias: one for one in versions for alias in one.version.aliases}
    previous = aliases.get(PREVIOUS)
    may_promote = actor.may("model.promote").allowed
    return page(
        request,
        "models/list.html",
        tabs=tabs(actor),
        versions=versions,
        zone=ZoneInfo(state.settings.time_zone),
        aliases=ALIASES,
        names=NAMES,
        champion=aliases.get(CHAMPION),
        previous=previous if previous and previous is not aliases.get(CHAMPION) else None,
        serving=state.snapshot.ids.model,
        remark=unrecorded(state.settings),
        moves=moves(state.engine),
        states=STATES,
        may_promote=may_promote,
    )


@router.get("/models/versions/{number}")
def version(request: Request, actor: Reader, number: Number) -> Response:
    """One version with the evaluation behind it, drawn from the answers that it kept of its frozen test."""
    state = runtime(request)
    one = find_registered(state.settings, number)
    evidence = evidence_of(one)
    measured, own_curve = learning_curve_of(state.settings, one)
    return page(
        request,
        "models/version.html",
        tabs=tabs(actor),
        one=one,
        zone=ZoneInfo(state.settings.time_zone),
        aliases=ALIASES,
        names=NAMES,
        evidence=evidence,
        charts=_charts(evidence) if evidence else [],
        curve=curve(measured) if measured else None,
        own_curve=own_curve,
        card=data_card_of(one),
        moves=moves(state.engine, version=number),
        states=STATES,
        may_promote=actor.may("model.promote").allowed and CHAMPION not in one.version.aliases,
    )


def _charts(evidence: Any) -> list[dict[str, Any]]:
    return [reliability(evidence), accuracy_at_coverage(evidence)]


@router.get("/models/drift")
def drift(request: Request, actor: Reader) -> Response:
    """The drift reports in the data folder, and what the shadow model would have put first."""
    state = runtime(request)
    return page(
        request,
        "models/drift.html",
        tabs=tabs(actor),
        reports=reports(state.settings, DRIFT),
        shadow=read_summary(state.settings.home),
        shadow_model=state.settings.shadow_model,
        most=PAIRS,
    )


@router.get("/models/drift/{name:path}")
def drift_report(request: Request, _: Reader, name: ReportName) -> Response:
    return sandboxed(find_report(runtime(request).settings, DRIFT, name))
