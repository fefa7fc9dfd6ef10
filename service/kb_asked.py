"""What people asked of late, out of the database: masked questions, the units they went to, and what the units replied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, select

from knowledge_base.gaps import Asked
from service.db.engine import reading
from service.db.tables import PROPOSALS, ROUTINGS
from service.db.tables_cases import REPLIES
from service.privacy.store import opened

#: Orders that one look takes in, the newest first.
MOST = 20_000
PART = 500


def asked_since(engine: Engine, since: datetime, *, most: int = MOST) -> list[Asked]:
    """The orders proposed for since an instant, the newest first; those whose text was erased are left out."""
    query = (
        select(PROPOSALS.c.order_id)
        .where(PROPOSALS.c.created_at >= since.isoformat())
        .order_by(PROPOSALS.c.created_at.desc())
        .limit(most)
    )
    with reading(engine) as connection:
        ids = list(dict.fromkeys(connection.execute(query).scalars()))
        return _asked(connection, ids)


def asked_of(engine: Engine, order_ids: Sequence[str]) -> list[Asked]:
    """Some orders as they stand now, in the order given; what was erased meanwhile is left out."""
    with reading(engine) as connection:
        found = {one.id: one for one in _asked(connection, order_ids)}
    return [found[order_id] for order_id in order_ids if order_id in found]


def answered_by(engine: Engine, order_ids: Sequence[str]) -> dict[str, str]:
    """Order → the unit that replied to it last; orders without a reply are left out."""
    found: dict[str, str] = {}
    with reading(engine) as connection:
        for start in range(0, len(order_ids), PART):
            query = select(REPLIES.c.order_id, REPLIES.c.unit).where(
                REPLIES.c.order_id.in_(order_ids[start : start + PART])
            )
            found |= _pairs(connection, query.order_by(REPLIES.c.created_at))
    return found


def _asked(connection: Connection, order_ids: Sequence[str]) -> list[Asked]:
    found: list[Asked] = []
    for start in range(0, len(order_ids), PART):
        found += _part(connection, order_ids[start : start + PART])
    return found


def _part(connection: Connection, order_ids: Sequence[str]) -> Iterable[Asked]:
    newest = select(PROPOSALS.c.order_id, PROPOSALS.c.proposal_id).where(PROPOSALS.c.order_id.in_(order_ids))
    proposals = _pairs(connection, newest.order_by(PROPOSALS.c.created_at))
    texts = opened(connection, "shown", list(proposals.values()))
    routed = select(ROUTINGS.c.order_id, ROUTINGS.c.unit).where(ROUTINGS.c.order_id.in_(order_ids))
    units = _pairs(connection, routed.order_by(ROUTINGS.c.routing_id))
    told = select(REPLIES.c.order_id, REPLIES.c.reply_id).where(REPLIES.c.order_id.in_(order_ids))
    replies = _pairs(connection, told.order_by(REPLIES.c.created_at))
    written = opened(connection, "shown", list(replies.values()))
    for order_id in order_ids:
        proposal = proposals.get(order_id, "")
        text = str(texts[proposal].fields.get("/order/text", "")) if proposal in texts else ""
        reply = replies.get(order_id, "")
        said = str(written[reply].fields.get("/reply", "")) if reply in written else ""
        if text:
            yield Asked(order_id, text, units.get(order_id, ""), said)


def _pairs(connection: Connection, query: Select[Any]) -> dict[str, str]:
    """The first column → the second; of several rows the last."""
    return {row[0]: row[1] for row in connection.execute(query)}
