"""Decides in child processes that kill themselves (SIGKILL) at a chosen point. Run by test_crash.py.

    python crash_worker.py JOBS.json

JOBS.json: database address, unit directory, and jobs of decision requests. The children are forked from this process,
which has no threads and no connection of its own: loading the modules takes longer than two hundred decisions.
Prints one JSON line a job: the point, how many points there were, and the decision id that was acknowledged, if any.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy import event

from intake.unit import UnitDirectory
from service.db.engine import make_engine
from service.decisions import DecisionRequest, decide

jobs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


def child(job: dict, point: int, out: int) -> None:
    """Decide, and die before the statement of number ``point``; the commit and the acknowledgement are points, too."""
    passed = 0

    def at_a_point(*_arguments: object) -> None:
        nonlocal passed
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    engine = make_engine(jobs["url"], busy_seconds=30)
    event.listen(engine, "before_cursor_execute", at_a_point)
    event.listen(engine, "commit", at_a_point)
    directory = UnitDirectory.from_file(Path(jobs["directory"]))
    recorded = decide(
        engine,
        DecisionRequest(**job),
        directory=lambda: directory,
        software="test",
        request_id="r",
        at=datetime.fromisoformat(jobs["at"]),
    )
    at_a_point()
    os.write(out, json.dumps({"points": passed, "acknowledged": recorded.record["decision_id"]}).encode())


points = 0
for number, job in enumerate(jobs["requests"]):
    # The first lives, and tells how many points there are; from then on each point has its turn.
    point = (number - 1) % points if points and jobs["kill"] else -1
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            child(job, point, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = json.loads(pipe.read() or b"{}")
    _, status = os.waitpid(pid, 0)
    points = points or said["points"]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    sys.stdout.write(json.dumps({"point": point, "points": points, "killed": killed} | said) + "\n")
