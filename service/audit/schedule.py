"""Checkpoints in time: a thread of the running service signs and writes one every so often, if the log has grown."""

from __future__ import annotations

import fcntl
import threading
from datetime import datetime, timedelta

from sqlalchemy import Engine

from intake.errors import ZhipaiError
from service import clock
from service.audit.checkpoint import newest, publish, sign_checkpoint
from service.audit.keys import KeyStore, write_whole
from service.audit.tree import size_of
from service.db.engine import reading
from service.logging import get_logger
from service.metrics import CHECKPOINTS
from service.settings import Settings

#: How often it is looked whether a checkpoint is due, in seconds.
LOOK_SECONDS = 15.0
#: Holds the sentence of the last failure while it lasts: any worker process answers ``/readyz``.
PROBLEM, LOCK = "checkpoint-problem.txt", "checkpoint.lock"


class CheckpointSchedule:
    """Whatever goes wrong here is said by ``/readyz`` and counted; it never stops a decision."""

    def __init__(self, settings: Settings, engine: Engine):
        self._settings, self._engine = settings, engine
        self._keys = KeyStore(settings.key_folder)
        self._published = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Nothing is started where checkpoints are on demand only."""
        if self._settings.checkpoint_minutes:
            self._thread = threading.Thread(target=self._run, name="zhipai-checkpoints", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop; a folder that hangs is not waited for beyond a moment."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def says(self) -> str:
        """For ``/readyz``: empty, or what is wrong."""
        try:
            return f"提醒：{(self._settings.home / PROBLEM).read_text(encoding='utf-8')}"
        except OSError:
            return ""

    def _run(self) -> None:
        while not self._stop.wait(min(LOOK_SECONDS, self._settings.checkpoint_minutes * 60)):
            self.look(clock.now(self._settings.time_zone))

    def look(self, at: datetime) -> bool:
        """Sign and write a checkpoint if one is due; one worker process at a time. Returns whether one was written."""
        try:
            self._settings.key_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._settings.key_folder / LOCK).open("a") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return self._look(at)
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would end the checkpoints for ever
            self._failed(error.message if isinstance(error, ZhipaiError) else type(error).__name__)
            return False

    def _look(self, at: datetime) -> bool:
        with reading(self._engine) as connection:
            last, size = newest(connection), size_of(connection)
        if size == 0:
            return False
        if last is None or (last.checkpoint.size != size and self._due(datetime.fromisoformat(last.signed_at), at)):
            checkpoint = sign_checkpoint(self._engine, self._settings, at=at)
        else:
            checkpoint = last.checkpoint
        if checkpoint.note == self._published:
            return False
        publish(checkpoint, self._settings.checkpoints, self._keys)
        self._published = checkpoint.note
        (self._settings.home / PROBLEM).unlink(missing_ok=True)
        CHECKPOINTS.labels(outcome="done").inc()
        get_logger().info("checkpoint", size=checkpoint.size, key=checkpoint.signatures[0][1])
        return True

    def _due(self, signed_at: datetime, at: datetime) -> bool:
        """A clock that was stepped back does not put checkpoints off."""
        return not timedelta(0) <= at - signed_at < timedelta(minutes=self._settings.checkpoint_minutes)

    def _failed(self, problem: str) -> None:
        sentence = f"日志检查点没有写成：{problem}"
        if self.says() != f"提醒：{sentence}":
            get_logger().error("checkpoint_failed", problem=problem)
        CHECKPOINTS.labels(outcome="failed").inc()
        try:
            write_whole(self._settings.home / PROBLEM, sentence.encode())
        except OSError:
            get_logger().error("checkpoint_problem_not_written")
