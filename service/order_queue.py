"""The queue: where each filed order stands, what happened to it, and that of two dispatchers only one goes first.

Everything that changes a row runs inside the caller's unit of work (:func:`service.db.engine.writing`), together with the
decision record that says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, or_, select, tuple_, update

from intake.errors import ZhipaiError, register
from service.access import Scope
from service.access.names import said
from service.db.bulk import add_rows
from service.db.tables_queue import ORDER_EVENTS, ORDER_QUEUE
from service.privacy.store import opened, read_shown
from service.proposal import Proposal

register(
    "E7950",
    "工单不在队列里",
    "队列里没有编号为“{order_id}”的工单。请核对编号，或先用 POST /v1/orders 登记。",
    status=404,
)
register(
    "E7951",
    "这张工单已有决定",
    "{who}已于 {at} 对这张工单作了决定（{what}）。您的这一次没有写入；要改，请先撤销那个决定。",
    status=409,
)
register(
    "E7952",
    "工单有了变化",
    "您打开之后，这张工单有了变化（{what}），刚才的操作没有写入。请看过现在的内容再决定。",
    status=409,
)

OPEN, RETURNED, DISPATCHED, REFUSED, MERGED = "open", "returned", "dispatched", "refused", "merged"
#: 状态: what a person reads.
STATUSES = {OPEN: "待派", RETURNED: "退回待派", DISPATCHED: "已派", REFUSED: "不予受理", MERGED: "已并单"}
#: Those that wait for a decision.
WAITING = (OPEN, RETURNED)
EVENTS = {
    "filed": "登记", "dispatch": "派单", "refusal": "不予受理", "merge": "并单", "undo": "撤销", "reopen": "退回待派",
    "triage": "重新研判", "case_asked": "单位提出申请", "case": "申请已审核", "reply": "单位答复",
}  # fmt: skip
#: Sorts after every instant.
NO_DUE = "9999"
PAGE = 30


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What a list shows. ``status`` empty: all that wait. ``after``: the last row of the list before (:attr:`Row.place`)."""

    status: str = ""
    district: str = ""
    channel: str = ""
    abstained: bool = False
    after: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the queue. ``text`` is the masked beginning of the order, empty once it was erased."""

    order_id: str
    status: str
    revision: int
    proposal_id: str
    district: str
    channel: str
    abstained: bool
    due_at: str
    unit: str
    decision_id: str | None
    actor: str
    changed_at: str
    text: str

    @property
    def waiting(self) -> bool:
        return self.status in WAITING

    @property
    def due(self) -> str:
        """The deadline, empty where it is not known."""
        return "" if self.due_at == NO_DUE else self.due_at

    @property
    def place(self) -> str:
        """Where the next page of a list goes on."""
        return f"{self.due_at if self.waiting else self.changed_at}|{self.order_id}"


#: Characters of an order that a line shows.
SHOWN = 60
# Made once: building a statement costs as much as running it.
_ROW = select(ORDER_QUEUE).where(ORDER_QUEUE.c.order_id == bindparam("id"))
_DISPATCH = (
    update(ORDER_QUEUE)
    .where(ORDER_QUEUE.c.order_id == bindparam("id"))
    .values(
        status=DISPATCHED,
        revision=ORDER_QUEUE.c.revision + 1,
        unit=bindparam("unit_"),
        decision_id=bindparam("by"),
        actor=bindparam("who"),
        changed_at=bindparam("when"),
    )
)


def lines(connection: Connection, found: Sequence[Any]) -> list[Row]:
    """Rows of the queue, each with the masked beginning of its order, which stands with its proposal's personal fields."""
    personal = opened(connection, "shown", [one.proposal_id for one in found])
    rows = []
    for one in found:
        fields = personal[one.proposal_id].fields if one.proposal_id in personal else {}
        text = str(fields.get("/order/title") or fields.get("/order/text") or "")
        rows.append(Row(**one._mapping, text=text[:SHOWN]))
    return rows


def put(connection: Connection, proposal: Proposal, *, actor: str, at: datetime) -> bool:
    """Put a filed order into the queue; False if it stands there already (a repeat of the same filing)."""
    order = proposal.order
    order_id = order["order_id"]
    if connection.execute(select(ORDER_QUEUE.c.order_id).where(ORDER_QUEUE.c.order_id == order_id)).first():
        return False
    connection.execute(
        insert(ORDER_QUEUE).values(
            order_id=order_id,
            status=OPEN,
            revision=1,
            district=proposal.elements["place"]["district"] or order["district"],
            channel=order["channel"],
            unit="",
            decision_id=None,
            actor="",
            changed_at=utc(at),
            **_of_proposal(proposal),
        )
    )
    add_event(connection, order_id, "filed", actor=actor, at=at)
    return True


def put_proposal(connection: Connection, row: Row, proposal: Proposal, *, actor: str, at: datetime) -> None:
    """A newer proposal for an order that waits."""
    change(connection, row, {**_of_proposal(proposal)}, event="triage", actor=actor, at=at)


