"""Knowledge entries in the database: versions are added, never overwritten."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, and_, func, insert, select

from intake.canonical import canonical_json
from intake.pii import mask_pii
from knowledge_base import KnowledgeEntry, entry_from_dict, entry_to_dict
from service.db.engine import reading, writing
from service.db.tables import ENTRIES, ENTRY_EVENTS
from service.log import append_record

#: Entries that an import writes in one transaction. Between two of them a dispatcher's decision gets its turn.
BATCH = 2000


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """Who imports what and why, for the decision record: ``file`` is its name, ``sha256`` the hash of its bytes, ``role``
    is empty where nobody signed in."""

    actor: str
    reason: str = ""
    file: str = ""
    sha256: str = ""
    software: str = ""
    role: str = ""


def import_entries(
    engine: Engine, entries: Iterable[KnowledgeEntry], *, at: datetime, order: ImportOrder | None = None
) -> dict[str, int]:
    """Add new entries and new versions of changed ones; importing the same again changes nothing.

    A transaction holds :data:`BATCH` entries and, where an ``order`` says who imports, one decision record
    (``knowledge_import``) if anything in it changed. Without an order (the set-up's sample) nobody decided anything.
    An import that is broken off leaves whole batches, and doing it again completes it.

    Returns
    -------
    dict
        ``added``, ``changed`` and ``unchanged`` counts.
    """
    counts = {"added": 0, "changed": 0, "unchanged": 0}
    source = iter(entries)
    while batch := list(islice(source, BATCH)):
        with writing(engine) as connection:
            for name, number in _import_batch(connection, batch, at, order).items():
                counts[name] += number
            connection.commit()
    return counts


def compare_entries(engine: Engine, entries: Iterable[KnowledgeEntry]) -> dict[str, str]:
    """Entry id -> ``added``, ``changed`` or ``unchanged``: what :func:`import_entries` would do. Writes nothing."""
    found: dict[str, str] = {}
    source = iter(entries)
    with reading(engine) as connection:
        while batch := list(islice(source, BATCH)):
            standing = _standing_rows(connection, [entry.id for entry in batch])
            found.update((entry.id, _outcome(standing.get(entry.id), entry)) for entry in batch)
    return found


def _outcome(before: Row[Any] | None, entry: KnowledgeEntry) -> str:
    if before is None:
        return "added"
    return "unchanged" if before.content_hash == entry.content_hash else "changed"


def _import_batch(
    connection: Connection, batch: list[KnowledgeEntry], at: datetime, order: ImportOrder | None
) -> dict[str, int]:
    standing = _standing_rows(connection, [entry.id for entry in batch])
    outcomes = [(_outcome(standing.get(entry.id), entry), entry) for entry in batch]
    counts = {name: sum(outcome == name for outcome, _ in outcomes) for name in ("added", "changed", "unchanged")}
    new = [(standing.get(entry.id), entry) for outcome, entry in outcomes if outcome != "unchanged"]
    if not new:
        return counts
    decision_id = _import_record(connection, [entry for _, entry in new], counts, at, order) if order else None
    revisions = last_revisions(connection, [entry.id for _, entry in new])
    versions, events = [], []
    for before, entry in new:
        version = before.version + 1 if before is not None else 1
        versions.append(version_row(entry, version, at, decision_id))
        events.append(
            {
                "entry_id": entry.id,
                "revision": revisions.get(entry.id, 0) + 1,
                "action": "import",
                "actor": order.actor if order else "",
                "note": mask_pii(order.reason).text if order else "",
                "version": version,
                "decision_id": decision_id,
                "created_at": at.isoformat(),
            }
        )
    connection.execute(insert(ENTRIES), versions)
    connection.execute(insert(ENTRY_EVENTS), events)
    return counts


def _import_record(
    connection: Connection, entries: list[KnowledgeEntry], counts: Mapping[str, int], at: datetime, order: ImportOrder
) -> str:
    body: dict[str, Any] = {
        "actor": order.actor,
        "role": order.role,
        "reason": mask_pii(order.reason).text,
        "file": order.file,
        "file_hash": order.sha256,
        "added": counts["added"],
        "changed": counts["changed"],
        "entries_hash": set_hash((entry.id, entry.content_hash) for entry in entries),
        "software": order.software,
    }
    digest = hashlib.sha256(canonical_json(body)).hexdigest()
    decision_id, _ = append_record(
        connection, kind="knowledge_import", body=body, key=uuid.uuid4().hex, digest=digest, at=at
    )
    return decision_id


def version_row(entry: KnowledgeEntry, version: int, at: datetime, decision_id: str | None) -> dict[str, Any]:
    """A row of the table of versions."""
    return {
        "entry_id": entry.id,
        "version": version,
        "effective_from": entry.effective_from,
        "effective_to": entry.effective_to,
        "content_hash": entry.content_hash,
        "content": entry_to_dict(entry),
        "created_at": at.isoformat(),
        "decision_id": decision_id,
    }


def last_revisions(connection: Connection, ids: list[str]) -> dict[str, int]:
    """Entry id -> number of its last event; ids without any are left out."""
    query = (
        select(ENTRY_EVENTS.c.entry_id, func.max(ENTRY_EVENTS.c.revision).label("revision"))
        .where(ENTRY_EVENTS.c.entry_id.in_(ids))
        .group_by(ENTRY_EVENTS.c.entry_id)
    )
    return {row.entry_id: row.revision for row in connection.execute(query)}


def _standing(*columns: Any) -> Select[Any]:
    """A query for columns of the version that stands of every entry."""
    newest = select(ENTRIES.c.entry_id, func.max(ENTRIES.c.version).label("version")).group_by(ENTRIES.c.entry_id)
    last = newest.subquery()
    at_last = and_(ENTRIES.c.entry_id == last.c.entry_id, ENTRIES.c.version == last.c.version)
    return select(*columns).select_from(ENTRIES).join(last, at_last).order_by(ENTRIES.c.entry_id)


def _standing_rows(connection: Connection, ids: list[str]) -> dict[str, Row[Any]]:
    query = _standing(ENTRIES.c.entry_id, ENTRIES.c.version, ENTRIES.c.content_hash).where(ENTRIES.c.entry_id.in_(ids))
    return {row.entry_id: row for row in connection.execute(query)}


def current_entries(engine: Engine) -> list[KnowledgeEntry]:
    """The newest version of every entry, in the order of their ids."""
    with reading(engine) as connection:
        rows = connection.execute(_standing(ENTRIES.c.content)).scalars().all()
    return [entry_from_dict(row, number=number) for number, row in enumerate(rows, start=1)]


def ending_entries(engine: Engine, day: date, *, within: int) -> list[tuple[KnowledgeEntry, int]]:
    """The standing versions, with their numbers, whose validity ends after a day and within so many days of it."""
    query = _standing(ENTRIES.c.content, ENTRIES.c.version).where(
        ENTRIES.c.effective_to > day, ENTRIES.c.effective_to <= day + timedelta(days=within)
    )
    with reading(engine) as connection:
        return [(entry_from_dict(row.content), row.version) for row in connection.execute(query)]


def entries_by_id(engine: Engine, ids: Iterable[str]) -> dict[str, KnowledgeEntry]:
    """Id → the standing version; ids of no entry are left out."""
    with reading(engine) as connection:
        rows = connection.execute(_standing(ENTRIES.c.content).where(ENTRIES.c.entry_id.in_(list(ids)))).scalars()
        return {entry.id: entry for entry in map(entry_from_dict, rows)}


def entries_at(engine: Engine, as_of: datetime) -> list[KnowledgeEntry]:
    """The entries as they stood at an instant, in the order of their ids.

    Of each entry the last version published until then; the first one where it came later: a first version may hold for
    days before it was put in, a change never does.
    """
    with reading(engine) as connection:
        replaced = connection.execute(
            select(ENTRIES.c.entry_id, ENTRIES.c.version, ENTRIES.c.created_at)
            .where(ENTRIES.c.version > 1)
            .order_by(ENTRIES.c.version)
        ).all()
        wanted: dict[str, int] = {}
        for row in replaced:
            standing = wanted.setdefault(row.entry_id, 1)
            wanted[row.entry_id] = row.version if datetime.fromisoformat(row.created_at) <= as_of else standing
        contents = dict(connection.execute(_standing(ENTRIES.c.entry_id, ENTRIES.c.content)).all())
        newest = {row.entry_id: row.version for row in replaced}
        for entry_id, version in wanted.items():
            if version != newest[entry_id]:
                contents[entry_id] = connection.execute(
                    select(ENTRIES.c.content).where(ENTRIES.c.entry_id == entry_id, ENTRIES.c.version == version)
                ).scalar_one()
    return [entry_from_dict(row, number=number) for number, row in enumerate(contents.values(), start=1)]


def changed_since(engine: Engine, as_of: datetime) -> str:
    """Empty if what stands now stood at ``as_of`` already, else a hash of the versions that stood then."""
    with reading(engine) as connection:
        rows = connection.execute(
            select(ENTRIES.c.entry_id, ENTRIES.c.version, ENTRIES.c.created_at).where(ENTRIES.c.version > 1)
        ).all()
    late = [f"{row.entry_id}\0{row.version}" for row in rows if datetime.fromisoformat(row.created_at) > as_of]
    return hashlib.sha256("\n".join(sorted(late)).encode()).hexdigest()[:16] if late else ""


def last_replaced(engine: Engine) -> datetime | None:
    """When a version last took the place of another; None if none ever did."""
    with reading(engine) as connection:
        query = select(ENTRIES.c.created_at).where(ENTRIES.c.version > 1)
        return max(map(datetime.fromisoformat, connection.execute(query).scalars()), default=None)


def set_hash(pairs: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over entry ids and content hashes, in the order of the ids."""
    digest = hashlib.sha256()
    for entry_id, content_hash in sorted(pairs):
        digest.update(f"{entry_id}\0{content_hash}\n".encode())
    return digest.hexdigest()


def put_up_since(engine: Engine, sequence: int) -> list[KnowledgeEntry]:
    """The standing versions of the entries of which a version was put up after an event."""
    with reading(engine) as connection:
        late = select(ENTRY_EVENTS.c.entry_id).where(
            ENTRY_EVENTS.c.sequence > sequence, ENTRY_EVENTS.c.version.is_not(None)
        )
        rows = connection.execute(_standing(ENTRIES.c.content).where(ENTRIES.c.entry_id.in_(late))).scalars().all()
    return [entry_from_dict(row, number=number) for number, row in enumerate(rows, start=1)]


def last_event(engine: Engine) -> int:
    """The number of the last event of any entry: one step in an index, so that it may be asked several times a second."""
    with reading(engine) as connection:
        return connection.execute(select(func.max(ENTRY_EVENTS.c.sequence))).scalar() or 0
