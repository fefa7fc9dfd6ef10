"""What every shadow of a running service shares: a thread with a bounded queue, and counts that all processes add to."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from service.logging import get_logger

#: Tasks that may wait. What comes beyond is dropped and counted: a proposal never waits for its shadow.
WAITING = 256
#: Seconds between two writings of the counts.
EVERY = 5.0
#: Files of earlier processes that are kept.
FILES = 200

Task = TypeVar("Task")


class ShadowWorker(Generic[Task]):
    """Works off tasks in a daemon thread of its own and calls ``write`` now and then.

    Parameters
    ----------
    work, dropped : callable
        What is done with a task, and with one that found the queue full. Neither may raise.
    write : callable
        Keeps what was counted; called every ``every`` seconds and at the end.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Task], None],
        dropped: Callable[[Task], None],
        write: Callable[[], None],
        *,
        waiting: int = WAITING,
        every: float = EVERY,
    ):
        self._name, self._work, self._dropped, self._write, self._every = name, work, dropped, write, every
        self._tasks: queue.Queue[Task | None] = queue.Queue(waiting)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Work off what still waits, within a moment, and write the counts."""
        if self._thread is None:
            return
        try:
            self._tasks.put(None, timeout=1)
        except queue.Full:
            get_logger().warning("shadow_stopped_full", worker=self._name, waiting=self._tasks.qsize())
        self._thread.join(timeout=5)
        self._write()

    def offer(self, task: Task) -> None:
        """Hand over a task. Returns at once, whatever happens; nothing happens before :meth:`start`."""
        if self._thread is None:
            return
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            self._dropped(task)

    def _run(self) -> None:
        written = time.monotonic()
        while True:
            try:
                task = self._tasks.get(timeout=self._every)
                if task is None:
                    return
                self._work(task)
            except queue.Empty:
                pass
            if time.monotonic() - written >= self._every:
                self._write()
                written = time.monotonic()


class CountsFile:
    """The counts of one process in a small JSON file of its own; see :func:`read_counts` for the sum of all."""

    def __init__(self, folder: Path, *, started: datetime):
        self._path = folder / f"{started:%Y%m%dT%H%M%S%f}-{os.getpid()}.json"
        self._lock = threading.Lock()
        self._written = "[]"

    def write(self, rows: Callable[[], list[dict[str, Any]]]) -> None:
        """Write what changed, whole or not at all, and drop the oldest files beyond :data:`FILES`. OSError."""
        with self._lock:
            content = json.dumps(rows(), ensure_ascii=False)
            if content == self._written:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(".part")
            part.write_text(content, encoding="utf-8")
            part.replace(self._path)
            for path in sorted(self._path.parent.glob("*.json"))[:-FILES]:
                path.unlink(missing_ok=True)
            self._written = content


Row = TypeVar("Row")


def read_counts(folder: Path, make: Callable[..., Row]) -> Iterator[Row]:
    """Every row of every process, built by ``make(**row)``; a file that cannot be read is passed over and logged."""
    for path in sorted(folder.glob("*.json")):
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            yield from [make(**row) for row in rows]
        except (OSError, ValueError, TypeError) as error:
            # A file of another version of the software; counts that cannot be read are not made up.
            get_logger().warning("shadow_file_unreadable", file=path.name, problem=type(error).__name__)
