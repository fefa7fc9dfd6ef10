"""From historic orders to facts, the slow part of a backtest; what was derived once is kept for the next run."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import intake
import rules
from intake.gazetteer import Gazetteer
from intake.order import WorkOrder
from intake.prepare import prepare
from intake.unit import UnitDirectory
from rules import derive_facts
from rules.fact_dictionary import Value, fact_dictionary
from rules.vocabulary import State
from rules.words import word_lists

#: Bytes that kept facts may take up; the parts that were not used longest go first.
CACHE_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Item:
    """One order of the past.

    Parameters
    ----------
    number : int
        Row of the file, or sequence of the decision.
    as_of : datetime
        The instant at which rules are read.
    units : tuple of str
        The units of the proposal; of an order from a file the unit that dealt with it, if known.
    logged : dict or None
        Spoken states of the logged proposal.
    flags : tuple of bool
        What the columns of ``--truth`` say.
    """

    number: int
    order: WorkOrder
    as_of: datetime
    units: tuple[str, ...]
    logged: dict[str, State] | None = None
    flags: tuple[bool, ...] = ()


def derive(item: Item, gazetteer: Gazetteer, directory: UnitDirectory | None) -> dict[str, Value]:
    """The checked facts of one order, as triage would have them; the hour only where 受理时间 is known."""
    order = item.order
    prepared = prepare(order, gazetteer)
    found = derive_facts(prepared, received_at=order.received_at, ranking_units=item.units, directory=directory)
    return fact_dictionary().check(found)


@cache
def derivation_id() -> str:
    """Changes with everything that turns text into facts: dictionary, word lists, and the code of it."""
    digest = hashlib.sha256(f"{fact_dictionary().id} {word_lists().id}".encode())
    folder = Path(rules.__file__).parent
    for path in [*sorted(Path(intake.__file__).parent.glob("*.py")), folder / "derive.py", folder / "words.py"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def content_key(items: Sequence[Item], context: str) -> str:
    """Content hash of what the facts of these orders depend on; ``context`` names gazetteer and directory."""
    digest = hashlib.sha256(f"{derivation_id()} {context}".encode())
    for item in items:
        order = item.order
        received = order.received_at.isoformat() if order.received_at else ""
        fields = (order.text, order.title, order.channel, order.order_type, order.category, received)
        place = (order.district, order.street, order.community)
        row = json.dumps([fields, place, order.related, item.units, order.extra], ensure_ascii=False)
        digest.update(row.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class FactCache:
    """Facts of parts of a file by content, one compressed file each: no text of an order, and safe between processes.

    ``folder`` None keeps nothing.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def load(self, key: str, count: int) -> list[dict[str, Value]] | None:
        """The facts of a part, or None if they are not there (or damaged, which is the same)."""
        if self.folder is None:
            return None
        path = self.folder / f"{key}.z"
        try:
            rows = json.loads(zlib.decompress(path.read_bytes()))
            os.utime(path)
        except (OSError, ValueError, zlib.error):
            return None
        return rows if isinstance(rows, list) and len(rows) == count else None

    def save(self, key: str, facts: Sequence[dict[str, Value]]) -> None:
        if self.folder is None:
            return
        part = self.folder / f".{key}.{os.getpid()}.part"
        part.write_bytes(zlib.compress(json.dumps(list(facts), ensure_ascii=False).encode(), 1))
        part.replace(self.folder / f"{key}.z")

    def prune(self, limit: int = CACHE_BYTES) -> None:
        """Drop what was not used longest until the rest fits."""
        if self.folder is None:
            return
        # What a killed process left half written counts too, and goes in its turn.
        files = sorted(((path.stat().st_mtime_ns, path) for path in self.folder.iterdir()), reverse=True)
        size = 0
        for _, path in files:
            size += path.stat().st_size
            if size > limit:
                path.unlink(missing_ok=True)
