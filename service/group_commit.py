"""Group commit: units of work that arrive while another is being committed share the next transaction.

Who comes while nobody is at work goes at once, alone: nothing waits for company. Who comes meanwhile waits; then the
first of those who wait does the work of all of them, and each gets its own answer, after the commit.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine

from intake.errors import ZhipaiError
from service.db.engine import once_more

#: What one transaction takes at most: the lock of the log is held for so long.
MOST = 50

Item = TypeVar("Item")
Found = TypeVar("Found")


class _Slot(Generic[Item, Found]):
    """One caller: what it brought, what became of it, and that it was told (the answer, or that it is its turn)."""

    def __init__(self, item: Item):
        self.item = item
        self.outcome: Found | Exception | None = None
        self.told = threading.Event()


class GroupCommit(Generic[Item, Found]):
    """The turn of one process at a database. It does not hold the engine, so that a map from engines to their turns may
    let go of both.

    Parameters
    ----------
    work : callable
        Writes what several callers brought in one unit of work, and commits it. Gives an outcome for each, in their
        order: the answer, or the error of one that was refused and wrote nothing.
    """

    def __init__(
        self,
        work: Callable[[Connection, Sequence[Item]], Sequence[Found | ZhipaiError]],
        *,
        most: int = MOST,
    ):
        self._work, self._most = work, most
        self._lock = threading.Lock()
        self._waiting: deque[_Slot[Item, Found]] = deque()
        self._busy = False

    def run(self, engine: Engine, item: Item) -> Found:
        """The answer to one caller, once it is committed. Every caller of one turn gives the same engine.

        Raises
        ------
        ZhipaiError
            Its own refusal; or E6001–E6015, as everybody in its group, if the database failed: then nothing is written.
        Exception
            Whatever else ``work`` raised for this item alone.
        """
        slot: _Slot[Item, Found] = _Slot(item)
        with self._lock:
            self._waiting.append(slot)
            waits, self._busy = self._busy, True
        if waits:
            slot.told.wait()
        if slot.outcome is None:
            self._lead(engine)
        if isinstance(slot.outcome, ZhipaiError):
            # A copy for each: a traceback grows with every thread that raises it.
            raise copy.copy(slot.outcome) from slot.outcome
        if isinstance(slot.outcome, Exception):
            raise slot.outcome
        assert slot.outcome is not None
        return slot.outcome

    def _lead(self, engine: Engine) -> None:
        """Do the work of those who wait, then give the turn to the first of those who came meanwhile."""
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            self._commit(engine, group)
        finally:
            for slot in group:
                if slot.outcome is None:
                    # The leader was interrupted: whether it was committed is not known.
                    slot.outcome = ZhipaiError("E6011")
                slot.told.set()
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            if following is not None:
                following.told.set()

    def _commit(self, engine: Engine, group: Sequence[_Slot[Item, Found]]) -> None:
        def together(connection: Connection) -> Sequence[Found | ZhipaiError]:
            return self._work(connection, [slot.item for slot in group])

        try:
            for slot, outcome in zip(group, once_more(engine, together), strict=True):
                slot.outcome = outcome
        except ZhipaiError as error:
            for slot in group:
                slot.outcome = error
        except Exception as error:  # noqa: BLE001 - it belongs to whoever brought it on, and is raised there
            if len(group) == 1:
                group[0].outcome = error
                return
            # One of them spoiled it, and nothing was written: each alone, and the others go through.
            for slot in group:
                self._commit(engine, [slot])
