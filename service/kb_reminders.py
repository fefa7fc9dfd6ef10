"""Reminders of entries that end soon, pushed to other systems: one event for each entry, version and step (30, 7, 1 days)."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from intake.canonical import canonical_json
from knowledge_base import KnowledgeEntry
from knowledge_base.life import REMINDERS, expiring
from service.db.engine import reading, writing
from service.db.tables import DECISIONS, OUTBOX
from service.entries import ending_entries
from service.log import append_record

KIND = "knowledge_reminder"
#: Nobody decided to remind: the software does, by the dates that people wrote.
ACTOR = "system"
#: Reminders in one transaction. Between two of them a dispatcher's decision gets its turn.
PART = 100


def remind(engine: Engine, *, now: datetime, software: str) -> int:
    """Write what is due and was not yet told; returns how many reminders. Safe in several processes at once.

    An entry that is first seen with 5 days left is told once, at step 7. Another version of it is told anew. What has
    ended is not told of here; the page of what is due has it on top.
    """
    day = now.date()
    versions = {entry.id: (entry, version) for entry, version in ending_entries(engine, day, within=REMINDERS[0])}
    wanted = [
        (
            _key(one.entry.id, versions[one.entry.id][1], one.reminder),
            one.entry,
            versions[one.entry.id][1],
            one.reminder,
            one.days,
        )
        for one in expiring([entry for entry, _ in versions.values()], day)
        if one.days > 0
    ]
    written = 0
    for start in range(0, len(wanted), PART):
        part = wanted[start : start + PART]
        try:
            written += _write(engine, part, now, software)
        except IntegrityError:
            # Another process told the same just now; what it left out comes with the next look.
            continue
    return written


def reminded(engine: Engine, *, since: datetime) -> int:
    """How many reminders were pushed since an instant."""
    query = select(func.count()).where(DECISIONS.c.kind == KIND, DECISIONS.c.created_at >= since.isoformat())
    with reading(engine) as connection:
        return connection.execute(query).scalar_one()


def _key(entry_id: str, version: int, step: int) -> str:
    return f"{KIND}:{entry_id}:{version}:{step}"


def _write(engine: Engine, part: list[tuple[str, KnowledgeEntry, int, int, int]], now: datetime, software: str) -> int:
    keys = [key for key, *_ in part]
    with reading(engine) as connection:
        told = set(
            connection.execute(
                select(DECISIONS.c.idempotency_key).where(DECISIONS.c.idempotency_key.in_(keys))
            ).scalars()
        )
    fresh = [one for one in part if one[0] not in told]
    if not fresh:
        return 0
    with writing(engine) as connection:
        for key, entry, version, step, days in fresh:
            body: dict[str, Any] = {
                "actor": ACTOR,
                "entry": entry.id,
                "version": version,
                "unit": entry.unit,
                "effective_to": entry.effective_to.isoformat() if entry.effective_to else None,
                "step": step,
                "days": days,
                "software": software,
            }
            digest = hashlib.sha256(canonical_json(body)).hexdigest()
            decision_id, _ = append_record(connection, kind=KIND, body=body, key=key, digest=digest, at=now)
            connection.execute(
                insert(OUTBOX).values(
                    event_id=f"e-{uuid.uuid4().hex}",
                    decision_id=decision_id,
                    event=_event(decision_id, body, now),
                    created_at=now.isoformat(),
                )
            )
        connection.commit()
    return len(fresh)


def _event(decision_id: str, body: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A CloudEvents 1.0 envelope."""
    names = ("entry", "version", "unit", "effective_to", "step", "days")
    return {
        "specversion": "1.0",
        "type": "zhipai.knowledge.expiring",
        "source": "/v1/kb/due",
        "id": decision_id,
        "time": now.isoformat(),
        "data": {"decision_id": decision_id, **{name: body[name] for name in names}},
    }
