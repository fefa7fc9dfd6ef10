"""What a running process holds: the engine, the snapshot in force, and the thread that looks for newer ones."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from intake.errors import ZhipaiError
from models.ranker import UnitRanker
from service.db.engine import check_version, make_engine
from service.entries import current_revision
from service.logging import get_logger
from service.metrics import RELOADS
from service.settings import Settings
from service.snapshot import Snapshot, load_knowledge, load_snapshot
from training.registry import champion


class Runtime:
    """Loads a snapshot at the start and swaps in a new one when a model is promoted or knowledge changes.

    A reload happens aside and becomes visible in one assignment, so that a request sees one consistent snapshot. A
    reload that fails leaves the old snapshot in force and is reported by ``/readyz`` until it succeeds.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.engine: Engine = make_engine(settings.url, busy_seconds=settings.busy_seconds)
        check_version(self.engine)
        self._version = self._champion_version()
        self._revision = current_revision(self.engine)
        self.snapshot: Snapshot = load_snapshot(settings, self.engine)
        self.reload_problem = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def _champion_version(self) -> str:
        version = champion(self.settings.mlruns)
        return str(version.version) if version else ""

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="zhipai-reload", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self.snapshot.rules.close()
        self.engine.dispose()

    def _watch(self) -> None:
        while not self._stop.wait(self.settings.reload_seconds):
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 - a watcher that dies silently would freeze the model for ever
                self.reload_problem = error.code if isinstance(error, ZhipaiError) else type(error).__name__
                RELOADS.labels(outcome="failed").inc()
                get_logger().error("reload_failed", problem=self.reload_problem)

    def refresh(self) -> bool:
        """Look once; returns whether a new snapshot was put in force."""
        version, revision = self._champion_version(), current_revision(self.engine)
        if (version, revision) == (self._version, self._revision):
            return False
        snapshot = self.snapshot
        if version != self._version:
            found = champion(self.settings.mlruns)
            if found is not None:
                ranker = UnitRanker.load(Path(found.path), encoder=snapshot.encoder)
                snapshot = replace(snapshot, ranker=ranker, directory=ranker.directory)
        if revision != self._revision:
            knowledge = load_knowledge(self.settings, self.engine, snapshot.encoder)
            snapshot = replace(snapshot, knowledge=knowledge)
        self.snapshot, self._version, self._revision = snapshot, version, revision
        self.reload_problem = ""
        RELOADS.labels(outcome="done").inc()
        get_logger().info("reloaded", model=snapshot.ids.model, knowledge=snapshot.ids.knowledge)
        return True
