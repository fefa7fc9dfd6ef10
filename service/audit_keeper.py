"""The thread of a running service that keeps the narrow rows of the log (:mod:`service.audit_facts`) up to date."""

from __future__ import annotations

import threading

from sqlalchemy import Engine

from intake.errors import ZhipaiError
from service.audit_facts import catch_up
from service.logging import get_logger

#: Seconds between two looks.
EVERY = 5.0


class FactsKeeper:
    """Calls :func:`catch_up` now and then. Nothing depends on it but how long the next question takes."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zhipai-facts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                catch_up(self._engine)
            except Exception as error:  # noqa: BLE001 - whoever asks the log next is told; this thread goes on
                problem = error.code if isinstance(error, ZhipaiError) else type(error).__name__
                get_logger().warning("facts_behind", problem=problem)
