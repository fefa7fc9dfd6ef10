"""Work that is done now and then goes on after a failure and ends when it is told to."""

from __future__ import annotations

import threading

from service.periodic import Periodic


def test_goes_on_after_a_failure_and_stops_when_closed() -> None:
    turns = threading.Semaphore(0)
    count = 0

    def work() -> None:
        nonlocal count
        count += 1
        turns.release()
        if count == 1:
            raise OSError("the first turn fails")

    periodic = Periodic("test", work, every=0.001, first=0.0)
    periodic.start()
    assert all(turns.acquire(timeout=30) for _ in range(3))
    periodic.close()
    assert "zhipai-test" not in {thread.name for thread in threading.enumerate()}


def test_closing_what_was_never_started_is_nothing() -> None:
    Periodic("test", lambda: None, every=1, first=1).close()
