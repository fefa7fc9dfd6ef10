"""Read the life of entries out of the database: where one stands, what it was, what is due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Literal, overload

from sqlalchemy import Connection, Engine, select

from intake.errors import ZhipaiError
from knowledge_base import entry_from_dict
from knowledge_base.entry import DRAFT, SUBMITTED, TO_UPDATE
from knowledge_base.life import REMINDERS, Event, Life, expiring, life_of, state_on, upkeep_of
from knowledge_base.markdown import to_html
from knowledge_base.versions import changes
from service.db.engine import reading
from service.db.tables import ENTRIES, ENTRY_EVENTS
from service.entries import current_entries

#: Entries that a page of the list may hold, and that are read at a time.
PAGE = 500


@overload
def read_life(connection: Connection, entry_id: str) -> Life: ...
@overload
def read_life(connection: Connection, entry_id: str, *, events: Literal[True]) -> list[Event]: ...
def read_life(connection: Connection, entry_id: str, *, events: bool = False) -> Life | list[Event]:
    """Where an entry stands (revision 0 if there is none), or all that happened to it."""
    found = _events(connection, [entry_id]).get(entry_id, [])
    return found if events else life_of(entry_id, found)


def life_at(connection: Connection, entry_id: str, revision: int) -> Life:
    """Where an entry stood after so many changes."""
    events = read_life(connection, entry_id, events=True)
    return life_of(entry_id, [event for event in events if event.revision <= revision])


def content_of(connection: Connection, entry_id: str, version: int) -> dict[str, Any] | None:
    """The text of a version, None if there is none."""
    query = select(ENTRIES.c.content).where(ENTRIES.c.entry_id == entry_id, ENTRIES.c.version == version)
    found: dict[str, Any] | None = connection.execute(query).scalar()
    return found


def _events(connection: Connection, ids: Iterable[str]) -> dict[str, list[Event]]:
    table = ENTRY_EVENTS.c
    query = select(ENTRY_EVENTS).where(table.entry_id.in_(list(ids))).order_by(table.entry_id, table.revision)
    found: dict[str, list[Event]] = {}
    for row in connection.execute(query):
        event = Event(
            revision=row.revision,
            action=row.action,
            actor=row.actor,
            at=datetime.fromisoformat(row.created_at),
            note=row.note,
            content=row.content,
            version=row.version,
            decision_id=row.decision_id,
        )
        found.setdefault(row.entry_id, []).append(event)
    return found


def entry_document(engine: Engine, entry_id: str, *, day: date) -> dict[str, Any]:
    """An entry as the API shows it: where it stands, the version that stands, the text in work; E4043 if there is none."""
    with reading(engine) as connection:
        life = read_life(connection, entry_id)
        if not life.revision:
            raise ZhipaiError("E4043", {"id": entry_id, "version": ""})
        content = content_of(connection, entry_id, life.version)
    return _whole(life, content, day)


def _whole(life: Life, content: dict[str, Any] | None, day: date) -> dict[str, Any]:
    return _document(life, content, day) | {
        "authors": sorted(life.authors),
        "entry": _shown(content),
        "draft": _shown(life.content),
        "changes": [one.as_dict() for one in changes(content, life.content | {"state": (content or {}).get("state")})]
        if life.content
        else [],
    }


def entry_documents(engine: Engine, ids: Sequence[str], *, day: date) -> list[dict[str, Any]]:
    """:func:`entry_document` of several entries with two queries, in the order of ``ids``; unknown ones are left out."""
    with reading(engine) as connection:
        lives = {entry_id: life_of(entry_id, events) for entry_id, events in _events(connection, ids).items()}
        contents = _contents(connection, lives)
    known = [(lives[entry_id], contents.get(entry_id)) for entry_id in ids if entry_id in lives]
    return [_whole(life, content, day) for life, content in known]


def _document(life: Life, content: dict[str, Any] | None, day: date) -> dict[str, Any]:
    standing = state_on(entry_from_dict(content), life.standing, day) if content else ""
    shown = content or life.content or {}
    return {
        "id": life.id,
        "revision": life.revision,
        "state": life.working or standing,
        "standing": standing,
        "version": life.version or None,
        "title": shown.get("title", ""),
        "unit": shown.get("unit", ""),
        "effective_to": shown.get("effective_to"),
    }


def _shown(content: dict[str, Any] | None) -> dict[str, Any] | None:
    """An entry with its body made safe to show and its citations read."""
    if content is None:
        return None
    cited = entry_from_dict(content).citations
    return content | {
        "body_html": to_html(content.get("body", "")),
        "citations": [{"document": one.document, "article": one.article, "repealed": one.repealed} for one in cited],
    }


def list_entries(
    engine: Engine, *, day: date, state: str = "", unit: str = "", text: str = "", after: str = "", limit: int = 50
) -> dict[str, Any]:
    """A page of entries in the order of their ids: ``entries``, and ``next`` to be given as ``after`` for more."""
    found: list[dict[str, Any]] = []
    wanted_action = {DRAFT: "draft", SUBMITTED: "submit", TO_UPDATE: "ask"}.get(state)
    with reading(engine) as connection:
        while True:
            table = ENTRY_EVENTS.c
            query = select(table.entry_id).where(table.entry_id > after).distinct().order_by(table.entry_id)
            if wanted_action:
                query = query.where(table.action == wanted_action)
            ids = list(connection.execute(query.limit(PAGE)).scalars())
            lives = {entry_id: life_of(entry_id, events) for entry_id, events in _events(connection, ids).items()}
            contents = _contents(connection, lives)
            for entry_id in ids:
                row = _document(lives[entry_id], contents.get(entry_id), day)
                states = {row["state"], row["standing"]}
                if (state and state not in states) or unit not in ("", row["unit"]) or text not in row["title"]:
                    continue
                found.append(row)
                if len(found) == limit:
                    return {"entries": found, "next": entry_id if entry_id != ids[-1] or len(ids) == PAGE else None}
            if len(ids) < PAGE:
                return {"entries": found, "next": None}
            after = ids[-1]


def _contents(connection: Connection, lives: dict[str, Life]) -> dict[str, dict[str, Any]]:
    query = select(ENTRIES.c.entry_id, ENTRIES.c.version, ENTRIES.c.content).where(ENTRIES.c.entry_id.in_(list(lives)))
    return {
        row.entry_id: row.content for row in connection.execute(query) if lives[row.entry_id].version == row.version
    }


def entry_history(engine: Engine, entry_id: str) -> list[dict[str, Any]]:
    """All that happened to an entry, the earliest first; E4043 if there is none."""
    with reading(engine) as connection:
        events = read_life(connection, entry_id, events=True)
    if not events:
        raise ZhipaiError("E4043", {"id": entry_id, "version": ""})
    return [
        {
            "revision": event.revision,
            "action": event.action,
            "actor": event.actor,
            "at": event.at.isoformat(),
            "note": event.note,
            "version": event.version,
            "decision_id": event.decision_id,
        }
        for event in events
    ]


def entry_diff(engine: Engine, entry_id: str, old: int | None = None, new: int | None = None) -> dict[str, Any]:
    """What a version (by default the last) has differently from another (by default the one before it).

    ``new`` of 0 is the text in work. E4043 for a version that never was.
    """
    with reading(engine) as connection:
        life = read_life(connection, entry_id)
        after = life.version if new is None else new
        before = (after or life.version + 1) - 1 if old is None else old
        contents = [
            life.content if number == 0 else content_of(connection, entry_id, number) for number in (before, after)
        ]
    first = before == 0 and old is None
    for number, content in zip((before, after), contents, strict=True):
        if content is None and not (number == before and first):
            raise ZhipaiError("E4043", {"id": entry_id, "version": f"的第 {number} 版" if number else "的草稿"})
    found = changes(None if first else contents[0], contents[1] or {})
    return {"id": entry_id, "old": before, "new": after, "changes": [one.as_dict() for one in found]}


def what_is_due(
    engine: Engine,
    *,
    now: datetime,
    within: int = REMINDERS[0],
    limit: int | None = None,
    since: datetime | None = None,
) -> dict[str, Any]:
    """What ends soon, which units were asked for an update, and what each unit did (``limit``: days for an update).

    ``units`` counts from ``since`` on (by default all there is): ``in_time`` and ``late`` are None where no limit is set.
    """
    entries = current_entries(engine)
    with reading(engine) as connection:
        asked_ids = select(ENTRY_EVENTS.c.entry_id).where(ENTRY_EVENTS.c.action == "ask").distinct()
        lives = {
            entry_id: life_of(entry_id, events)
            for entry_id, events in _events(connection, connection.execute(asked_ids).scalars()).items()
        }
        published = connection.execute(
            select(ENTRY_EVENTS.c.entry_id, ENTRY_EVENTS.c.created_at).where(ENTRY_EVENTS.c.action == "publish")
        ).all()
    units = {entry.id: entry.unit for entry in entries}
    requests: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for entry_id, life in lives.items():
        taken = [request for request in life.requests if since is None or request[0] >= since]
        requests.setdefault(units.get(entry_id, ""), []).extend(taken)
    counts: dict[str, int] = {}
    for row in published:
        if since is None or datetime.fromisoformat(row.created_at) >= since:
            unit = units.get(row.entry_id, "")
            counts[unit] = counts.get(unit, 0) + 1
    open_requests = [
        {
            "id": life.id,
            "unit": units.get(life.id, ""),
            "asked_at": life.asked_at.isoformat(),
            "days": (now - life.asked_at).days,
            "overdue": None if limit is None else (now - life.asked_at).days >= limit,
        }
        for life in lives.values()
        if life.asked_at is not None
    ]
    return {
        "day": now.date().isoformat(),
        "update_days": limit,
        "expiring": [
            {
                "id": one.entry.id,
                "title": one.entry.title,
                "unit": one.entry.unit,
                "effective_to": one.entry.effective_to.isoformat() if one.entry.effective_to else None,
                "days": one.days,
                "reminder": one.reminder,
            }
            for one in expiring(entries, now.date(), within=within)
        ],
        "asked": sorted(open_requests, key=lambda one: str(one["asked_at"])),
        "units": [
            {name: getattr(figures, name) for name in figures.__slots__}
            for unit in sorted(requests.keys() | counts.keys())
            for figures in [upkeep_of(unit, requests.get(unit, ()), counts.get(unit, 0), now=now, limit=limit)]
        ],
    }
