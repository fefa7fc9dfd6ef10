"""Which version of a rule pack is in force at an instant: published ones from the database, else the folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Engine, select

from intake.errors import ZhipaiError, register
from rules.bundle import Bundle, at_present, read_bundle
from rules.pack import RulePack
from service.db.engine import check_version, make_engine, reading, sqlite_file
from service.db.tables import DECISIONS, RULE_BUNDLES, RULE_PUBLICATIONS
from service.log import Recorded
from service.packs import pack_in_use, pack_name
from service.settings import Settings

register(
    "E3503",
    "没有这个规则版本",
    "找不到规则版本“{version}”：{problem}。已发布的版本见 zhipai rules history。",
    status=404,
)

#: Shortest part of a content hash that may stand for the whole.
LEAST_DIGITS = 8
STATES = {"in_force": "现行", "waiting": "待生效", "superseded": "已被取代"}


@dataclass(frozen=True, slots=True)
class Publication:
    """From ``effective_from`` on the version ``content_hash`` of ``pack`` is in force, until a later one takes over."""

    sequence: int
    pack: str
    content_hash: str
    effective_from: datetime
    published_at: datetime
    decision_id: str

    @property
    def id(self) -> str:
        return f"{self.pack}@{self.content_hash[:12]}"


def publications(connection: Connection, pack: str) -> tuple[Publication, ...]:
    """All publications of a pack in the order in which they take effect; of two at one instant the later one counts."""
    table = RULE_PUBLICATIONS.c
    rows = connection.execute(
        select(
            table.sequence,
            table.pack,
            table.content_hash,
            table.effective_from,
            table.created_at,
            table.decision_id,
        ).where(table.pack == pack)
    )
    found = [
        Publication(
            sequence=row.sequence,
            pack=row.pack,
            content_hash=row.content_hash,
            effective_from=datetime.fromisoformat(row.effective_from),
            published_at=datetime.fromisoformat(row.created_at),
            decision_id=row.decision_id,
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda one: (one.effective_from, one.sequence)))


def version_at(found: Sequence[Publication], at: datetime) -> Publication | None:
    """The publication in force at an instant, of those in the order of :func:`publications`."""
    begun = [one for one in found if one.effective_from <= at]
    return begun[-1] if begun else None


def timeline(found: Sequence[Publication], at: datetime) -> list[tuple[Publication, datetime | None, str]]:
    """Each publication with the instant at which another takes over (None: none yet) and its state at ``at``."""
    rows: list[tuple[Publication, datetime | None, str]] = []
    for one, following in zip_longest(found, found[1:]):
        end = following.effective_from if following else None
        # One that was replaced before its first instant was never in force and does not wait for anything.
        if end is not None and (end <= at or end == one.effective_from):
            state = "superseded"
        else:
            state = "waiting" if at < one.effective_from else "in_force"
        rows.append((one, end, state))
    return rows


def history(engine: Engine, pack: str, *, at: datetime) -> list[dict[str, Any]]:
    """Every publication of a pack in the order of publishing, with who, why and what was checked, as JSON."""
    with reading(engine) as connection:
        found = timeline(publications(connection, pack), at)
        ids = [one.decision_id for one, _, _ in found]
        rows = connection.execute(
            select(DECISIONS.c.decision_id, DECISIONS.c.record).where(DECISIONS.c.decision_id.in_(ids))
        )
        records = {row.decision_id: Recorded(row.record, repeated=True).record for row in rows}
    return [
        _row(one, end, state, records[one.decision_id])
        for one, end, state in sorted(found, key=lambda entry: entry[0].sequence)
    ]


def _row(one: Publication, end: datetime | None, state: str, record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sequence": one.sequence,
        "version": one.id,
        "content_hash": one.content_hash,
        "effective_from": one.effective_from.isoformat(),
        "superseded_at": end.isoformat() if end else None,
        "state": state,
        "published_at": one.published_at.isoformat(),
        "decision_id": one.decision_id,
        **{name: record[name] for name in ("actor", "reason", "lint", "tests", "backtest", "software")},
    }


def find_version(connection: Connection, version: str, *, pack: str = "") -> str:
    """The content hash that a hash, its beginning, or an id like ``weifang@21a580f01542`` stands for.

    Raises
    ------
    ZhipaiError
        E3503 if there is none, or more than one.
    """
    name, _, digits = version.strip().lower().rpartition("@")
    if not re.fullmatch(f"[0-9a-f]{{{LEAST_DIGITS},64}}", digits):
        problem = f"应是内容散列的前 {LEAST_DIGITS} 位以上"
        raise ZhipaiError("E3503", {"version": version[:80], "problem": problem})
    query = select(RULE_BUNDLES.c.content_hash).where(RULE_BUNDLES.c.content_hash.startswith(digits))
    if name or pack:
        query = query.where(RULE_BUNDLES.c.pack == (name or pack))
    found = connection.execute(query.limit(2)).scalars().all()
    if len(found) != 1:
        problem = "没有发布过" if not found else "不止一个，请多写几位"
        raise ZhipaiError("E3503", {"version": version[:80], "problem": problem})
    return found[0]


def stored_bundle(connection: Connection, content_hash: str) -> Bundle:
    """The bundle under a content hash; E3503 if there is none, E3501 if it was altered."""
    row = connection.execute(
        select(RULE_BUNDLES.c.bundle, RULE_BUNDLES.c.bundle_hash).where(RULE_BUNDLES.c.content_hash == content_hash)
    ).first()
    if row is None:
        raise ZhipaiError("E3503", {"version": content_hash[:12], "problem": "没有发布过"})
    if hashlib.sha256(row.bundle).hexdigest() != row.bundle_hash:
        raise ZhipaiError("E3501", {"version": content_hash, "problem": "散列不符"})
    return read_bundle(row.bundle, version=content_hash)


def load_bundle(engine: Engine, content_hash: str) -> RulePack:
    """A published version as it was published, with the same id. For use in force see :func:`pack_in_force`."""
    with reading(engine) as connection:
        bundle = stored_bundle(connection, content_hash)
    return bundle.load()


def published(engine: Engine, pack: str) -> tuple[Publication, ...]:
    """:func:`publications` on a connection of its own, for a pack by name or folder. One cheap query."""
    with reading(engine) as connection:
        return publications(connection, pack_name(pack))


def pack_of(engine: Engine, settings: Settings, publication: Publication | None, name: str = "") -> RulePack:
    """The pack of a publication, or that in the folder where nothing is published."""
    if publication is None:
        return pack_in_use(settings, name)
    return at_present(load_bundle(engine, publication.content_hash))


def pack_in_force(settings: Settings, at: datetime, *, name: str = "") -> RulePack:
    """The version of the pack in use (or of another, by name or folder) that is in force at an instant.

    For a command, which has no engine: where there is no database yet, or nothing was published, it is the folder.

    Raises
    ------
    ZhipaiError
        E6005 for a database of another version, E35xx for a version that cannot be loaded, E30xx for the folder.
    """
    file = sqlite_file(settings.url)
    if file is not None and not file.is_file():
        return pack_in_use(settings, name)
    engine = make_engine(settings.url, busy_seconds=settings.busy_seconds)
    try:
        check_version(engine)
        return pack_of(engine, settings, version_at(published(engine, name or settings.pack), at), name)
    finally:
        engine.dispose()
