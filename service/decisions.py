"""The decision (决定): a person accepts or overrides a proposal; routing, log record and event commit together."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, select

from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from intake.unit import UnitDirectory
from service import order_queue
from service.audit.tree import Place, next_place
from service.db.bulk import add_rows, one_trip
from service.db.engine import reading
from service.db.tables import DECISIONS, OUTBOX, ROUTINGS
from service.decision_request import Asked, DecisionRequest, check_choice
from service.group_commit import GroupCommit
from service.log import Draft, Recorded, append_drafts, draft_record, standing_records
from service.order_queue import Row
from service.orders import StoredProposal, read_proposals

__all__ = ["Asked", "DecisionRequest", "decide", "read_decision", "record_decisions"]

register("E6404", "没有这条决定", "没有编号为“{decision_id}”的决定。请核对编号。", status=404)

Outcome = Recorded | ZhipaiError

_groups: WeakKeyDictionary[Engine, GroupCommit[Asked, Recorded]] = WeakKeyDictionary()
_groups_lock = threading.Lock()


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

    Decisions that arrive at the same time share a transaction (:mod:`service.group_commit`). What is asked for besides
    the request: :class:`service.decision_request.Asked`.

    Raises
    ------
    ZhipaiError
        E6301 unknown proposal, E1101 unit not in force, E6401/E6402/E6405 choice and action do not fit, E6403 key used
        for something else, E7951/E7952 the order has a decision already or has changed, E6001–E6004 database.
    """
    with _groups_lock:
        group = _groups.get(engine)
        if group is None:
            group = _groups[engine] = GroupCommit(record_decisions)
    return group.run(engine, Asked(request, directory, software, request_id, at, revision))


@dataclass(frozen=True, slots=True)
class _Ready:
    """A new decision that fits its proposal: all of it but its place in the log."""

    asked: Asked
    order_id: str
    draft: Draft


def record_decisions(connection: Connection, asked: Sequence[Asked]) -> list[Outcome]:
    """:func:`decide` for several in one unit of work, and commit it; for each its record, or the refusal of one that
    wrote nothing.

    What does not need its place in the log is done before the lock of the log is taken; what is written is sent
    together with the commit.
    """
    outcomes: dict[int, Outcome] = {}
    ready = _prepare(connection, asked, outcomes)
    # Those whose key came twice at once; they go when the first of them stands, or was refused.
    again = [number for number in range(len(asked)) if number not in ready and number not in outcomes]
    if ready:
        place = next_place(connection)
        rows = order_queue.rows_of(connection, {one.order_id for one in ready.values()})
        _write(connection, place, _admit(connection, ready, rows, outcomes), outcomes, commit=not again)
    if again:
        found = record_decisions(connection, [asked[number] for number in again])
        outcomes |= dict(zip(again, found, strict=True))
        connection.commit()
    return [outcomes[number] for number in range(len(asked))]


def _prepare(connection: Connection, asked: Sequence[Asked], outcomes: dict[int, Outcome]) -> dict[int, _Ready]:
    """New decisions that fit their proposals, the first of each key; repeats and refusals go to ``outcomes``."""
    standing = standing_records(connection, {one.request.idempotency_key for one in asked})
    new = {one.request.proposal_id for one in asked if one.request.idempotency_key not in standing}
    stored = read_proposals(connection, new) if new else {}
    ready: dict[int, _Ready] = {}
    keys: set[str] = set()
    for number, one in enumerate(asked):
        key = one.request.idempotency_key
        if key in keys:
            continue
        keys.add(key)
        try:
            if key in standing:
                outcomes[number] = standing[key].repeat(one.request.digest())
            else:
                ready[number] = _ready(one, stored)
        except ZhipaiError as error:
            outcomes[number] = error
    return ready