def _of_proposal(proposal: Proposal) -> dict[str, Any]:
    return {
        "proposal_id": proposal.proposal_id,
        "abstained": proposal.abstained,
        "due_at": _due(proposal),
    }


def _due(proposal: Proposal) -> str:
    due = next((one["due_at"] for one in proposal.deadlines if one["stage"] == "resolve" and not one["track"]), None)
    return utc(datetime.fromisoformat(due)) if due else NO_DUE


def utc(at: datetime) -> str:
    """An instant as text that sorts: always UTC, always to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def read_row(connection: Connection, order_id: str) -> Row | None:
    found = lines(connection, connection.execute(_ROW, {"id": order_id}).all())
    return found[0] if found else None


def require_row(connection: Connection, order_id: str) -> Row:
    """The order's row; E7950 if it was never filed."""
    row = read_row(connection, order_id)
    if row is None:
        raise ZhipaiError("E7950", {"order_id": order_id[:80]})
    return row


def shown_proposal(connection: Connection, row: Row) -> dict[str, Any]:
    """The proposal that a row stands on, as it was shown; with empty texts once they were erased."""
    return read_shown(connection, row.proposal_id)


def check_waiting(connection: Connection, row: Row, *, revision: int | None, at: datetime) -> None:
    """E7951 if somebody decided already, E7952 if the row is not as it was shown (``revision``; None asks nothing).

    ``at`` gives the zone in which the sentence tells the time.
    """
    if not row.waiting:
        decided = datetime.fromisoformat(row.changed_at).astimezone(at.tzinfo)
        who = said(connection, row.actor)
        raise ZhipaiError("E7951", {"who": who, "at": f"{decided:%m月%d日 %H:%M}", "what": told(row)})
    if revision is not None and revision != row.revision:
        raise ZhipaiError("E7952", {"what": told(row)})


def told(row: Row) -> str:
    """Where a row stands, in words: 已派 · 城市管理局."""
    return f"{STATUSES[row.status]}{'：' + row.unit if row.unit and row.status == DISPATCHED else ''}"


def change(
    connection: Connection,
    row: Row,
    values: Mapping[str, Any],
    *,
    event: str,
    actor: str,
    at: datetime,
    decision_id: str | None = None,
) -> None:
    """Change a row as it was read, and say so in its events; E7952 if it changed in between.

    The condition on ``revision`` holds on every database, also where two units of work run side by side.
    """
    done = connection.execute(
        update(ORDER_QUEUE)
        .where(ORDER_QUEUE.c.order_id == row.order_id, ORDER_QUEUE.c.revision == row.revision)
        .values(revision=row.revision + 1, actor=actor, changed_at=utc(at), **values)
    )
    if done.rowcount != 1:
        raise ZhipaiError("E7952", {"what": "有人抢先一步"})
    add_event(
        connection, row.order_id, event, actor=actor, at=at, unit=str(values.get("unit", "")), decision_id=decision_id
    )


def add_event(
    connection: Connection,
    order_id: str,
    kind: str,
    *,
    actor: str,
    at: datetime,
    unit: str = "",
    decision_id: str | None = None,
) -> None:
    connection.execute(
        insert(ORDER_EVENTS).values(
            order_id=order_id, kind=kind, actor=actor, unit=unit, decision_id=decision_id, created_at=utc(at)
        )
    )


def rows_of(connection: Connection, order_ids: Iterable[str]) -> dict[str, Row]:
    """Where orders stand, without their texts; those that were never filed are left out."""
    query = select(ORDER_QUEUE).where(ORDER_QUEUE.c.order_id.in_(list(order_ids)))
    return {found.order_id: Row(**found._mapping, text="") for found in connection.execute(query)}


def dispatched(row: Row, *, unit: str, actor: str, decision_id: str, at: datetime) -> Row:
    """A row as a dispatch leaves it."""
    return replace(
        row,
        status=DISPATCHED,
        revision=row.revision + 1,
        unit=unit,
        decision_id=decision_id,
        actor=actor,
        changed_at=utc(at),
    )


def write_dispatched(connection: Connection, rows: Sequence[Row]) -> None:
    """Write rows that were dispatched (:func:`dispatched`), and say so in their events. They were read while other
    writers were held off."""
    values = [
        {"id": row.order_id, "unit_": row.unit, "by": row.decision_id, "who": row.actor, "when": row.changed_at}
        for row in rows
    ]
    connection.execute(_DISPATCH, values)
    events = [
        {"order_id": row.order_id, "kind": "dispatch", "actor": row.actor, "unit": row.unit,
         "decision_id": row.decision_id, "created_at": row.changed_at}
        for row in rows
    ]  # fmt: skip
    add_rows(connection, ORDER_EVENTS, events)


# Reading lists


