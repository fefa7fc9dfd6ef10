"""Looking through the knowledge base takes minutes at size: it runs in a process of its own, and its report is kept.

The report holds numbers of entries and orders and no text: whoever shows it looks the texts up as they stand by then.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from service.logging import get_logger
from service.settings import Settings

Job = Literal["check", "gaps"]
#: Entries past which it is not tried whether each is found by its own questions: that takes as long as so many searches.
SEARCH_EACH = 5000
#: Days of orders that the gaps are looked for in.
DAYS = 30


@dataclass(frozen=True, slots=True)
class Standing:
    """The last report and whether another is on its way. ``problem``: why the last try gave none."""

    report: dict[str, Any] | None
    made_at: datetime | None
    running: bool
    problem: str


def standing(settings: Settings, job: Job) -> Standing:
    """Where a job stands, whichever process started it."""
    path, problem = _file(settings, job, "json"), _file(settings, job, "problem")
    report = made_at = None
    with suppress(FileNotFoundError):
        report = json.loads(path.read_text(encoding="utf-8"))
        made_at = datetime.fromtimestamp(path.stat().st_mtime, ZoneInfo(settings.time_zone))
    said = problem.read_text(encoding="utf-8") if problem.is_file() else ""
    return Standing(report, made_at, _running(settings, job), said)


def start(settings: Settings, job: Job, *, entries: int) -> bool:
    """Start a job unless it runs already. ``entries``: how many there are to look through."""
    lock = _locked(settings, job)
    if lock is None:
        return False
    out = _file(settings, job, "part.json")
    command = [sys.executable, "-m", "service", "kb", job, "--out", str(out), "--json"]
    if job == "gaps":
        command += ["--no-text", "--days", str(DAYS)]
    elif entries > SEARCH_EACH:
        command += ["--no-search"]
    # A dispatcher goes first.
    nice = shutil.which("nice")
    try:
        process = subprocess.Popen(
            [nice, "-n", "10", *command] if nice else command,
            env={**os.environ, "ZHIPAI_HOME": str(settings.home), "ZHIPAI_MLRUNS": str(settings.mlruns)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(lock,),
        )
    finally:
        # The job holds the lock from now on, and lets go of it however it ends.
        os.close(lock)
    threading.Thread(target=_finish, args=(settings, job, process, out), name=f"zhipai-kb-{job}", daemon=True).start()
    return True


def _finish(settings: Settings, job: Job, process: subprocess.Popen[bytes], out: Path) -> None:
    _, said = process.communicate()
    problem = _file(settings, job, "problem")
    if process.returncode == 0 and out.is_file():
        out.replace(_file(settings, job, "json"))
        problem.unlink(missing_ok=True)
    else:
        lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.startswith("[E")]
        problem.write_text(lines[-1] if lines else "没有做完，请稍后重试。", encoding="utf-8")
        get_logger().warning("kb_job_failed", job=job, exit=process.returncode)


def _locked(settings: Settings, job: Job) -> int | None:
    """The lock of a job, None while somebody else holds it."""
    path = _file(settings, job, "lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _running(settings: Settings, job: Job) -> bool:
    lock = _locked(settings, job)
    if lock is None:
        return True
    os.close(lock)
    return False


def _file(settings: Settings, job: Job, kind: str) -> Path:
    return settings.home / "kb-reports" / f"{job}.{kind}"
