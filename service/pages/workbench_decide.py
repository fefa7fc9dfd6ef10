"""What a dispatcher does to the order before him: dispatch, refuse, merge, take back, ask again. The next one opens."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from intake.errors import ZhipaiError, register
from service import clock, order_life, order_queue
from service.access import Actor
from service.access.grants import require
from service.api.auth import named
from service.api.similar_routes import window_of
from service.db.engine import reading
from service.decisions import DecisionRequest, decide
from service.filing import propose_again
from service.metrics import DECISIONS
from service.order_life import Step
from service.order_queue import QueueFilter, Row
from service.pages.workbench import Asked, Dispatcher, OrderId, answer_with, visible
from service.runtime import Runtime
from service.similar_orders import read_recent
from service.version import VERSION

register("E7958", "规则没有命中", "规则“{rule}”没有命中这张工单，不能作为分类处置的依据。请另选，或写明自己的理由。")
register(
    "E7959", "没有可撤销的决定", "没有找到您近期作出、现在仍然有效的决定。要撤销别的决定，请打开那张工单。", status=404
)
register("E7960", "工单原文已删除", "这张工单的文字已按规定删除，不能重新研判。", status=409)

router = APIRouter(include_in_schema=False)
SOFTWARE = f"zhipai {VERSION}"
Text = Annotated[str, Form(max_length=2000)]
Short = Annotated[str, Form(max_length=200)]
#: One for each time the form is shown: sent twice, it counts once.
Key = Annotated[str, Form(min_length=8, max_length=200)]
Revision = Annotated[int, Form(ge=1)]


@router.post("/workbench/orders/{order_id:path}/dispatch")
def dispatch(
    request: Request,
    actor: Dispatcher,
    asked: Asked,
    order_id: OrderId,
    proposal_id: Short,
    unit: Short,
    revision: Revision,
    key: Key,
    reason: Text = "",
) -> Response:
    """Accept the first unit, or choose another with a reason."""
    state, row = _seen(request, actor, order_id)
    require(actor, "dispatch.decide", unit=unit)
    with reading(state.engine) as connection:
        first = next(iter(order_queue.shown_proposal(connection, row)["units"]), {"unit": ""})["unit"]
    action: Any = "accept" if unit == first and first else "override"
    recorded = decide(
        state.engine,
        DecisionRequest(
            proposal_id=proposal_id,
            action=action,
            unit=unit,
            actor=_name(actor),
            reason=reason,
            idempotency_key=key,
            role=actor.role_for("dispatch.decide"),
        ),
        directory=lambda: state.snapshot.directory,
        software=SOFTWARE,
        request_id=request.state.request_id,
        at=clock.now(state.settings.time_zone),
        revision=revision,
    )
    if not recorded.repeated:
        DECISIONS.labels(action=action).inc()
    return _next(request, actor, asked, row, f"已派给{unit}。按 U 可以撤销。")


@router.post("/workbench/orders/{order_id:path}/refuse")
def refuse(
    request: Request,
    actor: Dispatcher,
    asked: Asked,
    order_id: OrderId,
    revision: Revision,
    key: Key,
    reason: Text = "",
    rule_id: Short = "",
) -> Response:
    """不予受理 / 分类处置, by a rule that hit or for a reason of one's own."""
    state, row = _seen(request, actor, order_id)
    with reading(state.engine) as connection:
        verdicts = order_queue.shown_proposal(connection, row)["verdicts"]
    order_life.refuse(
        state.engine,
        _step(request, actor, order_id, reason, key, revision),
        disposition=disposition_of(verdicts, rule_id),
        software=SOFTWARE,
        request_id=request.state.request_id,
        at=clock.now(state.settings.time_zone),
    )
    return _next(request, actor, asked, row, "已按分类处置记入，不派单。按 U 可以撤销。")


def disposition_of(verdicts: list[dict[str, Any]], rule_id: str) -> dict[str, str]:
    """What the caller is told, by the rule that a refusal rests on; E7958 for a rule that did not hit."""
    if not rule_id:
        return {"rule_id": "", "action": "不予受理", "tell": "", "clause": ""}
    for verdict in verdicts:
        if verdict["rule_id"] == rule_id and verdict["state"] == "hit":
            said, clause = verdict["disposition"] or {"action": "不予受理", "tell": ""}, verdict["clause"]
            return {"rule_id": rule_id, **said, "clause": f"{clause['document']}{clause['article']}"}
    raise ZhipaiError("E7958", {"rule": rule_id[:80]})


