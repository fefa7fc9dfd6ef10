"""A piece of work that a running service does now and then, in a daemon thread of every process."""

from __future__ import annotations

import threading
from collections.abc import Callable

from intake.errors import ZhipaiError
from service.logging import get_logger


class Periodic:
    """Calls ``work`` every so many seconds until closed. What fails is logged and tried again at the next turn.

    Parameters
    ----------
    name : str
        Of the thread; the event of a failure is ``<name>_failed``.
    work : callable
        Safe in several processes at once.
    every, first : float
        Seconds between two turns, and before the first one.
    """

    def __init__(self, name: str, work: Callable[[], object], *, every: float, first: float):
        self._name, self._work, self._every, self._first = name, work, every, first
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"zhipai-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        wait = self._first
        while not self._stop.wait(wait):
            wait = self._every
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - a thread that dies silently would end the work for ever
                problem = error.code if isinstance(error, ZhipaiError) else type(error).__name__
                get_logger().warning(f"{self._name}_failed", problem=problem)
