"""Stored orders made ready to be compared, and what became of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from intake.clean import clean_text
from intake.order import WorkOrder
from intake.pii import mask_pii
from intake.prepare import Prepared, prepare
from models.duplicates import Side
from service.cases import ACCEPTED
from service.db.tables import PROPOSALS, ROUTINGS, WORK_ORDERS
from service.db.tables_queue import CASES
from service.privacy.store import filed_orders
from service.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Recent:
    """A stored order, when it came, and the unit first proposed for it in its latest proposal (empty for none)."""

    order: WorkOrder
    at: datetime
    unit: str


def read_recent(connection: Connection, order_ids: Sequence[str]) -> list[Recent]:
    """The stored orders of these numbers, in no particular order; without those whose text was erased."""
    if not order_ids:
        return []
    filed = filed_orders(connection, order_ids)
    columns = WORK_ORDERS.c.order_id, WORK_ORDERS.c.created_at
    orders = connection.execute(select(*columns).where(WORK_ORDERS.c.order_id.in_(filed))).all()
    proposals = connection.execute(
        select(PROPOSALS.c.order_id, PROPOSALS.c.proposal)
        .where(PROPOSALS.c.order_id.in_(order_ids))
        .order_by(PROPOSALS.c.created_at)
    )
    units = {row.order_id: next((one["unit"] for one in json.loads(row.proposal)["units"]), "") for row in proposals}
    return [
        Recent(
            order := _order(filed[row.order_id]),
            order.received_at or datetime.fromisoformat(row.created_at),
            units.get(row.order_id, ""),
        )
        for row in orders
    ]


def sides_of_recent(rows: Sequence[Recent], snapshot: Snapshot, key: bytes) -> list[Side]:
    """The stored orders ready to be compared, each with its time and the unit first proposed."""
    prepared = [prepare(row.order, snapshot.gazetteer) for row in rows]
    sides = sides_of(prepared, [row.order for row in rows], snapshot, key=key)
    return [replace(side, unit=row.unit, received_at=row.at) for row, side in zip(rows, sides, strict=True)]


def _order(row: dict[str, Any]) -> WorkOrder:
    instant = row.get("received_at")
    return WorkOrder(
        **{name: value for name, value in row.items() if name not in ("received_at", "related")},
        received_at=datetime.fromisoformat(instant) if instant else None,
        related=tuple(row.get("related") or ()),
    )


def sides_of(
    prepared: Sequence[Prepared], orders: Sequence[WorkOrder], snapshot: Snapshot, *, key: bytes
) -> list[Side]:
    """Orders ready to be compared, in the space of the snapshot's model.

    Parameters
    ----------
    prepared, orders
        The same orders, made ready and as filed: numbers to call back stand in the latter only.
    key : bytes
        For the hashes of numbers. It never leaves the process, so that they mean nothing outside it.
    """
    if not prepared:
        return []
    vectors = snapshot.encoder.encode([one.text for one in prepared], kind="query")
    directions = snapshot.ranker.scorer.space.direction(vectors)
    return [
        Side(
            order_id=one.order.order_id,
            text=one.text,
            direction=direction,
            place=one.elements.place,
            received_at=order.received_at,
            unit=order.unit,
            callers=callers(order, key),
            related=frozenset(order.related),
        )
        for one, order, direction in zip(prepared, orders, directions, strict=True)
    ]


def callers(order: WorkOrder, key: bytes) -> frozenset[str]:
    """Keyed hashes of the telephone numbers in an order."""
    text = clean_text(f"{order.title}\n{order.text}")
    numbers = {
        "".join(character for character in text[span.start : span.end] if character.isdigit())
        for span in mask_pii(text).spans
        if span.kind == "phone"
    }
    return frozenset(hmac.new(key, number.encode(), hashlib.sha256).hexdigest()[:32] for number in numbers if number)


def routed(connection: Connection, order_ids: Sequence[str]) -> dict[str, str]:
    """Where these orders went, as far as somebody decided."""
    if not order_ids:
        return {}
    last = select(func.max(ROUTINGS.c.routing_id)).group_by(ROUTINGS.c.order_id)
    asked = select(ROUTINGS.c.order_id, ROUTINGS.c.unit).where(
        ROUTINGS.c.order_id.in_(order_ids),
        ROUTINGS.c.routing_id.in_(last.where(ROUTINGS.c.order_id.in_(order_ids))),
    )
    return {row.order_id: row.unit for row in connection.execute(asked)}


def returned_by(connection: Connection, order_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The units that sent these orders back (退单) with the hotline's consent, by the time at which they asked."""
    if not order_ids:
        return {}
    asked = select(CASES.c.order_id, CASES.c.unit).where(
        CASES.c.order_id.in_(order_ids), CASES.c.kind == "return", CASES.c.status == ACCEPTED
    )
    found: dict[str, dict[str, None]] = {}
    for row in connection.execute(asked.order_by(CASES.c.asked_at)):
        found.setdefault(row.order_id, {})[row.unit] = None
    return {order_id: tuple(units) for order_id, units in found.items()}