@router.post("/workbench/orders/{order_id:path}/merge")
def merge(
    request: Request,
    actor: Dispatcher,
    asked: Asked,
    order_id: OrderId,
    into: Short,
    revision: Revision,
    key: Key,
    reason: Text = "",
) -> Response:
    """并单: only into an order that the comparison calls a repeat of the same caller; 集中诉求 are linked, never merged."""
    state, row = _seen(request, actor, order_id)
    found = window_of(request).similar_to(order_id, least=0.0, most=20)
    if not any(one.order_id == into and one.kind == "duplicate" for one in found):
        raise ZhipaiError("E7955", {"into": into[:80], "why": "两张工单不像同一个人的重复诉求，集中诉求只关联、不合并"})
    order_life.merge(
        state.engine,
        _step(request, actor, order_id, reason, key, revision),
        into=into,
        software=SOFTWARE,
        request_id=request.state.request_id,
        at=clock.now(state.settings.time_zone),
    )
    return _next(request, actor, asked, row, f"已并入 {into}。按 U 可以撤销。")


@router.post("/workbench/undo")
def undo_last(
    request: Request, actor: Dispatcher, asked: Asked, key: Key, reason: Text = "", order_id: Short = ""
) -> Response:
    """Take back a decision: that of ``order_id``, or the last of this actor that still stands. It opens again."""
    state = _runtime(request)
    with reading(state.engine) as connection:
        row = (
            visible(connection, actor, order_id) if order_id else order_queue.last_decided_by(connection, _name(actor))
        )
    if row is None or row.decision_id is None:
        raise ZhipaiError("E7959")
    order_life.undo(
        state.engine,
        _step(request, actor, row.order_id, reason, key, None),
        decision_id=row.decision_id,
        software=SOFTWARE,
        request_id=request.state.request_id,
        at=clock.now(state.settings.time_zone),
    )
    with reading(state.engine) as connection:
        now = order_queue.require_row(connection, row.order_id)
    return answer_with(request, now, asked, headers=_said("已撤销，工单回到待派。原来的决定仍在日志里。"))


@router.post("/workbench/orders/{order_id:path}/again")
def again(request: Request, actor: Dispatcher, asked: Asked, order_id: OrderId, revision: Revision) -> Response:
    """A new proposal by the rules, model and knowledge in force now."""
    state, row = _seen(request, actor, order_id)
    if row.revision != revision:
        raise ZhipaiError("E7952", {"what": order_queue.told(row)})
    with reading(state.engine) as connection:
        stored = read_recent(connection, [order_id])
    if not stored:
        raise ZhipaiError("E7960")
    order = stored[0].order
    at = clock.now(state.settings.time_zone)
    propose_again(state.engine, order, row, snapshot=state.snapshot, actor=_name(actor), at=at)
    with reading(state.engine) as connection:
        now = order_queue.require_row(connection, order_id)
    return answer_with(request, now, asked, headers=_said("已按现行的规则、模型和知识重新研判。"))


def _seen(request: Request, actor: Actor, order_id: str) -> tuple[Runtime, Row]:
    state = _runtime(request)
    with reading(state.engine) as connection:
        return state, visible(connection, actor, order_id)


def _step(request: Request, actor: Actor, order_id: str, reason: str, key: str, revision: int | None) -> Step:
    return Step(order_id, _name(actor), actor.role_for("dispatch.decide"), reason, key, revision)


def _name(actor: Actor) -> str:
    """Who stands in the record: the account, or the machine while there are no accounts."""
    return named(actor, actor.name)


def _next(request: Request, actor: Actor, asked: QueueFilter, row: Row, said: str) -> Response:
    """The order that follows in the list that is shown; the first of it at its end."""
    with reading(_runtime(request).engine) as connection:
        following = order_queue.following(connection, asked, row, scope=actor.scope)
    return answer_with(request, following, asked, headers=_said(said))


def _said(text: str) -> dict[str, str]:
    """A toast, and the list renewed. A header is ASCII: json writes the rest as escapes."""
    return {"HX-Trigger": json.dumps({"toast": {"text": text}, "queue-changed": True})}


def _runtime(request: Request) -> Runtime:
    state: Runtime = request.app.state.runtime
    return state
