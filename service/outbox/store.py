"""How far each event has come for each target, in the database; and which process delivers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from service.audit_facts import catch_up, microseconds
from service.db.engine import reading, writing
from service.db.tables import DECISIONS, OUTBOX
from service.db.tables_facts import DECISION_FACTS
from service.db.tables_outbox import DELIVERIES, LEASES
from service.outbox.targets import OutboxTarget

SECOND = 1_000_000
JOB = "outbox"
#: Seconds for which a process delivers; renewed while it lives. Another takes over when they have passed.
LEASE = 60.0
#: Events that are put down for a target in one transaction.
PART = 500
D, F = DELIVERIES.c, DECISION_FACTS.c


@dataclass(frozen=True, slots=True)
class Due:
    """An event that may be sent now."""

    sequence: int
    decision_id: str
    order_id: str
    attempts: int
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt; ``next_at`` in microseconds."""

    sequence: int
    state: str
    attempts: int
    next_at: int
    problem: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A target's backlog. ``since``: the instant of the oldest decision that has not arrived, microseconds; dead letters
    do not count there. ``waiting`` includes what no process has taken up yet."""

    waiting: int
    dead: int
    since: int | None


def take_lease(engine: Engine, holder: str, *, at: datetime) -> bool:
    """Whether this process delivers now. Writes only to take a free lease, or to renew its own in its second half."""
    now = microseconds(at)
    until = now + int(LEASE * SECOND)
    # A lease that reaches further than any can was taken before the clock stepped back.
    free = or_(LEASES.c.until <= now, LEASES.c.until > until)
    with reading(engine) as connection:
        row = connection.execute(select(LEASES).where(LEASES.c.job == JOB)).first()
    if row is not None and now < row.until <= until:
        if row.holder != holder:
            return False
        if row.until - now > LEASE * SECOND / 2:
            return True
    change = update(LEASES).where(LEASES.c.job == JOB, or_(LEASES.c.holder == holder, free))
    with writing(engine) as connection:
        try:
            if row is None:
                connection.execute(insert(LEASES).values(job=JOB, holder=holder, until=until))
                taken = True
            else:
                taken = connection.execute(change.values(holder=holder, until=until)).rowcount == 1
        except IntegrityError:
            # Another process was first to put the row down.
            return False
        connection.commit()
    return taken


def give_lease(engine: Engine, holder: str) -> None:
    """Let another process take over at once."""
    with writing(engine) as connection:
        connection.execute(update(LEASES).where(LEASES.c.job == JOB, LEASES.c.holder == holder).values(until=0))
        connection.commit()


def fan_out(engine: Engine, target: OutboxTarget, *, at: datetime) -> int:
    """Put down what has happened since the last time as waiting for a target; returns how many events."""
    with reading(engine) as connection:
        begun = connection.execute(select(D.sequence).where(D.target == target.name).limit(1)).first() is not None
    if not begun:
        # Where the target begins is looked up by instant.
        catch_up(engine)
    with reading(engine) as connection:
        columns = (DECISIONS.c.sequence, DECISIONS.c.order_id, DECISIONS.c.created_at)
        fresh = connection.execute(_fresh(connection, target, *columns).order_by(DECISIONS.c.sequence).limit(PART))
        events = [(row.sequence, row.order_id, instant(row.created_at)) for row in fresh]
    start = microseconds(target.start)
    rows = [
        {
            "target": target.name,
            "sequence": sequence,
            "order_id": order_id or "",
            "state": "waiting",
            "attempts": 0,
            "since": since,
            "next_at": since,
            "problem": "",
            "updated_at": at.isoformat(),
        }
        for sequence, order_id, since in events
        if since >= start
    ]
    if rows:
        with writing(engine) as connection:
            connection.execute(insert(DELIVERIES), rows)
            connection.commit()
    return len(rows)


def instant(written: str) -> int:
    """An instant of the log in microseconds."""
    at = datetime.fromisoformat(written)
    return microseconds(at if at.tzinfo else at.replace(tzinfo=UTC))


def _fresh(connection: Connection, target: OutboxTarget, *columns: Any) -> Select[Any]:
    """Events of the log that are not put down for a target yet. Records are committed in their sequence, so what is
    beyond the last one is new; a target without any begins with the first record of its time."""
    last = connection.execute(select(func.max(D.sequence)).where(D.target == target.name)).scalar()
    if last is None:
        of_its_time = select(F.sequence).where(F.at >= microseconds(target.start)).order_by(F.at, F.sequence).limit(1)
        first = connection.execute(of_its_time).scalar()
        last = first - 1 if first else connection.execute(select(func.max(F.sequence))).scalar() or 0
    joined = DECISIONS.join(OUTBOX, OUTBOX.c.decision_id == DECISIONS.c.decision_id)
    return select(*columns).select_from(joined).where(DECISIONS.c.sequence > last)


def due(engine: Engine, target: OutboxTarget, *, at: datetime, limit: int) -> list[Due]:
    """Events that may be sent: their time has come, and no earlier event of the same order is on its way or dead."""
    now, earlier = microseconds(at), DELIVERIES.alias("earlier")
    before = and_(
        earlier.c.target == D.target,
        earlier.c.order_id == D.order_id,
        earlier.c.order_id != "",
        earlier.c.sequence < D.sequence,
        earlier.c.state.in_(("waiting", "dead")),
    )
    # Beyond the longest wait there is nothing: the clock has stepped back.
    come = or_(D.next_at <= now, D.next_at > now + int(target.most * SECOND) * 2)
    statement = (
        select(D.sequence, DECISIONS.c.decision_id, D.order_id, D.attempts, OUTBOX.c.event)
        .join(DECISIONS, DECISIONS.c.sequence == D.sequence)
        .join(OUTBOX, OUTBOX.c.decision_id == DECISIONS.c.decision_id)
        .where(D.target == target.name, D.state == "waiting", come, ~exists().where(before))
        .order_by(D.next_at, D.sequence)
        .limit(limit)
    )
    with reading(engine) as connection:
        return [Due(*row) for row in connection.execute(statement)]


def mark(engine: Engine, target: OutboxTarget, outcomes: Iterable[Outcome], *, at: datetime) -> None:
    """Write down what became of a round, in one transaction. What somebody dropped meanwhile stays dropped."""
    with writing(engine) as connection:
        for one in outcomes:
            connection.execute(
                update(DELIVERIES)
                .where(D.target == target.name, D.sequence == one.sequence, D.state == "waiting")
                .values(
                    state=one.state,
                    attempts=one.attempts,
                    next_at=one.next_at,
                    problem=one.problem[:120],
                    updated_at=at.isoformat(),
                )
            )
        connection.commit()


def standing(engine: Engine, target: OutboxTarget) -> Standing:
    """The backlog of a target as the database tells it, whoever delivers."""
    with reading(engine) as connection:
        fresh = connection.execute(_fresh(connection, target, func.count())).scalar_one()
        oldest = connection.execute(
            _fresh(connection, target, DECISIONS.c.created_at).order_by(DECISIONS.c.sequence).limit(1)
        ).scalar()
        counted = select(D.state, func.count(), func.min(D.since)).where(
            D.target == target.name, D.state.in_(("waiting", "dead"))
        )
        found = {row[0]: row for row in connection.execute(counted.group_by(D.state))}
    waiting, dead = found.get("waiting", ("", 0, None)), found.get("dead", ("", 0, None))
    ages = [since for since in (instant(oldest) if oldest else None, waiting[2]) if since is not None]
    return Standing(waiting=fresh + waiting[1], dead=dead[1], since=min(ages) if ages else None)
