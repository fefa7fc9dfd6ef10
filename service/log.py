"""The decision log: append-only rows of canonical JSON, in one sequence, whatever kind of decision they hold. Each record
is a leaf of the Merkle tree (:mod:`service.audit.tree`) from the transaction on that writes it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from service.audit.tree import Place, append_leaves, next_place
from service.db.bulk import add_rows
from service.db.tables import DECISIONS

register(
    "E6403",
    "幂等键重复",
    "这个幂等键已经用于另一个不同的决定。请为新的决定换一个键；重发同一个决定时内容须完全一致。",
    status=409,
)


# Made once: building a statement costs as much as running it.
_STANDING = select(DECISIONS.c.idempotency_key, DECISIONS.c.request_hash, DECISIONS.c.record).where(
    DECISIONS.c.idempotency_key.in_(bindparam("keys", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as it stands in the log (canonical JSON); ``repeated`` if the key was seen and nothing was written."""

    content: bytes
    repeated: bool

    @property
    def record(self) -> dict[str, Any]:
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class Draft:
    """A record that waits for its place in the log: canonical JSON ``before`` and ``after`` its sequence."""

    decision_id: str
    kind: str
    key: str
    digest: str
    at: datetime
    before: bytes
    after: bytes
    columns: Mapping[str, str] = field(default_factory=dict)

    def row(self, sequence: int) -> dict[str, Any]:
        """The row of the log at a place."""
        content = b"%s%d%s" % (self.before, sequence, self.after)
        return {
            "sequence": sequence,
            "decision_id": self.decision_id,
            "kind": self.kind,
            "idempotency_key": self.key,
            "request_hash": self.digest,
            "record": content,
            "record_hash": hashlib.sha256(content).hexdigest(),
            "created_at": self.at.isoformat(),
            **self.columns,
        }


def standing_record(connection: Connection, *, key: str, digest: str) -> Recorded | None:
    """The record that was written under an idempotency key, None if the key is new; E6403 if it stands for another."""
    standing = standing_records(connection, [key]).get(key)
    return standing.repeat(digest) if standing is not None else None


@dataclass(frozen=True, slots=True)
class Standing:
    """A record that stands under a key, and the hash of the request that it answered."""

    digest: str
    content: bytes

    def repeat(self, digest: str) -> Recorded:
        """The answer to a request of the same key; E6403 if it is another request."""
        if self.digest != digest:
            raise ZhipaiError("E6403")
        return Recorded(self.content, repeated=True)


def standing_records(connection: Connection, keys: Iterable[str]) -> dict[str, Standing]:
    """Idempotency key → the record that was written under it; new keys are left out."""
    rows = connection.execute(_STANDING, {"keys": list(keys)})
    return {row.idempotency_key: Standing(row.request_hash, row.record) for row in rows}


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
    draft = draft_record(kind=kind, body=body, key=key, digest=digest, at=at, columns=columns, canonical=canonical)
    return draft.decision_id, append_drafts(connection, next_place(connection), [draft])[0]


def draft_record(
    *,
    kind: str,
    body: Mapping[str, Any],
    key: str,
    digest: str,
    at: datetime,
    columns: Mapping[str, str] | None = None,
    canonical: Mapping[str, bytes] | None = None,
) -> Draft:
    """All of a record but its place, which is known only while other writers are held off; see :func:`append_record`."""
    decision_id = f"d-{uuid.uuid4().hex}"
    # Each stands for its value while the record around it is written. Random: nobody can have put it into a field.
    sequence = uuid.uuid4().hex
    places = {name: uuid.uuid4().hex for name in canonical or ()}
    record = {"sequence": sequence, "decision_id": decision_id, "kind": kind, "decided_at": at.isoformat(), **body}
    content = canonical_json(record | places)
    for name, place in places.items():
        content = content.replace(f'"{place}"'.encode(), canonical[name], 1)  # type: ignore[index]
    before, _, after = content.partition(f'"{sequence}"'.encode())
    return Draft(decision_id, kind, key, digest, at, before, after, dict(columns or {}))


def append_drafts(connection: Connection, place: Place, drafts: Sequence[Draft]) -> list[bytes]:
    """Append records, the first at ``place``, and their leaves; the records as logged."""
    rows = [draft.row(sequence) for sequence, draft in enumerate(drafts, start=place.sequence)]
    add_rows(connection, DECISIONS, rows)
    contents = [row["record"] for row in rows]
    append_leaves(connection, place, contents)
    return contents