def _ready(asked: Asked, stored: Mapping[str, StoredProposal]) -> _Ready:
    request = asked.request
    if request.proposal_id not in stored:
        raise ZhipaiError("E6301", {"proposal_id": request.proposal_id[:80]})
    found = stored[request.proposal_id]
    proposal = json.loads(found.canonical)
    check_choice(request, proposal)
    asked.directory().require(request.unit, asked.at)
    draft = draft_record(
        kind="dispatch",
        body={
            "order_id": found.order_id,
            "actor": request.actor,
            "role": request.role,
            "action": request.action,
            "unit": request.unit,
            "reason": mask_pii(request.reason).text,
            "as_of": proposal["as_of"],
            "proposal_id": request.proposal_id,
            "snapshot": proposal["snapshot"],
            "software": asked.software,
            "request_id": asked.request_id,
            "masked_paths": proposal["order"]["masked_paths"],
        },
        key=request.idempotency_key,
        digest=request.digest(),
        at=asked.at,
        columns={
            "order_id": found.order_id,
            "proposal_id": request.proposal_id,
            "action": request.action,
            "unit": request.unit,
        },
        canonical={"proposal": found.canonical.encode(), "context": found.context.encode()},
    )
    return _Ready(asked, found.order_id, draft)


def _admit(
    connection: Connection, ready: Mapping[int, _Ready], rows: dict[str, Row], outcomes: dict[int, Outcome]
) -> dict[int, tuple[_Ready, Row | None]]:
    """Those whose order waits for a decision, each with its row of the queue as it will stand. An order that was never
    filed (only a proposal was asked for) has no row, and nothing to check. Of two for one order the first goes."""
    admitted: dict[int, tuple[_Ready, Row | None]] = {}
    for number, one in ready.items():
        row = rows.get(one.order_id)
        if row is None:
            admitted[number] = one, None
            continue
        try:
            order_queue.check_waiting(connection, row, revision=one.asked.revision, at=one.asked.at)
        except ZhipaiError as error:
            outcomes[number] = error
            continue
        request = one.asked.request
        rows[one.order_id] = order_queue.dispatched(
            row, unit=request.unit, actor=request.actor, decision_id=one.draft.decision_id, at=one.asked.at
        )
        admitted[number] = one, rows[one.order_id]
    return admitted


def _write(
    connection: Connection,
    place: Place,
    admitted: Mapping[int, tuple[_Ready, Row | None]],
    outcomes: dict[int, Outcome],
    *,
    commit: bool,
) -> None:
    if not admitted:
        return
    ready = [one for one, _ in admitted.values()]
    with one_trip(connection) if commit else nullcontext():
        contents = append_drafts(connection, place, [one.draft for one in ready])
        add_rows(connection, ROUTINGS, [_routing(one) for one in ready])
        if changed := [row for _, row in admitted.values() if row is not None]:
            order_queue.write_dispatched(connection, changed)
        add_rows(connection, OUTBOX, [_event(one) for one in ready])
        if commit:
            connection.commit()
    for number, content in zip(admitted, contents, strict=True):
        outcomes[number] = Recorded(content, repeated=False)


def read_decision(engine: Engine, decision_id: str) -> bytes:
    """One decision as it was logged, byte for byte; E6404 if there is none."""
    with reading(engine) as connection:
        content = connection.execute(select(DECISIONS.c.record).where(DECISIONS.c.decision_id == decision_id)).scalar()
    if content is None:
        raise ZhipaiError("E6404", {"decision_id": decision_id[:80]})
    return content


def _routing(one: _Ready) -> dict[str, Any]:
    return {
        "order_id": one.order_id,
        "decision_id": one.draft.decision_id,
        "unit": one.asked.request.unit,
        "created_at": one.asked.at.isoformat(),
    }


def _event(one: _Ready) -> dict[str, Any]:
    """A row of the outbox. Its event is a CloudEvents 1.0 envelope with ids only: whoever needs more asks for the
    decision."""
    decision_id, at = one.draft.decision_id, one.asked.at.isoformat()
    event = {
        "specversion": "1.0",
        "type": "zhipai.decision.recorded",
        "source": "/v1/decisions",
        "id": decision_id,
        "time": at,
        "data": {
            "decision_id": decision_id,
            "order_id": one.order_id,
            "action": one.asked.request.action,
            "unit": one.asked.request.unit,
        },
    }
    return {"event_id": f"e-{uuid.uuid4().hex}", "decision_id": decision_id, "event": event, "created_at": at}
