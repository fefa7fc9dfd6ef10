"""What a person does to events: look at them, have them tried again, give them up. The last two are decisions of their own."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine, select, update

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from service.audit_facts import microseconds
from service.db.engine import reading, writing
from service.db.tables import DECISIONS
from service.db.tables_outbox import DELIVERIES
from service.log import append_record

register(
    "E7912",
    "没有这条通知",
    "目标“{target}”没有决定“{decision_id}”的通知。请用 zhipai outbox list 查看。",
    status=404,
)
register(
    "E7913", "通知的状态不对", "决定“{decision_id}”的通知是“{state}”，不能{action}。可以的状态：{allowed}。", status=409
)
register("E7914", "缺少理由", "重送或放弃通知要写明理由（至少 2 个字），记入决定日志。")
register("E7915", "没有可处理的通知", "目标“{target}”没有死信。请用 zhipai outbox list 查看。", status=404)

Action = Literal["retry", "drop"]
STATES = {"waiting": "等待", "delivered": "已送达", "dead": "死信", "dropped": "已放弃"}
#: From which state on something may be done, and where it leads.
STEPS: dict[Action, tuple[tuple[str, ...], str]] = {
    "retry": (("dead", "dropped", "waiting"), "waiting"),
    "drop": (("dead", "waiting"), "dropped"),
}
NAMES: dict[Action, str] = {"retry": "重送", "drop": "放弃"}
KIND = "outbox"
#: Events named in one record.
MOST = 1000
D = DELIVERIES.c


@dataclass(frozen=True, slots=True)
class ByHand:
    """Who does what to which events of a target, and why. No ``decision_ids``: every dead letter (at most 1,000).

    ``role`` is empty where nobody signed in.
    """

    action: Action
    target: str
    actor: str
    reason: str
    decision_ids: Sequence[str] = ()
    role: str = ""


def listed(engine: Engine, *, target: str = "", states: Sequence[str] = (), limit: int = 100) -> list[dict[str, Any]]:
    """Events by target and sequence, with how far they have come."""
    statement = select(DELIVERIES, DECISIONS.c.decision_id).join(DECISIONS, DECISIONS.c.sequence == D.sequence)
    if target:
        statement = statement.where(D.target == target)
    if states:
        statement = statement.where(D.state.in_(states))
    with reading(engine) as connection:
        rows = connection.execute(statement.order_by(D.target, D.sequence).limit(limit)).mappings().all()
    names = ("target", "sequence", "decision_id", "order_id", "state", "attempts", "problem", "updated_at")
    return [{name: row[name] for name in names} for row in rows]


def act(engine: Engine, wanted: ByHand, *, software: str, at: datetime) -> dict[str, Any]:
    """Retry or drop, and say so in the decision log, in one transaction; returns the record.

    Raises
    ------
    ZhipaiError
        E7912–E7915; then nothing was changed.
    """
    if len(wanted.reason.strip()) < 2:
        raise ZhipaiError("E7914")
    allowed, state = STEPS[wanted.action]
    with writing(engine) as connection:
        statement = select(D.sequence, D.state, D.attempts, D.problem, DECISIONS.c.decision_id).join(
            DECISIONS, DECISIONS.c.sequence == D.sequence
        )
        statement = statement.where(D.target == wanted.target).order_by(D.sequence).limit(MOST)
        if wanted.decision_ids:
            statement = statement.where(DECISIONS.c.decision_id.in_(wanted.decision_ids))
        else:
            statement = statement.where(D.state == "dead")
        rows = connection.execute(statement).all()
        _check(wanted, rows, allowed)
        body: dict[str, Any] = {
            "actor": wanted.actor,
            "role": wanted.role,
            "action": wanted.action,
            "reason": mask_pii(wanted.reason.strip()).text,
            "target": wanted.target,
            "events": [
                {"decision_id": row.decision_id, "state": row.state, "attempts": row.attempts, "problem": row.problem}
                for row in rows
            ],
            "software": software,
        }
        _, content = append_record(
            connection,
            kind=KIND,
            body=body,
            key=uuid.uuid4().hex,
            digest=hashlib.sha256(canonical_json(body)).hexdigest(),
            at=at,
        )
        connection.execute(
            update(DELIVERIES)
            .where(D.target == wanted.target, D.sequence.in_([row.sequence for row in rows]))
            .values(
                state=state,
                attempts=0 if wanted.action == "retry" else D.attempts,
                next_at=microseconds(at),
                updated_at=at.isoformat(),
            )
        )
        connection.commit()
    record: dict[str, Any] = json.loads(content)
    return record


def _check(wanted: ByHand, rows: Sequence[Any], allowed: tuple[str, ...]) -> None:
    if not rows and not wanted.decision_ids:
        raise ZhipaiError("E7915", {"target": wanted.target[:40]})
    found = {row.decision_id for row in rows}
    for decision_id in wanted.decision_ids:
        if decision_id not in found:
            raise ZhipaiError("E7912", {"target": wanted.target[:40], "decision_id": decision_id[:80]})
    for row in rows:
        if row.state not in allowed:
            raise ZhipaiError(
                "E7913",
                {
                    "decision_id": row.decision_id,
                    "state": STATES[row.state],
                    "action": NAMES[wanted.action],
                    "allowed": "、".join(STATES[one] for one in allowed),
                },
            )
