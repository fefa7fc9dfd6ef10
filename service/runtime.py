"""What a running process holds: the engine, the snapshot in force, and the thread that looks for newer ones."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from intake.errors import ZhipaiError
from models.encoder import Encoder
from models.ranker import UnitRanker
from service import clock
from service.audit.schedule import CheckpointSchedule
from service.audit.tree import establish
from service.audit_facts import catch_up
from service.db.engine import carry_over, check_version, make_engine
from service.kb_reminders import remind
from service.kb_watch import LOOK_SECONDS, KnowledgeWatch
from service.logging import get_logger
from service.metrics import RELOADS
from service.model_shadow import ModelShadow
from service.outbox.worker import OutboxWorker
from service.periodic import Periodic
from service.readiness import rules_say, version_says
from service.rule_watch import RuleWatch
from service.settings import Settings
from service.shadow import Shadow
from service.snapshot import Snapshot, load_snapshot, with_rules
from service.version import VERSION
from service.work_calendar import calendar_stamp, load_calendar
from training.registry import champion

#: Seconds between two looks at the search rows of the log, and at entries that end soon.
FACTS_SECONDS, REMINDER_SECONDS, WAL_SECONDS = 5.0, 600.0, 1.0


class Runtime:
    """Loads a snapshot at the start and swaps in a new one when a model is promoted, knowledge changes, a year of
    holidays is imported, or another version of the rules comes into force.

    A reload happens aside and becomes visible in one assignment, so that a request sees one consistent snapshot. A
    reload that fails leaves the old snapshot in force and is reported by ``/readyz`` until it succeeds.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.engine: Engine = make_engine(settings.url, busy_seconds=settings.busy_seconds)
        check_version(self.engine)
        self._version = self._champion_version()
        self._knowledge = KnowledgeWatch(settings, self.engine)
        self._calendar = calendar_stamp(settings)
        self._rules = RuleWatch(settings, self.engine)
        now = clock.now(settings.time_zone)
        self._rules.look(now)
        encoder = Encoder.load(settings.encoder_folder, threads=settings.cores_each, beside=True)
        self.snapshot: Snapshot = load_snapshot(settings, self.engine, encoder=encoder, as_of=now)
        self.reload_problem = ""
        establish(self.engine, hash_name=settings.log_hash, origin=settings.log_origin, at=now)
        self.checkpoints = CheckpointSchedule(settings, self.engine)
        self.shadow = Shadow(settings)
        self.model_shadow = ModelShadow(settings)
        self.outbox = OutboxWorker(settings, self.engine)
        #: Nothing depends on how far these rows are but how long the next question to the log takes.
        self.facts = Periodic("facts", lambda: catch_up(self.engine), every=FACTS_SECONDS, first=FACTS_SECONDS)
        self.carry_over = Periodic("carry_over", lambda: carry_over(self.engine), every=WAL_SECONDS, first=WAL_SECONDS)
        # Not in the first second: the start of a service has enough to do.
        self.reminder = Periodic("reminders", self._remind, every=REMINDER_SECONDS, first=5.0)
        self._stop = threading.Event()
        self._nudge = threading.Event()
        self._thread: threading.Thread | None = None

    def _remind(self) -> None:
        now = clock.now(self.settings.time_zone)
        if told := remind(self.engine, now=now, software=f"zhipai {VERSION}"):
            get_logger().info("knowledge_reminders", told=told)

    def snapshot_at(self, as_of: datetime | None) -> Snapshot:
        """The snapshot in force, with the rules and the entries of that instant where one is given."""
        if as_of is None:
            return self.snapshot
        return self._knowledge.snapshot_at(self._rules.snapshot_at(self.snapshot, as_of), as_of)

    def wake(self) -> None:
        """Look for something new at once: this process has just published it. Other processes see it on their own."""
        self._nudge.set()

    def rules_say(self) -> str:
        """What the rules say of themselves, for ``/readyz``."""
        snapshot, now = self.snapshot, clock.now(self.settings.time_zone)
        engine = rules_say(snapshot.rules, wanted=self.settings.rule_engine)
        waiting = sum(one.effective_from > now for one in self._rules.publications)
        return version_says(engine, snapshot.rules.pack, snapshot.publication, waiting=waiting)

    def _champion_version(self) -> str:
        version = champion(self.settings.mlruns)
        return str(version.version) if version else ""

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="zhipai-reload", daemon=True)
        self._thread.start()
        self.checkpoints.start()
        self.shadow.start()
        self.model_shadow.start()
        self.outbox.start()
        self.facts.start()
        self.carry_over.start()
        self.reminder.start()

    def close(self) -> None:
        self._stop.set()
        self._nudge.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self.checkpoints.close()
        self.shadow.close()
        self.model_shadow.close()
        self.outbox.close()
        self.facts.close()
        self.carry_over.close()
        self.reminder.close()
        self.snapshot.rules.close()
        self.engine.dispose()

    def _watch(self) -> None:
        # Loads the words that the index of a publication needs, so that the first one is as fast as the others.
        self.snapshot.knowledge.search("知识", as_of=clock.now(self.settings.time_zone), top=1)
        looked = time.monotonic()
        while True:
            nudged = self._nudge.wait(min(LOOK_SECONDS, self.settings.reload_seconds))
            self._nudge.clear()
            if self._stop.is_set():
                return
            try:
                due = time.monotonic() - looked >= self.settings.reload_seconds
                if self._knowledge.happened() or nudged or due:
                    looked = time.monotonic()
                    self.refresh()
            except Exception as error:  # noqa: BLE001 - a watcher that dies silently would freeze the model for ever
                self.reload_problem = error.code if isinstance(error, ZhipaiError) else type(error).__name__
                RELOADS.labels(outcome="failed").inc()
                get_logger().error("reload_failed", problem=self.reload_problem)

    def refresh(self) -> bool:
        """Look once; returns whether a new snapshot was put in force."""
        version, news = self._champion_version(), self._knowledge.news()
        stamp = calendar_stamp(self.settings)
        publication = self._rules.look(clock.now(self.settings.time_zone))
        same_rules = publication == self.snapshot.publication
        if same_rules and not news and (version, stamp) == (self._version, self._calendar):
            self._knowledge.taken()
            return False
        snapshot = self.snapshot
        if version != self._version:
            found = champion(self.settings.mlruns)
            if found is not None:
                ranker = UnitRanker.load(Path(found.path), encoder=snapshot.encoder)
                snapshot = replace(snapshot, ranker=ranker, directory=ranker.directory)
        if news:
            snapshot = replace(snapshot, knowledge=self._knowledge.index_with(news, snapshot.knowledge))
        if not same_rules:
            snapshot = with_rules(snapshot, self.settings, self.engine, publication)
        elif stamp != self._calendar:
            snapshot = replace(snapshot, calendar=load_calendar(self.settings, snapshot.rules.pack))
        self.snapshot = snapshot
        self._version, self._calendar = version, stamp
        self._knowledge.taken()
        self._rules.forget()
        if news:
            self.snapshot = replace(snapshot, knowledge=self._knowledge.settled(snapshot.knowledge))
        self.reload_problem = ""
        RELOADS.labels(outcome="done").inc()
        ids = snapshot.ids
        get_logger().info("reloaded", model=ids.model, knowledge=ids.knowledge, calendar=ids.calendar, rules=ids.rules)
        return True
