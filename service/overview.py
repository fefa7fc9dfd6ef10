"""The numbers of a day: what came in by the hour, what is due at whom, and the orders behind each number.

Counts and lists are made from the same conditions, so that a number and the list that it opens agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal_column, or_, select, tuple_

from service.access import Scope
from service.db.tables_cases import REPLIES
from service.db.tables_queue import ORDER_EVENTS, ORDER_QUEUE
from service.order_queue import DISPATCHED, WAITING, Row, lines, utc, within

E, Q = ORDER_EVENTS.c, ORDER_QUEUE.c
#: Events that are counted by the hour.
COUNTED = ("filed", "dispatch", "reopen")
#: What is due within so many days after today is due soon.
SOON_DAYS = 3
#: An order that was dispatched leaves the list so many days after its deadline: whether it was done is known elsewhere.
PAST_DAYS = 30
#: What stands for the district of orders whose place is not known.
UNPLACED = "地点不明"
DUE = {"overdue": "已过期", "today": "今天到期", "soon": f"其后 {SOON_DAYS} 天内到期"}


@dataclass(frozen=True, slots=True)
class Behind:
    """Which orders stand behind a number; every condition that is given has to hold.

    ``event`` of :data:`COUNTED` on ``day`` (in ``hour``, 0–23); ``status`` ``waiting``, ``dispatched`` …; ``due`` of
    :data:`DUE`; ``order_ids``: these and no others. ``after``: the last row of the page before (:attr:`place`).
    """

    event: str = ""
    day: date | None = None
    hour: int | None = None
    status: str = ""
    due: str = ""
    unit: str = ""
    district: str = ""
    abstained: bool = False
    order_ids: tuple[str, ...] = ()
    after: str = ""


def midnight(day: date, zone: str) -> datetime:
    """The beginning of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


def by_hour(connection: Connection, *, now: datetime, scope: Scope, zone: str) -> list[dict[str, Any]]:
    """The 24 hours of today: ``hour``, ``filed``, ``abstained`` (of those filed), ``dispatch``, ``reopen``, and
    ``yesterday``, how many were filed in that hour of the day before. ``abstained`` is that of the newest proposal."""
    today = now.astimezone(ZoneInfo(zone)).date()
    since = midnight(today - timedelta(days=1), zone)
    # To the minute: there are zones whose hours do not begin with those of UTC. As literals, for GROUP BY to see the same.
    minute = func.substr(E.created_at, literal_column("1"), literal_column("16"))
    statement = (
        select(minute, E.kind, Q.abstained, func.count())
        .join(ORDER_QUEUE, Q.order_id == E.order_id)
        .where(E.kind.in_(COUNTED), *_since(connection, since))
        .group_by(minute, E.kind, Q.abstained)
    )
    hours = [
        {"hour": hour, "filed": 0, "abstained": 0, "dispatch": 0, "reopen": 0, "yesterday": 0} for hour in range(24)
    ]
    for said, kind, abstained, number in connection.execute(within(statement, scope)):
        at = datetime.fromisoformat(f"{said}+00:00").astimezone(ZoneInfo(zone))
        row = hours[at.hour]
        if at.date() == today:
            row[kind] += number
            row["abstained"] += number if kind == "filed" and abstained else 0
        elif kind == "filed" and at.date() < today:
            row["yesterday"] += number
    return hours


def by_district(connection: Connection, *, now: datetime, scope: Scope, zone: str) -> list[tuple[str, int, int]]:
    """District (:data:`UNPLACED` for none), orders filed today, and how many of them are 疑难; the most first."""
    today = midnight(now.astimezone(ZoneInfo(zone)).date(), zone)
    number = func.count()
    statement = (
        select(Q.district, number, func.sum(case((Q.abstained.is_(True), 1), else_=0)))
        .join(ORDER_EVENTS, Q.order_id == E.order_id)
        .where(E.kind == "filed", *_since(connection, today))
        .group_by(Q.district)
        .order_by(number.desc(), Q.district)
    )
    return [
        (district or UNPLACED, n, int(abstained))
        for district, n, abstained in connection.execute(within(statement, scope))
    ]


