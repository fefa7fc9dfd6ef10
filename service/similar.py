"""Recent orders in memory: which tell of the same matter, and which gather into a burst.

Nothing here is part of a proposal. The window is filled when it is first asked and followed from then on, in a thread of
its own; each process has one. It holds masked texts and vectors, and forgets what is older than :data:`DAYS`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import faiss
import numpy as np
from sqlalchemy import Connection, Engine, func, select

from intake.errors import ZhipaiError, register
from intake.order import WorkOrder, check_order
from intake.prepare import prepare
from models.bursts import Burst, Bursts, Event
from models.candidates import latest_units
from models.duplicates import NEAREST, PairModel, Side, kind_of, pair_features
from service.db.engine import reading
from service.db.tables import DECISIONS, WORK_ORDERS
from service.db.tables_privacy import PERSONAL_DATA
from service.logging import get_logger
from service.metrics import SIGNALS
from service.privacy.erase import KIND as ERASURE
from service.similar_orders import read_recent, returned_by, routed, sides_of, sides_of_recent
from service.snapshot import Snapshot

register(
    "E6311",
    "没有这张工单",
    "没有编号为“{order_id}”的工单。请核对编号，或用 POST /v1/similar 直接提交文字。",
    status=404,
)

#: Days and orders that are kept; the older go first.
DAYS, MOST = 30, 50_000
#: Orders read and encoded before others may ask again.
PART = 64
#: Characters that are shown of an order.
EXCERPT = 80
#: Seconds between two looks for new orders.
EVERY = 10.0
#: Two transactions may commit in another order than they began: each look goes back this far.
OVERLAP = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Similar:
    """One recent order that may tell of the same matter. ``text`` is masked and cut; ``unit`` is where it went, or what was
    proposed first; ``returned_by`` are the units that sent it back (退单) with the hotline's consent."""

    order_id: str
    probability: float
    kind: str
    reason: str
    text: str
    received_at: str
    unit: str
    returned_by: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Window:
    """The recent orders of one database. Safe to share between threads.

    Parameters
    ----------
    engine : Engine
    snapshot : callable
        Gives the snapshot in force; another encoder or vector space empties the window.
    now : callable
    model : PairModel, optional
        By default the one that comes with the software.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        snapshot: Callable[[], Snapshot],
        now: Callable[[], datetime],
        model: PairModel | None = None,
        days: int = DAYS,
        most: int = MOST,
    ):
        self._engine, self._snapshot, self._now = engine, snapshot, now
        self._model = model or PairModel.from_file()
        self._days, self._most = days, most
        self._key = secrets.token_bytes(32)
        self._reading, self._lock = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._clear("")

    def _clear(self, space: str) -> None:
        self._space = space
        self._sides: dict[str, Side] = {}
        self._rows: list[str] = []
        self._index: faiss.Index | None = None
        self._bursts = Bursts()
        self._unheard: list[Event] = []
        self._seen_until = ""
        #: The last record of the log that was looked at for erasures.
        self._logged = 0
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._rows)

    # Following the database

    @property
    def following(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        """Follow the database from now on; called again it does nothing."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._follow, name="zhipai-similar", daemon=True)
                self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                while self.catch_up() and not self._stop.is_set():
                    pass
            except Exception as error:  # noqa: BLE001 - a follower that dies silently would show an old window for ever
                problem = error.code if isinstance(error, ZhipaiError) else type(error).__name__
                get_logger().error("similar_failed", problem=problem)
            self._stop.wait(EVERY)

    def catch_up(self, most: int = PART) -> int:
        """Read up to ``most`` orders that are not known yet, the newest first; returns how many are still waiting.

        Encoding happens outside the lock, so that a question never waits for it.
        """
        with self._reading:
            snapshot = self._snapshot()
            # Directions of two spaces do not compare: a promoted model may bring another.
            if self._space != (space := _space_id(snapshot)):
                with self._lock:
                    self._clear(space)
            since = (self._now() - timedelta(days=self._days)).isoformat()
            with reading(self._engine) as connection:
                self._drop_erased(connection)
                missing = self._missing(connection, max(since, self._seen_until))
                part = missing[:most]
                rows = read_recent(connection, [number for number, _ in part])
            sides = sides_of_recent(rows, snapshot, self._key)
            functions = {name: unit.function for name, unit in latest_units(snapshot.directory).items()}
            with self._lock:
                self._add(sides, functions)
                self.waiting = len(missing) - len(part)
                if not self.waiting:
                    if missing:
                        newest = datetime.fromisoformat(max(created for _, created in missing))
                        self._seen_until = (newest - OVERLAP).isoformat()
                    self._listen()
                    self._forget()
            return self.waiting

    def _drop_erased(self, connection: Connection) -> None:
        """Forget the orders whose personal data was erased since the last look, whichever process did it."""
        last = connection.execute(select(func.max(DECISIONS.c.sequence))).scalar() or 0
        new = (DECISIONS.c.sequence > self._logged, DECISIONS.c.sequence <= last, DECISIONS.c.kind == ERASURE)
        records = connection.execute(select(DECISIONS.c.record).where(*new)).scalars() if self._sides else ()
        gone = {order_id for record in records for order_id in json.loads(record)["orders"]}
        self._logged = last
        if gone.isdisjoint(self._sides):
            return
        with self._lock:
            self._keep([number for number in self._rows if number not in gone])

    def _missing(self, connection: Connection, since: str) -> list[tuple[str, str]]:
        found = connection.execute(
            select(WORK_ORDERS.c.order_id, WORK_ORDERS.c.created_at)
            # Without its text an order is like nothing: it would be read and left out again for ever.
            .join(PERSONAL_DATA, (PERSONAL_DATA.c.kind == "filed") & (PERSONAL_DATA.c.owner == WORK_ORDERS.c.order_id))
            .where(WORK_ORDERS.c.created_at >= since)
            .order_by(WORK_ORDERS.c.created_at.desc())
            .limit(self._most)
        )
        return [(row.order_id, row.created_at) for row in found if row.order_id not in self._sides]

    def _add(self, sides: Sequence[Side], functions: Mapping[str, str]) -> None:
        if not sides:
            return
        for side in sides:
            self._sides[side.order_id] = side
            self._rows.append(side.order_id)
            self._unheard.append(Event(side, functions.get(side.unit, side.unit)))
        if self._index is None:
            self._index = faiss.IndexFlatIP(len(sides[0].direction))
        self._index.add(np.stack([side.direction for side in sides]))

    def _listen(self) -> None:
        """Bursts are told by time: the backlog, read from its end, is heard once it is whole."""
        for event in sorted(self._unheard, key=lambda event: (_at(event.side), event.side.order_id)):
            burst = self._bursts.add(event)
            if burst is not None:
                get_logger().info("signal", orders=len(burst.order_ids), function=burst.function)
        self._unheard.clear()
        SIGNALS.set(len(self._bursts.found()))

    def _forget(self) -> None:
        until = self._now() - timedelta(days=self._days)
        kept = sorted((number for number in self._rows if _at(self._sides[number]) > until), key=self._when)
        kept = kept[-self._most :]
        if len(kept) < len(self._rows):
            self._keep(kept)
            self._bursts.forget(until)

    def _keep(self, kept: list[str]) -> None:
        """Forget all but these."""
        if self._index is None:
            return
        self._rows = kept
        self._sides = {number: self._sides[number] for number in kept}
        self._index.reset()
        if kept:
            self._index.add(np.stack([self._sides[number].direction for number in kept]))

    def _when(self, order_id: str) -> datetime:
        return _at(self._sides[order_id])

    # Asking

    def similar_to(self, order_id: str, *, least: float, most: int) -> list[Similar]:
        """What is like a stored order, the likeliest first; E6311 for one that is not stored."""
        with self._lock:
            side = self._sides.get(order_id)
        if side is None:
            with reading(self._engine) as connection:
                rows = read_recent(connection, [order_id])
            if not rows:
                raise ZhipaiError("E6311", {"order_id": order_id[:80]})
            (side,) = sides_of_recent(rows, self._snapshot(), self._key)
        return self._nearest(side, least=least, most=most)

    def similar(self, order: WorkOrder, *, least: float, most: int) -> list[Similar]:
        """What is like an order that need not be stored; E1001–E1004."""
        snapshot = self._snapshot()
        prepared = [prepare(check_order(order), snapshot.gazetteer)]
        (side,) = sides_of(prepared, [order], snapshot, key=self._key)
        return self._nearest(side, least=least, most=most)

    def _nearest(self, side: Side, *, least: float, most: int) -> list[Similar]:
        with self._lock:
            if self._index is None or not self._rows:
                return []
            _, rows = self._index.search(side.direction[None], min(NEAREST + 1, len(self._rows)))
            others = [self._sides[self._rows[row]] for row in rows[0].tolist()]
        others = [other for other in others if other.order_id != side.order_id][:NEAREST]
        if not others:
            return []
        chances = self._model.probabilities(np.array([pair_features(side, other) for other in others]))
        found = sorted(zip(chances.tolist(), others, strict=True), key=lambda pair: (-pair[0], pair[1].order_id))
        shown = [(chance, other) for chance, other in found if chance >= least][:most]
        with reading(self._engine) as connection:
            numbers = [other.order_id for _, other in shown]
            units, returned = routed(connection, numbers), returned_by(connection, numbers)
        return [
            _shown(side, other, chance, units.get(other.order_id, other.unit), returned.get(other.order_id, ()))
            for chance, other in shown
        ]

    def signals(self) -> list[Burst]:
        """Bursts of the window, the least likely first."""
        with self._lock:
            return self._bursts.found()

    def excerpts(self, order_ids: Iterable[str]) -> list[dict[str, str]]:
        """Number, time and masked beginning of recent orders; those that are no longer there are left out."""
        with self._lock:
            sides = [self._sides[number] for number in order_ids if number in self._sides]
        return [
            {"order_id": side.order_id, "received_at": _instant(side.received_at), "text": side.text[:EXCERPT]}
            for side in sides
        ]


def _space_id(snapshot: Snapshot) -> str:
    space = snapshot.ranker.scorer.space
    digest = hashlib.sha256(space.mean.tobytes() + space.scale.tobytes()).hexdigest()
    return f"{snapshot.encoder.id}-{digest}"


def _shown(side: Side, other: Side, chance: float, unit: str, returned: tuple[str, ...]) -> Similar:
    kind, reason = kind_of(side, other)
    when = _instant(other.received_at)
    return Similar(other.order_id, round(chance, 4), kind, reason, other.text[:EXCERPT], when, unit, returned)


def _at(side: Side) -> datetime:
    assert side.received_at is not None, "a stored order has a time"
    return side.received_at


def _instant(at: datetime | None) -> str:
    return at.isoformat() if at else ""
