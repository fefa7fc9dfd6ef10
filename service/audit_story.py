"""One record of the log with all that belongs to it: the proposal as it was shown, the other decisions on the order, and
its place in the tree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select

from intake.errors import ZhipaiError
from service.audit.keys import KeyStore
from service.audit.place import Place, place_of
from service.audit_query import AuditFilter, newest_first
from service.db.engine import reading
from service.db.tables import DECISIONS
from service.privacy.fields import WITHHELD, together
from service.privacy.store import is_open, opened
from service.settings import Settings

#: Decisions on the same order that are listed beside the one that is shown.
OTHERS = 50


@dataclass(frozen=True, slots=True)
class Story:
    """``content`` is the record as logged. ``proposal``: as it was shown, with empty texts where those were erased
    (``erased``); None where the record holds none. ``altered``: the personal data no longer fits its commitment."""

    record: dict[str, Any]
    content: str
    record_hash: str
    proposal: dict[str, Any] | None
    erased: bool
    altered: bool
    place: Place | None
    misplaced: str
    others: list[dict[str, Any]]


def read_story(engine: Engine, settings: Settings, decision_id: str) -> Story:
    """E6404 if there is no such record. What is wrong with its place in the tree is told (``misplaced``), not raised."""
    columns = DECISIONS.c.sequence, DECISIONS.c.record, DECISIONS.c.record_hash
    with reading(engine) as connection:
        row = connection.execute(select(*columns).where(DECISIONS.c.decision_id == decision_id)).first()
        if row is None:
            raise ZhipaiError("E6404", {"decision_id": decision_id[:80]})
        content = bytes(row.record)
        record = json.loads(content)
        proposal = record.get("proposal")
        withheld = (proposal or {}).get(WITHHELD)
        name = (proposal or {}).get("proposal_id", "")
        shown = opened(connection, "shown", [name]).get(name) if withheld else None
        try:
            place, misplaced = place_of(connection, KeyStore(settings.key_folder), row.sequence), ""
        except ZhipaiError as error:
            place, misplaced = None, error.message
    order_id = record.get("order_id") or ""
    others: list[dict[str, Any]] = []
    if order_id:
        found, _ = newest_first(engine, AuditFilter(order_id=order_id), limit=OTHERS, zone=settings.time_zone)
        others = found[::-1]
    return Story(
        record=record,
        content=content.decode(),
        record_hash=row.record_hash,
        proposal=together(proposal, shown.fields if shown else {}) if proposal else None,
        erased=bool(withheld) and shown is None,
        altered=bool(withheld and shown and not is_open(withheld["commitment"], name, shown)),
        place=place,
        misplaced=misplaced,
        others=others,
    )
