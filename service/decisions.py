"""The decision (决定): a person accepts or overrides a proposal; routing, log record and event commit together."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import rfc8785
from sqlalchemy import Connection, Engine, insert, select

from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from intake.unit import UnitDirectory
from service import order_queue
from service.db.engine import once_more, reading
from service.db.tables import DECISIONS, OUTBOX, ROUTINGS
from service.log import Recorded, append_record, standing_record
from service.orders import read_proposal

register("E6401", "改派缺少理由", "选择的单位不是建议的第一位，属于改派，请在 reason 里写明理由（至少 2 个字）。")
register(
    "E6402", "采纳的单位不符", "“采纳”只能选建议的第一位“{first}”。要派给“{unit}”，请用“改派”（override）并写明理由。"
)
register("E6404", "没有这条决定", "没有编号为“{decision_id}”的决定。请核对编号。", status=404)
register("E6405", "没有可采纳的建议", "这条建议没有推荐单位，不能“采纳”。请用“改派”（override）指定单位并写明理由。")

Action = Literal["accept", "override"]
# Made once: building a statement costs as much as running it. Nobody asks for the number of a routing.
_ROUTE = insert(ROUTINGS).inline()
_TELL = insert(OUTBOX)


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """What a dispatcher chose, and in which role. ``reason`` is required for an override; personal data in it is masked
    before logging."""

    proposal_id: str
    action: Action
    unit: str
    actor: str
    reason: str
    idempotency_key: str
    role: str = ""

    def digest(self) -> str:
        """Tells a repeat of the same decision from another decision under the same key.

        Of the reason as it is logged: from a plain hash of the whole a telephone number in it could be found by trial.
        """
        content = [self.proposal_id, self.action, self.unit, self.actor, mask_pii(self.reason).text]
        return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def decide(
    engine: Engine,
    request: DecisionRequest,
    *,
    directory: Callable[[], UnitDirectory],
    software: str,
    request_id: str,
    at: datetime,
    revision: int | None = None,
) -> Recorded:
    """Record one decision: routing, log record and outbox event in one transaction, or nothing.

    Parameters
    ----------
    directory : callable
        Gives the unit directory in force; called only for a new decision.
    at : datetime
        The instant of the decision, from ``service.clock``.
    revision : int or None
        The state of the queue's row that the dispatcher saw; None where the caller does not know the queue.

    Raises
    ------
    ZhipaiError
        E6301 unknown proposal, E1101 unit not in force, E6401/E6402/E6405 choice and action do not fit, E6403 key used
        for something else, E7951/E7952 the order has a decision already or has changed, E6001–E6004 database.
    """

    def work(connection: Connection) -> Recorded:
        recorded = record_decision(
            connection,
            request,
            directory=directory,
            software=software,
            request_id=request_id,
            at=at,
            revision=revision,
        )
        if not recorded.repeated:
            connection.commit()
        return recorded

    return once_more(engine, work)


def record_decision(
    connection: Connection,
    request: DecisionRequest,
    *,
    directory: Callable[[], UnitDirectory],
    software: str,
    request_id: str,
    at: datetime,
    revision: int | None = None,
) -> Recorded:
    """:func:`decide` inside the caller's unit of work, which commits: several decisions may share one commit."""
    digest = request.digest()
    standing = standing_record(connection, key=request.idempotency_key, digest=digest)
    if standing is not None:
        return standing
    stored = read_proposal(connection, request.proposal_id)
    order_id, proposal = stored.order_id, json.loads(stored.canonical)
    _check_choice(request, proposal)
    directory().require(request.unit, at)
    decision_id, content = append_record(
        connection,
        kind="dispatch",
        body={
            "order_id": order_id,
            "actor": request.actor,
            "role": request.role,
            "action": request.action,
            "unit": request.unit,
            "reason": mask_pii(request.reason).text,
            "as_of": proposal["as_of"],
            "proposal_id": request.proposal_id,
            "snapshot": proposal["snapshot"],
            "software": software,
            "request_id": request_id,
            "masked_paths": proposal["order"]["masked_paths"],
        },
        key=request.idempotency_key,
        digest=digest,
        at=at,
        columns={
            "order_id": order_id,
            "proposal_id": request.proposal_id,
            "action": request.action,
            "unit": request.unit,
        },
        canonical={"proposal": stored.canonical.encode(), "context": stored.context.encode()},
    )
    routing = {"order_id": order_id, "decision_id": decision_id, "unit": request.unit, "created_at": at.isoformat()}
    connection.execute(_ROUTE, routing)
    order_queue.dispatched(
        connection,
        order_id=order_id,
        unit=request.unit,
        actor=request.actor,
        decision_id=decision_id,
        at=at,
        revision=revision,
    )
    event = {
        "event_id": f"e-{uuid.uuid4().hex}",
        "decision_id": decision_id,
        "event": _event(decision_id, order_id, request, at),
        "created_at": at.isoformat(),
    }
    connection.execute(_TELL, event)
    return Recorded(content, repeated=False)


def read_decision(engine: Engine, decision_id: str) -> bytes:
    """One decision as it was logged, byte for byte; E6404 if there is none."""
    with reading(engine) as connection:
        content = connection.execute(select(DECISIONS.c.record).where(DECISIONS.c.decision_id == decision_id)).scalar()
    if content is None:
        raise ZhipaiError("E6404", {"decision_id": decision_id[:80]})
    return content


def _check_choice(request: DecisionRequest, proposal: dict[str, Any]) -> None:
    first = proposal["units"][0]["unit"] if proposal["units"] else ""
    if request.action == "accept":
        if not first:
            raise ZhipaiError("E6405")
        if request.unit != first:
            raise ZhipaiError("E6402", {"first": first, "unit": request.unit})
    elif len(request.reason.strip()) < 2:
        raise ZhipaiError("E6401")


def _event(decision_id: str, order_id: str, request: DecisionRequest, at: datetime) -> dict[str, Any]:
    """A CloudEvents 1.0 envelope with ids only: whoever needs more asks for the decision."""
    return {
        "specversion": "1.0",
        "type": "zhipai.decision.recorded",
        "source": "/v1/decisions",
        "id": decision_id,
        "time": at.isoformat(),
        "data": {
            "decision_id": decision_id,
            "order_id": order_id,
            "action": request.action,
            "unit": request.unit,
        },
    }
