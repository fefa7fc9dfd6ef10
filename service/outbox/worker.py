"""The thread of a running service that delivers. Every process has one; the lease says which of them works."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime
from random import Random

from sqlalchemy import Engine

from intake.errors import ZhipaiError
from service import clock
from service.audit_facts import microseconds
from service.logging import get_logger
from service.metrics import OUTBOX_ATTEMPTS, OUTBOX_DEAD, OUTBOX_LAG, OUTBOX_WAITING
from service.outbox.deliver import ROUND, Round, deliver_round
from service.outbox.store import LEASE, SECOND, Standing, fan_out, give_lease, standing, take_lease
from service.outbox.targets import OutboxTarget, Targets, read_targets
from service.settings import Settings

#: Seconds between two looks.
LOOK = 1.0
#: Seconds for which a receiver in trouble is left alone, at first and at most.
PAUSE = (1.0, 60.0)
#: From this age of the oldest waiting event on, readiness reminds. 常识推断: a person should look before shifts change.
LATE = 600.0


class _Breaker:
    """Leaves a receiver in trouble alone for a while; one event then tells whether it answers again."""

    def __init__(self, chance: Random):
        self._chance, self._failures, self._until = chance, 0, 0.0

    def may(self, at: float) -> int:
        """How many events may be tried now."""
        if at < self._until:
            return 0
        return 1 if self._failures else ROUND

    def after(self, done: Round, at: float) -> None:
        if done.whole:
            self._failures += 1
            pause = min(PAUSE[1], PAUSE[0] * 2.0 ** min(self._failures - 1, 10))
            self._until = at + pause * self._chance.uniform(0.5, 1.0)
        elif done.delivered or done.failed:
            self._failures = 0


class OutboxWorker:
    """Delivers in a daemon thread. Trouble with it is logged, counted and shown by ``/readyz``; it never stops a request.

    Raises
    ------
    ZhipaiError
        E7910, E7911 for the file of targets, when it is made; a file that is spoilt later leaves the old targets in force.
    """

    def __init__(self, settings: Settings, engine: Engine, *, now: Callable[[], datetime] | None = None):
        self._path = settings.outbox_targets
        self._engine = engine
        self._now = now or (lambda: clock.now(settings.time_zone))
        self._targets: Targets = read_targets(self._path)
        self._stamp = self._targets.stamp()
        self._holder = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._chance = Random(secrets.randbits(64))
        self._breakers: dict[str, _Breaker] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._leased = 0.0
        self.problem = ""
        self.misread = ""

    def start(self) -> None:
        """Begin, if there is a file of targets; without one nothing is asked of the database."""
        if self._path is None:
            return
        self._thread = threading.Thread(target=self._run, name="zhipai-outbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the event on its way and let another process take over."""
        self._stop.set()
        if self._thread is None:
            return
        self._thread.join(timeout=5)
        try:
            give_lease(self._engine, self._holder)
        except ZhipaiError as error:
            get_logger().warning("outbox_lease_kept", code=error.code)

    def _run(self) -> None:
        while not self._stop.wait(LOOK):
            try:
                self._reread()
                if not self._targets.found:
                    continue
                while self._lease() and self._pass() and not self._stop.is_set():
                    pass
                self.problem = ""
            except Exception as error:  # noqa: BLE001 - a deliverer that dies silently would hold every event back
                self.problem = error.code if isinstance(error, ZhipaiError) else type(error).__name__
                get_logger().error("outbox_failed", problem=self.problem)

    def _reread(self) -> None:
        """Take over a changed file of targets or secrets, looked at once for each change."""
        stamp = self._targets.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._targets = read_targets(self._path)
        except ZhipaiError as error:
            self.misread = error.code
            get_logger().error("outbox_targets_unreadable", code=error.code)
            return
        self.misread, self._stamp = "", self._targets.stamp()
        get_logger().info("outbox_targets_read", targets=len(self._targets.found))

    def _lease(self) -> bool:
        asked = time.monotonic()
        if not take_lease(self._engine, self._holder, at=self._now()):
            return False
        # At least half of it is left when the lease is not renewed.
        self._leased = asked + LEASE / 2
        return True

    def _pass(self) -> bool:
        """One round for every target; returns whether there is more to do at once."""
        more = False
        for target in self._targets.found:
            breaker = self._breakers.setdefault(target.name, _Breaker(self._chance))
            put = fan_out(self._engine, target, at=self._now())
            limit = breaker.may(time.monotonic())
            if limit:
                done = self._round(target, limit)
                breaker.after(done, time.monotonic())
                more = more or (done.full and not done.whole)
            more = more or (put > 0 and limit > 0)
        return more

    def _round(self, target: OutboxTarget, limit: int) -> Round:
        def may_send() -> bool:
            # Whoever is paused longer than this finds that another has taken over.
            return not self._stop.is_set() and time.monotonic() + target.timeout < self._leased + LEASE / 2

        done = deliver_round(self._engine, target, now=self._now, chance=self._chance, may_send=may_send, limit=limit)
        OUTBOX_ATTEMPTS.labels(target=target.name, outcome="delivered").inc(done.delivered)
        OUTBOX_ATTEMPTS.labels(target=target.name, outcome="failed").inc(done.failed)
        if done.dead:
            get_logger().error("outbox_dead_letters", target=target.name, count=done.dead)
        return done

    def measure(self) -> dict[str, Standing]:
        """Backlog of every target, from the database, also put into the gauges: right even when nobody delivers. Empty
        while the database does not answer, which others say."""
        try:
            found = {target.name: standing(self._engine, target) for target in self._targets.found}
        except ZhipaiError as error:
            get_logger().error("outbox_not_measured", code=error.code)
            return {}
        for name, one in found.items():
            OUTBOX_WAITING.labels(target=name).set(one.waiting)
            OUTBOX_DEAD.labels(target=name).set(one.dead)
            OUTBOX_LAG.labels(target=name).set(self.lag(one))
        return found

    def lag(self, one: Standing) -> float:
        """Age of the oldest event that has not arrived, seconds; 0 if all have."""
        return max(0.0, (microseconds(self._now()) - one.since) / SECOND) if one.since is not None else 0.0

    def says(self) -> str:
        """For ``/readyz``: empty without targets."""
        if self._path is None:
            return ""
        if self.problem:
            return f"提醒：对外通知出错（{self.problem}），没有送出的仍在等待，会再试"
        if self.misread:
            return f"提醒：改过的对外通知设置不能用（{self.misread}），仍按原来的送"
        found = self.measure().values()
        waiting, dead = sum(one.waiting for one in found), sum(one.dead for one in found)
        late = max((self.lag(one) for one in found), default=0.0)
        if dead:
            return f"提醒：对外通知有 {dead} 条死信，用 zhipai outbox list --dead 查看；另有 {waiting} 条等待"
        if late > LATE:
            return f"提醒：对外通知有 {waiting} 条等待，最早的已等 {late / 60:.0f} 分钟"
        return f"ok（{len(found)} 个目标，{waiting} 条等待）"
