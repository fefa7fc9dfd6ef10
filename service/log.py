"""The decision log: append-only rows of canonical JSON, in one sequence, whatever kind of decision they hold. Each record
is a leaf of the Merkle tree (:mod:`service.audit.tree`) from the transaction on that writes it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from sqlalchemy import Connection, bindparam, insert, select

from intake.errors import ZhipaiError, register
from service.audit.tree import append_leaf, next_place
from service.db.tables import DECISIONS

register(
    "E6403",
    "幂等键重复",
    "这个幂等键已经用于另一个不同的决定。请为新的决定换一个键；重发同一个决定时内容须完全一致。",
    status=409,
)


# Made once: building a statement costs as much as running it.
_ADD = insert(DECISIONS)
_STANDING = select(DECISIONS.c.request_hash, DECISIONS.c.record).where(DECISIONS.c.idempotency_key == bindparam("key"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as it stands in the log (canonical JSON); ``repeated`` if the key was seen and nothing was written."""

    content: bytes
    repeated: bool

    @property
    def record(self) -> dict[str, Any]:
        return json.loads(self.content)


def standing_record(connection: Connection, *, key: str, digest: str) -> Recorded | None:
    """The record that was written under an idempotency key, None if the key is new; E6403 if it stands for another."""
    row = connection.execute(_STANDING, {"key": key}).first()
    if row is None:
        return None
    if row.request_hash != digest:
        raise ZhipaiError("E6403")
    return Recorded(row.record, repeated=True)


def append_record(
    connection: Connection,
    *,
    kind: str,
    body: Mapping[str, Any],
    key: str,
    digest: str,
    at: datetime,
    columns: Mapping[str, str] | None = None,
    canonical: Mapping[str, bytes] | None = None,
) -> tuple[str, bytes]:
    """Append one record, and its leaf to the tree, inside the caller's unit of work (:func:`service.db.engine.writing`).

    The order of the log is that of ``sequence``, whatever ``at`` says: a clock may step back.

    Parameters
    ----------
    kind : str
        What was decided: ``dispatch``, ``rule_publication`` …
    body : mapping
        What the record says besides ``sequence``, ``decision_id``, ``kind`` and ``decided_at``.
    key, digest : str
        Idempotency key, and a hash of the request that tells a repeat from another request (:func:`standing_record`).
    columns : mapping
        Values of the columns by which records of this kind are looked up.
    canonical : mapping
        Further fields whose value is canonical JSON already: put in as it stands, not parsed and written once more.

    Returns
    -------
    (str, bytes)
        The decision id and the record as logged.

    Raises
    ------
    ZhipaiError
        E7801 if the log and its tree do not end with the same record.
    """
    decision_id = f"d-{uuid.uuid4().hex}"
    sequence, hasher = next_place(connection)
    record = {
        "sequence": sequence,
        "decision_id": decision_id,
        "kind": kind,
        "decided_at": at.isoformat(),
        **body,
    }
    # Each stands for its value while the record around it is written. Random: nobody can have put it into a field.
    places = {name: uuid.uuid4().hex for name in canonical or ()}
    content = rfc8785.dumps(record | places)
    for name, place in places.items():
        content = content.replace(f'"{place}"'.encode(), canonical[name], 1)  # type: ignore[index]
    row = {
        "sequence": sequence,
        "decision_id": decision_id,
        "kind": kind,
        "idempotency_key": key,
        "request_hash": digest,
        "record": content,
        "record_hash": hashlib.sha256(content).hexdigest(),
        "created_at": at.isoformat(),
    }
    connection.execute(_ADD, row | dict(columns or {}))
    append_leaf(connection, sequence, content, hasher)
    return decision_id, content
