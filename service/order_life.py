"""What may happen to a filed order besides a dispatch: refused, merged, taken back, sent back. Each is a decision.

Every function writes its record, its event and the row of the queue in one transaction, or nothing. Nothing is
overwritten: taking a decision back is a decision of its own, and the first one stays in the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from service import order_queue
from service.db.engine import writing
from service.log import Recorded, append_record, standing_record
from service.order_queue import DISPATCHED, MERGED, OPEN, REFUSED, RETURNED, Row
from service.orders import read_proposal

register("E7953", "缺少理由", "{what}要写明理由（至少 2 个字），供日后核对。")
register("E7954", "没有可撤销的决定", "这张工单现在是“{status}”，没有可以撤销的决定。", status=409)
register("E7955", "不能并单", "这张工单不能并入“{into}”：{why}。", status=409)
register(
    "E7956",
    "撤销的不是这个决定",
    "您要撤销的决定已经不是这张工单现行的决定（现行：{what}）。请看过现在的内容再撤销。",
    status=409,
)

LEAST_REASON = 2


@dataclass(frozen=True, slots=True)
class Step:
    """Who does something to an order, why, and on the strength of what he saw.

    ``revision``: the state of the queue's row that was shown; None where the caller does not know the queue.
    """

    order_id: str
    actor: str
    role: str
    reason: str
    key: str
    revision: int | None = None


def refuse(
    engine: Engine,
    step: Step,
    *,
    disposition: Mapping[str, str],
    software: str,
    request_id: str,
    at: datetime,
) -> Recorded:
    """不予受理 / 分类处置: the order goes to no unit of ours, and the caller is told where to turn.

    Parameters
    ----------
    disposition : mapping
        ``rule_id`` (empty where a person refuses without a rule), ``action`` 处置方式, ``tell`` 告知要点, ``clause`` 依据.

    Raises
    ------
    ZhipaiError
        E7950–E7953 and E6403; E6001–E6004 for the database.
    """
    body = {"action": "refuse", "disposition": dict(disposition), "software": software, "request_id": request_id}
    with writing(engine) as connection:
        return _decide(connection, step, "refusal", body, {"status": REFUSED, "unit": ""}, what="不予受理", at=at)


def merge(engine: Engine, step: Step, *, into: str, software: str, request_id: str, at: datetime) -> Recorded:
    """并单: the order goes the way of another that tells of the same matter; both keep their numbers and deadlines.

    Raises
    ------
    ZhipaiError
        E7955 if the other order is not in the queue, is this one, or was itself refused or merged; else as :func:`refuse`.
    """
    body = {"action": "merge", "into": into, "software": software, "request_id": request_id}
    with writing(engine) as connection:
        other = order_queue.read_row(connection, into)
        if other is None:
            raise ZhipaiError("E7955", {"into": into[:80], "why": "队列里没有它"})
        if into == step.order_id:
            raise ZhipaiError("E7955", {"into": into[:80], "why": "它就是这张工单"})
        if other.status in (REFUSED, MERGED):
            raise ZhipaiError("E7955", {"into": into[:80], "why": f"它现在是“{order_queue.told(other)}”"})
        return _decide(connection, step, "merge", body, {"status": MERGED, "unit": other.unit}, what="并单", at=at)


def undo(engine: Engine, step: Step, *, decision_id: str, software: str, request_id: str, at: datetime) -> Recorded:
    """撤销: the order waits again. The decision that is taken back stays in the log and is named.

    Parameters
    ----------
    decision_id : str
        The decision that is taken back; it has to be the one that stands.

    Raises
    ------
    ZhipaiError
        E7954 for an order that waits, E7956 if another decision stands; else as :func:`refuse`.
    """
    body = {"action": "undo", "undoes": decision_id, "software": software, "request_id": request_id}
    with writing(engine) as connection:
        return _take_back(connection, step, "undo", body, OPEN, decision_id=decision_id, what="撤销", at=at)


def reopen(connection: Connection, step: Step, *, body: Mapping[str, Any], at: datetime) -> Recorded:
    """退回待派: a return was granted, and the order waits for another unit. Inside the caller's unit of work.

    Raises
    ------
    ZhipaiError
        E7954 for an order that was not dispatched; else as :func:`refuse`.
    """
    return _take_back(
        connection, step, "reopen", dict(body), RETURNED, decision_id=None, what="同意退回", at=at, commit=False
    )


def _decide(
    connection: Connection,
    step: Step,
    kind: str,
    body: dict[str, Any],
    values: dict[str, Any],
    *,
    what: str,
    at: datetime,
) -> Recorded:
    digest = _digest(step, kind, body)
    standing = standing_record(connection, key=step.key, digest=digest)
    if standing is not None:
        return standing
    _check_reason(step, what)
    row = order_queue.require_row(connection, step.order_id)
    order_queue.check_waiting(connection, row, revision=step.revision, at=at)
    return _write(connection, row, step, kind, body, values, digest, at=at)


def _take_back(
    connection: Connection,
    step: Step,
    kind: str,
    body: dict[str, Any],
    status: str,
    *,
    decision_id: str | None,
    what: str,
    at: datetime,
    commit: bool = True,
) -> Recorded:
    digest = _digest(step, kind, body)
    standing = standing_record(connection, key=step.key, digest=digest)
    if standing is not None:
        return standing
    _check_reason(step, what)
    row = order_queue.require_row(connection, step.order_id)
    if row.waiting or (kind == "reopen" and row.status != DISPATCHED):
        raise ZhipaiError("E7954", {"status": order_queue.told(row)})
    if decision_id is not None and row.decision_id != decision_id:
        raise ZhipaiError("E7956", {"what": order_queue.told(row)})
    body |= {"undoes": row.decision_id}
    return _write(connection, row, step, kind, body, {"status": status, "unit": ""}, digest, at=at, commit=commit)


def _write(
    connection: Connection,
    row: Row,
    step: Step,
    kind: str,
    body: Mapping[str, Any],
    values: Mapping[str, Any],
    digest: str,
    *,
    at: datetime,
    commit: bool = True,
) -> Recorded:
    stored = read_proposal(connection, row.proposal_id)
    proposal = json.loads(stored.canonical)
    # What takes a decision back points to it; what decides carries what it was decided on.
    decides = kind in ("refusal", "merge")
    canonical = {"proposal": stored.canonical.encode(), "context": stored.context.encode()} if decides else {}
    decision_id, content = append_record(
        connection,
        kind=kind,
        body={
            "order_id": row.order_id,
            "actor": step.actor,
            "role": step.role,
            "reason": mask_pii(step.reason.strip()).text,
            "as_of": proposal["as_of"],
            "proposal_id": row.proposal_id,
            "snapshot": proposal["snapshot"],
            **body,
        },
        key=step.key,
        digest=digest,
        at=at,
        # No proposal in the columns: what reads dispatches joins on it.
        columns={"order_id": row.order_id},
        canonical=canonical,
    )
    order_queue.change(
        connection,
        row,
        {**values, "decision_id": decision_id},
        event=kind,
        actor=step.actor,
        at=at,
        decision_id=decision_id,
    )
    if commit:
        connection.commit()
    return Recorded(content, repeated=False)


def _check_reason(step: Step, what: str) -> None:
    if len(step.reason.strip()) < LEAST_REASON:
        raise ZhipaiError("E7953", {"what": what}, where="/reason")


def _digest(step: Step, kind: str, body: Mapping[str, Any]) -> str:
    """Tells a repeat from another decision under the same key. The reason as it is logged, for the same cause as
    :meth:`service.decisions.DecisionRequest.digest`."""
    said = {name: value for name, value in body.items() if name not in ("software", "request_id", "undoes")}
    content = [kind, step.order_id, step.actor, mask_pii(step.reason).text, body.get("undoes"), said]
    return hashlib.sha256(canonical_json(content)).hexdigest()