def by_unit(connection: Connection, *, now: datetime, scope: Scope, zone: str) -> list[dict[str, Any]]:
    """``unit`` (empty for what waits to be dispatched) with how many of its orders are ``overdue``, due ``today`` and
    ``soon``; what is most pressing first."""
    numbers = {name: func.sum(case((_due(name, now, zone), 1), else_=0)).label(name) for name in DUE}
    statement = (
        select(Q.unit, *numbers.values())
        .where(or_(*(_due(name, now, zone) for name in DUE)))
        .group_by(Q.unit)
        .order_by(*(number.desc() for number in numbers.values()), Q.unit)
    )
    return [dict(row._mapping) for row in connection.execute(within(statement, scope))]


def orders_behind(
    connection: Connection, asked: Behind, *, now: datetime, scope: Scope, zone: str, most: int
) -> tuple[list[Row], str]:
    """A page of the orders behind a number by their deadline, and where the next page begins; empty at the end."""
    key = Q.due_at, Q.order_id
    statement = within(select(ORDER_QUEUE).where(*_behind(connection, asked, now, zone)), scope)
    if asked.after:
        due_at, _, order_id = asked.after.partition("|")
        statement = statement.where(tuple_(*key) > (due_at, order_id))
    found = lines(connection, connection.execute(statement.order_by(*key).limit(most + 1)).all())
    return found[:most], place(found[most - 1]) if len(found) > most else ""


def count_behind(connection: Connection, asked: Behind, *, now: datetime, scope: Scope, zone: str) -> int:
    """How many orders stand behind a number."""
    conditions = _behind(connection, replace(asked, after=""), now, zone)
    statement = select(func.count()).select_from(ORDER_QUEUE).where(*conditions)
    return connection.execute(within(statement, scope)).scalar_one()


def place(row: Row) -> str:
    """Where the page after this row begins."""
    return f"{row.due_at}|{row.order_id}"


def _behind(connection: Connection, asked: Behind, now: datetime, zone: str) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if asked.order_ids:
        found.append(Q.order_id.in_(asked.order_ids))
    if asked.event:
        day = asked.day or now.astimezone(ZoneInfo(zone)).date()
        begin, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
        if asked.hour is not None:
            begin += timedelta(hours=asked.hour)
            end = begin + timedelta(hours=1)
        events = select(E.order_id).where(E.kind == asked.event, *_since(connection, begin), E.created_at < utc(end))
        found.append(Q.order_id.in_(events))
    if asked.status:
        found.append(Q.status.in_(WAITING) if asked.status == "waiting" else Q.status == asked.status)
    if asked.due:
        found.append(_due(asked.due, now, zone))
    if asked.unit:
        found.append(Q.unit == asked.unit)
    if asked.district:
        found.append(Q.district == ("" if asked.district == UNPLACED else asked.district))
    if asked.abstained:
        found.append(Q.abstained.is_(True))
    return found


def _due(name: str, now: datetime, zone: str) -> ColumnElement[bool]:
    """What is overdue, due today, or soon, among what waits and what was dispatched and not replied to."""
    tomorrow = midnight(now.astimezone(ZoneInfo(zone)).date() + timedelta(days=1), zone)
    # A unit that replied has done its part; after a return it is the next unit's reply that counts.
    replied = select(REPLIES.c.order_id).where(REPLIES.c.order_id == Q.order_id, REPLIES.c.unit == Q.unit).exists()
    statuses = or_(Q.status.in_(WAITING), and_(Q.status == DISPATCHED, ~replied))
    if name == "overdue":
        # What waits never leaves the list.
        kept = or_(Q.status.in_(WAITING), Q.due_at >= utc(now - timedelta(days=PAST_DAYS)))
        return and_(statuses, Q.due_at < utc(now), kept)
    if name == "today":
        return and_(statuses, Q.due_at >= utc(now), Q.due_at < utc(tomorrow))
    return and_(statuses, Q.due_at >= utc(tomorrow), Q.due_at < utc(tomorrow + timedelta(days=SOON_DAYS)))


def _since(connection: Connection, at: datetime) -> tuple[ColumnElement[bool], ...]:
    """Events from an instant on. Their instants have no index; their sequence rises with them, and is searched by halves
    (a clock that stepped back by moments puts a moment's events on the other side of midnight, and no more)."""
    since = utc(at)
    low, high = 0, (connection.execute(select(func.max(E.sequence))).scalar() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        following = select(E.sequence, E.created_at).where(E.sequence >= middle).order_by(E.sequence).limit(1)
        row = connection.execute(following).first()
        if row is not None and row.created_at < since:
            low = row.sequence + 1
        else:
            high = middle
    return (E.sequence >= low, E.created_at >= since)
