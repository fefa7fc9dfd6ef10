"""Knowledge entries in the database: versions are added, never overwritten."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, insert, select, update

from knowledge_base import KnowledgeEntry, entry_from_dict, entry_to_dict
from service.db.engine import reading, writing
from service.db.tables import ENTRIES


def import_entries(engine: Engine, entries: Sequence[KnowledgeEntry], *, at: datetime) -> dict[str, int]:
    """Add new entries and new versions of changed ones, in one transaction; importing the same again changes nothing.

    Returns
    -------
    dict
        ``added``, ``changed`` and ``unchanged`` counts.
    """
    counts = {"added": 0, "changed": 0, "unchanged": 0}
    with writing(engine) as connection:
        rows = connection.execute(
            select(ENTRIES.c.entry_id, ENTRIES.c.version, ENTRIES.c.content_hash).where(ENTRIES.c.current)
        )
        standing = {row.entry_id: row for row in rows}
        for entry in entries:
            before = standing.get(entry.id)
            if before is not None and before.content_hash == entry.content_hash:
                counts["unchanged"] += 1
                continue
            if before is not None:
                connection.execute(
                    update(ENTRIES)
                    .where(ENTRIES.c.entry_id == entry.id, ENTRIES.c.version == before.version)
                    .values(current=False)
                )
            counts["changed" if before is not None else "added"] += 1
            connection.execute(
                insert(ENTRIES).values(
                    entry_id=entry.id,
                    version=before.version + 1 if before is not None else 1,
                    current=True,
                    effective_from=entry.effective_from,
                    effective_to=entry.effective_to,
                    content_hash=entry.content_hash,
                    content=entry_to_dict(entry),
                    created_at=at.isoformat(),
                )
            )
        connection.commit()
    return counts


def current_entries(engine: Engine) -> list[KnowledgeEntry]:
    """The newest version of every entry, in the order of their ids."""
    with reading(engine) as connection:
        query = select(ENTRIES.c.content).where(ENTRIES.c.current).order_by(ENTRIES.c.entry_id)
        rows = connection.execute(query).scalars().all()
    return [entry_from_dict(row, number=number) for number, row in enumerate(rows, start=1)]


def current_revision(engine: Engine) -> str:
    """A short hash that changes whenever a current entry does."""
    with reading(engine) as connection:
        query = select(ENTRIES.c.entry_id, ENTRIES.c.content_hash).where(ENTRIES.c.current)
        rows = connection.execute(query.order_by(ENTRIES.c.entry_id)).all()
    digest = hashlib.sha256()
    for entry_id, content_hash in rows:
        digest.update(f"{entry_id}\0{content_hash}\n".encode())
    return digest.hexdigest()[:16]