def read_page(connection: Connection, asked: QueueFilter, *, scope: Scope, most: int = PAGE) -> list[Row]:
    """A page of the queue: those that wait by deadline, the others by their last change, newest first."""
    waiting = asked.status in ("", *WAITING)
    key = (ORDER_QUEUE.c.due_at if waiting else ORDER_QUEUE.c.changed_at, ORDER_QUEUE.c.order_id)
    found: list[Any] = []
    # One status at a time: each is read in the order of its index, where both together would be sorted as a whole.
    for status in WAITING if asked.status == "" else (asked.status,):
        query = _asked(select(ORDER_QUEUE).where(ORDER_QUEUE.c.status == status), asked, scope)
        if asked.after:
            instant, _, order_id = asked.after.partition("|")
            here = tuple_(*key)
            query = query.where(here > (instant, order_id) if waiting else here < (instant, order_id))
        query = query.order_by(*key) if waiting else query.order_by(*(column.desc() for column in key))
        found += connection.execute(query.limit(most)).all()
    found.sort(key=lambda one: (one.due_at if waiting else one.changed_at, one.order_id), reverse=not waiting)
    return lines(connection, found[:most])


def _asked(query: Select[Any], asked: QueueFilter, scope: Scope) -> Select[Any]:
    """The filters of a list, and what somebody may see."""
    if asked.district:
        query = query.where(ORDER_QUEUE.c.district == asked.district)
    if asked.channel:
        query = query.where(ORDER_QUEUE.c.channel == asked.channel)
    if asked.abstained:
        query = query.where(ORDER_QUEUE.c.abstained.is_(True))
    return within(query, scope)


def following(connection: Connection, asked: QueueFilter, row: Row, *, scope: Scope) -> Row | None:
    """The line after ``row`` in a list, or its first line, or None if nothing else waits."""
    here = replace(asked, status=asked.status if asked.status in WAITING else "", after=f"{row.due_at}|{row.order_id}")
    for wanted in (here, replace(here, after="")):
        found = [one for one in read_page(connection, wanted, scope=scope, most=2) if one.order_id != row.order_id]
        if found:
            return found[0]
    return None


def last_decided_by(connection: Connection, actor: str, *, back: int = 20) -> Row | None:
    """The order of the last decision of somebody that still stands; looks ``back`` so many of his events."""
    query = (
        select(ORDER_EVENTS.c.order_id, ORDER_EVENTS.c.decision_id)
        .where(ORDER_EVENTS.c.actor == actor, ORDER_EVENTS.c.kind.in_(("dispatch", "refusal", "merge")))
        .order_by(ORDER_EVENTS.c.sequence.desc())
        .limit(back)
    )
    for order_id, decision_id in connection.execute(query).all():
        row = read_row(connection, order_id)
        if row is not None and row.decision_id == decision_id and not row.waiting:
            return row
    return None


def within(query: Select[Any], scope: Scope) -> Select[Any]:
    """Only what somebody may see: orders of his districts, of his units, and those of which the place is not known yet."""
    if scope.all:
        return query
    return query.where(
        or_(
            ORDER_QUEUE.c.district.in_(["", *sorted(scope.districts)]),
            ORDER_QUEUE.c.unit.in_(sorted(scope.units)),
        )
    )


def counts(connection: Connection, *, scope: Scope) -> dict[str, int]:
    """How many wait, by status, and how many of them are 疑难 (``abstained``)."""
    query = select(ORDER_QUEUE.c.status, ORDER_QUEUE.c.abstained, func.count()).where(ORDER_QUEUE.c.status.in_(WAITING))
    found = connection.execute(within(query, scope).group_by(ORDER_QUEUE.c.status, ORDER_QUEUE.c.abstained)).all()
    number: dict[str, int] = {OPEN: 0, RETURNED: 0, "abstained": 0, "all": 0}
    for status, abstained, n in found:
        number[status] += n
        number["all"] += n
        number["abstained"] += n if abstained else 0
    return number


def choices(connection: Connection, *, scope: Scope) -> dict[str, list[str]]:
    """The districts and channels of the orders that wait, for the filters."""
    found: dict[str, list[str]] = {}
    for column in (ORDER_QUEUE.c.district, ORDER_QUEUE.c.channel):
        names: set[str] = set()
        for status in WAITING:
            query = select(column).where(ORDER_QUEUE.c.status == status, column != "").distinct()
            names.update(connection.execute(within(query, scope)).scalars())
        found[column.name] = sorted(names)
    return found


def events_of(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """What happened to an order, the oldest first."""
    query = select(ORDER_EVENTS).where(ORDER_EVENTS.c.order_id == order_id).order_by(ORDER_EVENTS.c.sequence)
    return [dict(found._mapping) for found in connection.execute(query)]


def last_event(connection: Connection) -> int:
    return connection.execute(select(func.max(ORDER_EVENTS.c.sequence))).scalar() or 0


def events_after(connection: Connection, sequence: int, *, most: int = 200) -> list[dict[str, Any]]:
    """What happened after an event, the oldest first."""
    query = select(ORDER_EVENTS).where(ORDER_EVENTS.c.sequence > sequence).order_by(ORDER_EVENTS.c.sequence)
    return [dict(found._mapping) for found in connection.execute(query.limit(most))]
