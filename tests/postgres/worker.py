"""Decides, as one of several processes. Run by test_workers.py: ``python worker.py URL KILL_AT`` with requests on stdin.

Prints the id of every decision once it is acknowledged. Kills itself (SIGKILL) before the statement of number KILL_AT
after its fifth decision; -1 for never.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime

from sqlalchemy import event

from intake.unit import Unit, UnitDirectory
from service.db.engine import make_engine
from service.decisions import DecisionRequest, decide

requests = json.load(sys.stdin)
kill_at = int(sys.argv[2])
engine = make_engine(sys.argv[1], busy_seconds=60)
directory = UnitDirectory([Unit(name=request["unit"]) for request in requests[:1]])
passed = 0


def statement(*_arguments: object) -> None:
    global passed
    if done >= 5:
        if passed == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1


event.listen(engine, "before_cursor_execute", statement)
event.listen(engine, "commit", statement)
for done, request in enumerate(requests):  # noqa: B007 - the listener looks at it
    recorded = decide(
        engine,
        DecisionRequest(**request),
        directory=lambda: directory,
        software="test",
        request_id="r",
        at=datetime.now(UTC),
    )
    os.write(1, f"{recorded.record['decision_id']}\n".encode())
