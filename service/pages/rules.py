"""规则: the packs, their rules by gate, and one rule with everything that stands behind it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from rules.vocabulary import GATES
from service import clock
from service.access import Actor
from service.api.auth import needs
from service.pages.render import fragment, page
from service.pages.rule_view import rows_of_tests, rule_page, rule_row
from service.rule_catalogue import check_gate
from service.rule_shelf import carriers, counted, find_rule, shown_pack, tests_of
from service.runtime import Runtime

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(needs("rules.read"))]
PackName = Annotated[str, Query(max_length=200)]
RuleId = Annotated[str, Path(max_length=40)]
#: Rules on one page of the list.
PAGE = 50


def tabs(actor: Actor) -> list[tuple[str, str]]:
    """The pages of this subject that somebody may open."""
    found = [("/rules", "规则"), ("/rules/try", "试一条"), ("/rules/history", "发布记录")]
    if actor.may("rules.backtest").allowed:
        found.append(("/rules/backtests", "回测报告"))
    if actor.may("rules.publish").allowed:
        found.append(("/rules/publish", "发布"))
    return found


def asked(path: str, **values: object) -> str:
    """An address of this subject with what is not empty."""
    return f"{path}?{urlencode({name: value for name, value in values.items() if value})}"


@router.get("/rules")
def rules(
    request: Request,
    actor: Reader,
    pack: PackName = "",
    gate: Annotated[str, Query(max_length=40)] = "",
    q: Annotated[str, Query(max_length=100)] = "",
    only: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """The rules of a pack, by gate and words. ``only=unfilled``: those that wait for a parameter."""
    state, now = runtime(request), moment(request)
    shown = shown_pack(pack, state.snapshot, state.engine, at=now)
    day = now.astimezone(shown.pack.zone).date()
    check_gate(gate)
    near = {name: place for place, name in enumerate(shown.pack.lineage)}
    order = {name: place for place, name in enumerate(GATES)}
    # The pack's own rules first, then those of its parents; within each by gate.
    ordered = sorted(shown.pack.rules, key=lambda rule: (near[rule.pack], order[rule.gate], rule.id))
    rows = [rule_row(rule, shown.pack, day) for rule in ordered]
    in_gates = {name: sum(row["gate"] == name for row in rows) for name in GATES}
    wanted = [
        row
        for row in rows
        if (not gate or row["gate"] == gate)
        and (not q.strip() or q.strip().lower() in f"{row['id']} {row['title']} {row['clause'].document}".lower())
        and (only != "unfilled" or row["unfilled"])
    ]
    tests = tests_of(shown, state.engine)
    part = [row | {"tests": counted(tests, row["id"])} for row in wanted[after : after + PAGE]]
    return page(
        request,
        "rules/list.html",
        tabs=tabs(actor),
        shown=shown,
        pack=shown.pack,
        gate=gate,
        gates=GATES,
        in_gates=in_gates,
        q=q,
        only=only,
        rows=part,
        total=len(wanted),
        after=after,
        previous=asked("/rules", pack=pack, gate=gate, q=q, only=only, after=max(0, after - PAGE)) if after else "",
        more=asked("/rules", pack=pack, gate=gate, q=q, only=only, after=after + PAGE)
        if after + PAGE < len(wanted)
        else "",
        to_fill=shown.pack.to_fill(),
        unfilled=sum(bool(row["unfilled"]) for row in rows),
    )


@router.get("/rules/rule/{rule_id}")
def one_rule(request: Request, actor: Reader, rule_id: RuleId, pack: PackName = "") -> Response:
    """One rule with its whole text, its clause and its tests."""
    state, now = runtime(request), moment(request)
    shown = shown_pack(pack, state.snapshot, state.engine, at=now)
    rule = find_rule(shown.pack, rule_id)
    tests = tests_of(shown, state.engine).get(rule.id, [])
    return page(
        request,
        "rules/rule.html",
        tabs=tabs(actor),
        shown=shown,
        pack=shown.pack,
        rule=rule_page(rule, shown.pack, now.astimezone(shown.pack.zone).date()),
        tests=rows_of_tests(rule.id, tests),
    )


@router.get("/rules/rule/{rule_id}/packs")
def packs_of_rule(request: Request, _: Reader, rule_id: RuleId, pack: PackName = "") -> Response:
    """The packs that carry a rule on, with what each fills in."""
    state, now = runtime(request), moment(request)
    rule = find_rule(shown_pack(pack, state.snapshot, state.engine, at=now).pack, rule_id)
    found: list[dict[str, Any]] = carriers(rule, state.snapshot, state.engine, at=now)
    return fragment(request, "rules/carriers.html", rule=rule, carriers=found)


def runtime(request: Request) -> Runtime:
    state: Runtime = request.app.state.runtime
    return state


def moment(request: Request) -> datetime:
    return clock.now(runtime(request).settings.time_zone)
