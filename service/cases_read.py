"""Read cases and the orders of units: lists by pages, one case with all that was written, the replies to an order."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, insert, select, tuple_

from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from service import order_queue
from service.access import Scope
from service.cases import PENDING
from service.cases_facts import standing_of
from service.cases_review import require_case
from service.db.engine import writing
from service.db.tables import DECISIONS, PROPOSALS
from service.db.tables_cases import REPLIES
from service.db.tables_queue import CASES, ORDER_QUEUE
from service.order_queue import NO_DUE, Row
from service.privacy.commitments import seal
from service.privacy.store import opened, put_away, read_shown

PAGE = 50
MOST_REPLY = 4000
register("E7998", "答复不对", "答复要写 2 至 {most} 个字，写明怎样办的、结果如何。")


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What a list of cases shows. ``status`` empty: all. ``after``: :attr:`CaseLine.place` of the last line before."""

    status: str = PENDING
    kind: str = ""
    order_id: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One line of a list. ``due_at``: 办结 of the order (UTC), :data:`NO_DUE` where it is not known."""

    case_id: str
    order_id: str
    kind: str
    status: str
    unit: str
    asked_by: str
    asked_at: str
    answer: str
    decided_by: str
    decided_at: str
    decision_id: str | None
    due_at: str
    reason: str

    @property
    def due(self) -> str:
        return "" if self.due_at == NO_DUE else self.due_at

    @property
    def place(self) -> str:
        return (
            f"{self.due_at}|{self.asked_at}|{self.case_id}"
            if self.status == PENDING
            else f"{self.decided_at}|{self.case_id}"
        )


_DUE = func.coalesce(ORDER_QUEUE.c.due_at, NO_DUE)
_LINE = (
    "case_id",
    "order_id",
    "kind",
    "status",
    "unit",
    "asked_by",
    "asked_at",
    "answer",
    "decided_by",
    "decided_at",
    "decision_id",
)


def list_cases(connection: Connection, asked: CaseFilter, *, scope: Scope, most: int = PAGE) -> list[CaseLine]:
    """A page of cases: those that wait by the deadline of their order, decided ones by their decision, newest first."""
    joined = CASES.outerjoin(ORDER_QUEUE, ORDER_QUEUE.c.order_id == CASES.c.order_id)
    query: Select[Any] = select(*(CASES.c[name] for name in _LINE), _DUE.label("due_at")).select_from(joined)
    if asked.status:
        query = query.where(CASES.c.status == asked.status)
    if asked.kind:
        query = query.where(CASES.c.kind == asked.kind)
    if asked.order_id:
        query = query.where(CASES.c.order_id == asked.order_id)
    query = _visible(query, scope)
    if asked.status == PENDING:
        key: tuple[Any, ...] = (_DUE, CASES.c.asked_at, CASES.c.case_id)
        order = key
    else:
        key = (CASES.c.decided_at, CASES.c.case_id)
        order = tuple(column.desc() for column in key)
    if asked.after:
        place = tuple(asked.after.split("|"))
        if len(place) == len(key):
            query = query.where(tuple_(*key) > place if asked.status == PENDING else tuple_(*key) < place)
    rows = connection.execute(query.order_by(*order).limit(most)).all()
    texts = opened(connection, "shown", [row.case_id for row in rows])
    return [
        CaseLine(
            **row._mapping, reason=str(texts[row.case_id].fields.get("/reason", "")) if row.case_id in texts else ""
        )
        for row in rows
    ]


def reasons_of(connection: Connection, lines: Sequence[CaseLine]) -> dict[str, str]:
    """Case → why it was decided so, as the log has it."""
    ids = [line.decision_id for line in lines if line.decision_id]
    rows = connection.execute(select(DECISIONS.c.record).where(DECISIONS.c.decision_id.in_(ids))).scalars()
    return {record["case_id"]: record["reason"] for record in map(json.loads, rows)}


def counts(connection: Connection, *, scope: Scope) -> dict[str, int]:
    """How many cases wait, by kind."""
    query = _visible(select(CASES.c.kind, func.count()).where(CASES.c.status == PENDING), scope)
    return {row.kind: row[1] for row in connection.execute(query.group_by(CASES.c.kind))}


def _visible(query: Select[Any], scope: Scope) -> Select[Any]:
    return query if scope.all else query.where(CASES.c.unit.in_(sorted(scope.units)))


def read_case(connection: Connection, case_id: str) -> dict[str, Any]:
    """A case with what the unit wrote (empty once erased) and, if it was decided, the record; E7991 if there is none."""
    row = require_case(connection, case_id)
    personal = opened(connection, "shown", [case_id]).get(case_id)
    fields = personal.fields if personal else {}
    record: dict[str, Any] | None = None
    if row.decision_id:
        content = select(DECISIONS.c.record).where(DECISIONS.c.decision_id == row.decision_id)
        record = json.loads(connection.execute(content).scalar_one())
    return {
        **row._mapping,
        "reason": fields.get("/reason", ""),
        "materials": fields.get("/materials", []),
        "erased": personal is None,
        "record": record,
    }


# Orders of units


@dataclass(frozen=True, slots=True)
class UnitOrder:
    """An order that is with a unit, and the kinds of request that wait for it."""

    row: Row
    pending: tuple[str, ...]
    replied: bool


def unit_orders(connection: Connection, *, scope: Scope, after: str = "", most: int = PAGE) -> list[UnitOrder]:
    """A page of the orders that are with the units of a scope, due soonest first."""
    query: Select[Any] = select(ORDER_QUEUE).where(ORDER_QUEUE.c.status == order_queue.DISPATCHED)
    if not scope.all:
        query = query.where(ORDER_QUEUE.c.unit.in_(sorted(scope.units)))
    key = (ORDER_QUEUE.c.due_at, ORDER_QUEUE.c.order_id)
    if after:
        due, _, order_id = after.partition("|")
        query = query.where(tuple_(*key) > (due, order_id))
    rows = order_queue.lines(connection, connection.execute(query.order_by(*key).limit(most)).all())
    ids = [row.order_id for row in rows]
    waiting: dict[str, list[str]] = {}
    pending = select(CASES.c.order_id, CASES.c.kind).where(CASES.c.order_id.in_(ids), CASES.c.status == PENDING)
    for order_id, kind in connection.execute(pending):
        waiting.setdefault(order_id, []).append(kind)
    replied = _replied(connection, ids)
    return [UnitOrder(row, tuple(waiting.get(row.order_id, ())), (row.order_id, row.unit) in replied) for row in rows]


def _replied(connection: Connection, order_ids: Sequence[str]) -> set[tuple[str, str]]:
    query = select(REPLIES.c.order_id, REPLIES.c.unit).where(REPLIES.c.order_id.in_(order_ids)).distinct()
    return {(order_id, unit) for order_id, unit in connection.execute(query)}


def may_see(connection: Connection, order_id: str, scope: Scope) -> bool:
    """Whether an order is with a unit of the scope, or was when that unit asked for something."""
    if scope.all:
        return True
    standing = standing_of(connection, order_id)
    if standing is not None and standing.unit in scope.units:
        return True
    mine = select(CASES.c.case_id).where(CASES.c.order_id == order_id, CASES.c.unit.in_(sorted(scope.units)))
    return connection.execute(mine.limit(1)).first() is not None


# Replies


def add_reply(engine: Engine, order_id: str, text: str, *, actor: str, at: datetime) -> str:
    """Keep what a unit replies to an order; its number. The text is masked and stands with the personal data.

    E7998 for the text, E7990 if the order is with no unit; E6001–E6004 database.
    """
    if not 2 <= len(text.strip()) <= MOST_REPLY:
        raise ZhipaiError("E7998", {"most": MOST_REPLY}, where="/text")
    reply_id = f"y-{uuid.uuid4().hex}"
    sealed = seal({"/reply": mask_pii(text.strip()).text}, owner=reply_id)
    with writing(engine) as connection:
        standing = standing_of(connection, order_id)
        if standing is None:
            raise ZhipaiError("E7990", {"order_id": order_id[:80]})
        put_away(connection, "shown", reply_id, order_id, sealed, at=at)
        connection.execute(
            insert(REPLIES).values(
                reply_id=reply_id, order_id=order_id, unit=standing.unit, actor=actor, created_at=at.isoformat()
            )
        )
        order_queue.add_event(connection, order_id, "reply", actor=actor, at=at, unit=standing.unit)
        connection.commit()
    return reply_id


def replies_of(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """The replies to an order, the oldest first; ``text`` empty once it was erased."""
    rows = connection.execute(
        select(REPLIES).where(REPLIES.c.order_id == order_id).order_by(REPLIES.c.created_at)
    ).all()
    texts = opened(connection, "shown", [row.reply_id for row in rows])
    return [
        {**row._mapping, "text": texts[row.reply_id].fields.get("/reply", "") if row.reply_id in texts else ""}
        for row in rows
    ]


def order_shown(connection: Connection, order_id: str) -> dict[str, Any]:
    """The masked order as its last proposal showed it; empty texts once erased, ``{}`` for an order that never had one."""
    row = order_queue.read_row(connection, order_id)
    newest = (
        select(PROPOSALS.c.proposal_id).where(PROPOSALS.c.order_id == order_id).order_by(PROPOSALS.c.created_at.desc())
    )
    proposal_id = row.proposal_id if row is not None else connection.execute(newest.limit(1)).scalar()
    return dict(read_shown(connection, proposal_id)["order"]) if proposal_id else {}
