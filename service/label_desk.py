"""标注: which waiting orders a person should label next, and his answers, each one record in the decision log.

The suggestion is no answer: it stands in the record beside the answer, with whether it was looked at before.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, select

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.unit import UnitDirectory
from models.encoder import Encoder
from service import order_queue
from service.access import Scope
from service.access.names import said
from service.db.engine import reading, writing
from service.db.tables import DECISIONS, PROPOSALS
from service.log import Recorded, append_record, standing_record
from service.order_queue import QueueFilter, Row
from service.orders import read_proposal
from service.privacy.store import opened
from training.label_exchange import Answered
from training.labels import suggest, usefulness

register("E7987", "已经标过", "工单“{order_id}”已由{who}标过，这一次没有写入。请看下一条。", status=409)

#: 标注 in the decision log; ``action`` is one of :data:`ACTIONS`.
KIND = "label"
ACTIONS = {"answer": "标注", "skip": "跳过"}
#: Waiting orders that are looked at; the doubtful ones of these are spread over what the model has not seen.
POOL, DOUBTFUL = 400, 100
#: Orders that are offered in one go.
OFFERED = 30
#: Probabilities of an order that its usefulness reads.
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Offer:
    """An order to label: its line in the queue, how unsure the model was (0 to 1), how many like it wait besides."""

    row: Row
    usefulness: float
    like_it: int


class Vectors:
    """Directions of orders that were offered: they are asked for again after every answer."""

    def __init__(self, most: int = 2 * POOL):
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()

    def of(self, encoder: Encoder, proposals: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """One row for each proposal, (n, dim); what is not known yet is encoded."""
        keys = [(encoder.id, proposal) for proposal in proposals]
        with self._lock:
            new = [place for place, key in enumerate(keys) if key not in self._kept]
            if new:
                made = encoder.encode([texts[place] for place in new], kind="query")
                self._kept.update((keys[place], vector) for place, vector in zip(new, made, strict=True))
            found = np.stack([self._kept[key] for key in keys])
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found


def offers(engine: Engine, vectors: Vectors, encoder: Encoder, *, scope: Scope, most: int = OFFERED) -> list[Offer]:
    """The waiting orders that are worth most, the first first: unsure, unlike one another, not labelled yet.

    Orders whose text was erased, or that nothing was proposed for, are left out.
    """
    with reading(engine) as connection:
        rows = order_queue.read_page(connection, QueueFilter(), scope=scope, most=POOL)
        done = _labelled(connection, [row.order_id for row in rows])
        rows = [row for row in rows if row.order_id not in done and row.text]
        known = _probabilities(connection, [row.proposal_id for row in rows])
        texts = _texts(connection, [row.proposal_id for row in rows])
    rows = [row for row in rows if known.get(row.proposal_id) and texts.get(row.proposal_id)]
    if not rows:
        return []
    shown = np.zeros((len(rows), SHOWN))
    for place, row in enumerate(rows):
        values = known[row.proposal_id][:SHOWN]
        shown[place, : len(values)] = values
    first = np.argsort(-usefulness(shown, "margin"), kind="stable")[:DOUBTFUL]
    rows, shown = [rows[place] for place in first], shown[first]
    ids = [row.proposal_id for row in rows]
    directions = vectors.of(encoder, ids, [texts[one] for one in ids])
    picked = suggest(directions, shown, count=min(most, len(rows)))
    return [Offer(rows[one.row], one.usefulness, one.stands_for - 1) for one in picked]


def _labelled(connection: Connection, order_ids: Sequence[str]) -> set[str]:
    query = select(DECISIONS.c.order_id).where(DECISIONS.c.kind == KIND, DECISIONS.c.order_id.in_(order_ids))
    return {found for found in connection.execute(query).scalars() if found}


def _probabilities(connection: Connection, proposals: Sequence[str]) -> dict[str, list[float]]:
    query = select(PROPOSALS.c.proposal_id, PROPOSALS.c.proposal).where(PROPOSALS.c.proposal_id.in_(proposals))
    return {
        row.proposal_id: [unit["probability"] for unit in json.loads(row.proposal)["units"]]
        for row in connection.execute(query)
    }


def _texts(connection: Connection, proposals: Sequence[str]) -> dict[str, str]:
    found = opened(connection, "shown", list(proposals))
    return {owner: str(one.fields.get("/order/text") or "") for owner, one in found.items()}


@dataclass(frozen=True, slots=True)
class Labelling:
    """What somebody said of an order. ``unit`` is empty for a skip. ``peeked``: he had asked for the suggestion before."""

    order_id: str
    unit: str
    actor: str
    role: str
    peeked: bool
    key: str


def record_label(
    engine: Engine, asked: Labelling, *, directory: UnitDirectory, software: str, request_id: str, at: datetime
) -> Recorded:
    """Write one answer, or a skip. The order stays where it is: a label dispatches nothing.

    Raises
    ------
    ZhipaiError
        E7950 for an order that is not in the queue, E1101 for a unit that is not in force, E7987 where the order has an
        answer already, E6403 for a key that was used for something else.
    """
    digest = hashlib.sha256(canonical_json([asked.order_id, asked.unit, asked.actor])).hexdigest()
    with writing(engine) as connection:
        standing = standing_record(connection, key=asked.key, digest=digest)
        if standing is not None:
            return standing
        row = order_queue.require_row(connection, asked.order_id)
        query = select(DECISIONS.c.record).where(DECISIONS.c.kind == KIND, DECISIONS.c.order_id == asked.order_id)
        before = connection.execute(query.limit(1)).scalar()
        if before is not None:
            who = said(connection, json.loads(before)["actor"])
            raise ZhipaiError("E7987", {"order_id": asked.order_id[:64], "who": who})
        if asked.unit:
            directory.require(asked.unit, at)
        stored = json.loads(read_proposal(connection, row.proposal_id).canonical)
        first: dict[str, Any] = next(iter(stored["units"]), {})
        action = "answer" if asked.unit else "skip"
        _, content = append_record(
            connection,
            kind=KIND,
            body={
                "order_id": asked.order_id,
                "proposal_id": row.proposal_id,
                "actor": asked.actor,
                "role": asked.role,
                "action": action,
                "unit": asked.unit,
                "suggested": first.get("unit", ""),
                "probability": first.get("probability", 0.0),
                "peeked": asked.peeked,
                "snapshot": stored["snapshot"],
                "software": software,
                "request_id": request_id,
            },
            key=asked.key,
            digest=digest,
            at=at,
            # No proposal in the columns: what reads dispatches joins on it.
            columns={"order_id": asked.order_id},
        )
        connection.commit()
        return Recorded(content, repeated=False)


def label_counts(engine: Engine) -> dict[str, int]:
    """Answers, skips, and of the answers those that agree with the suggestion; ``peeked``: given after a look at it."""
    query = select(DECISIONS.c.record).where(DECISIONS.c.kind == KIND)
    counts = {"answer": 0, "skip": 0, "agreed": 0, "peeked": 0}
    with reading(engine) as connection:
        for record in map(json.loads, connection.execute(query).scalars()):
            counts[record["action"]] += 1
            if record["action"] == "answer":
                counts["agreed"] += record["unit"] == record["suggested"]
                counts["peeked"] += record["peeked"]
    return counts


def answers(engine: Engine) -> list[Answered]:
    """The answers with the masked texts of their orders, as :func:`service.labels.write_answers` writes them.

    A skip has no answer, and an order whose text was erased is left out.
    """
    query = select(DECISIONS.c.record).where(DECISIONS.c.kind == KIND).order_by(DECISIONS.c.sequence)
    with reading(engine) as connection:
        records = [json.loads(record) for record in connection.execute(query).scalars()]
        texts = _texts(connection, [record["proposal_id"] for record in records])
    return [
        Answered(
            record["order_id"],
            text,
            record["suggested"],
            record["unit"],
            (record["actor"],),
            "" if record["unit"] else "跳过",
        )
        for record in records
        if (text := texts.get(record["proposal_id"], ""))
    ]
