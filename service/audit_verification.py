"""The verification of the whole log that a page starts: in a process of its own, one at a time, with its outcome kept.

A log of a million records takes a minute; in the service it would hold up everybody's requests for as long. All worker
processes see the same state: a file, and a lock that the running verification holds for as long as it lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from service import clock
from service.audit.keys import KeyStore, write_whole
from service.audit.tree import size_of
from service.audit.verify import verify_log
from service.db.engine import make_engine, reading
from service.settings import Settings

register(
    "E7980",
    "验证没有开始",
    "验证没有开始：数据文件夹不能写入，或不能启动新的进程。请联系管理员，或在服务器上运行 zhipai audit verify。",
    status=503,
    exit_code=3,
)

FOLDER, STATE, LOCK = "audit-verify", "state.json", "lock"
#: Seconds between two notes of how far it has come.
EVERY = 0.5
#: Attempts at a lock that somebody else may only be trying.
LOOKS = 10
INTERRUPTED = "验证中断了：进程被停止，没有结果。请重新验证。"


def start_verification(engine: Engine, settings: Settings, *, actor: str, at: datetime) -> None:
    """Begin; where one is running already, that one counts. E7980 if it cannot begin."""
    folder = settings.home / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("a") as lock:
            if not _taken(lock, folder):
                return
            with reading(engine) as connection:
                total = size_of(connection)
            state = {"status": "running", "actor": actor, "started_at": at.isoformat(), "done": 0, "total": total}
            _write(folder, state)
            # The lock is that of the open file: the child keeps it when this process lets go.
            child = subprocess.Popen(
                [sys.executable, "-m", "service.audit_verification"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[lock.fileno()],
            )
    except OSError as error:
        raise ZhipaiError("E7980") from error
    # By a pipe: the address of a database may hold a password, and arguments are seen by everybody on the machine.
    told = {
        "url": settings.url,
        "keys": str(settings.key_folder),
        "checkpoints": str(settings.checkpoints),
        "folder": str(folder),
        "time_zone": settings.time_zone,
        "state": state,
    }
    threading.Thread(target=child.communicate, args=(json.dumps(told).encode(),), daemon=True).start()


def verification_state(settings: Settings) -> dict[str, Any] | None:
    """The running or the last verification; None if there was none.

    Returns
    -------
    dict or None
        ``status`` (``running``, ``done``, ``failed``), ``actor``, ``started_at``, ``done`` of ``total`` records; when it is
        over ``finished_at`` and ``report`` (:meth:`service.audit.report.Report.as_dict`), or ``problem`` (Chinese).
    """
    folder = settings.home / FOLDER
    state = _read(folder)
    if state.get("status") == "running" and not _is_running(folder):
        # It may have come to its end since it was read.
        state = _read(folder)
        if state["status"] == "running":
            return state | {"status": "failed", "problem": INTERRUPTED}
    return state or None


def _taken(lock: IO[str], folder: Path) -> bool:
    """Take the lock; False if a verification runs. One that has its outcome holds it for a moment more, until it is gone,
    and so does whoever looks whether one runs."""
    for attempt in count():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if attempt >= LOOKS and _read(folder).get("status") in (None, "running"):
                return False
            time.sleep(0.02)
    return True


def _read(folder: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state


def _is_running(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _write(folder: Path, state: dict[str, Any]) -> None:
    write_whole(folder / STATE, json.dumps(state, ensure_ascii=False).encode())


def _run(told: dict[str, Any]) -> None:
    """The child: verify, and note how far it has come and what came out."""
    folder, state = Path(told["folder"]), dict(told["state"])
    noted = time.monotonic()

    def progress(done: int) -> None:
        nonlocal noted
        if time.monotonic() - noted >= EVERY:
            noted = time.monotonic()
            _write(folder, state | {"done": done})

    checkpoints = Path(told["checkpoints"])
    try:
        report = verify_log(
            make_engine(told["url"]),
            keys=KeyStore(Path(told["keys"])).public_keys(),
            folders=[checkpoints] if checkpoints.is_dir() else [],
            progress=progress,
        )
        outcome = {"status": "done", "done": report.size, "total": report.size, "report": report.as_dict()}
    except ZhipaiError as error:
        outcome = {"status": "failed", "problem": error.message}
    _write(folder, state | outcome | {"finished_at": clock.now(told["time_zone"]).isoformat()})


if __name__ == "__main__":
    os.nice(10)
    _run(json.loads(sys.stdin.buffer.read()))
