"""The clock of the demo: an agenda of what happens when, and the snapshot in force at that moment."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from models.encoder import Encoder
from models.progress import Progress
from models.ranker import UnitRanker
from service.rule_versions import published, version_at
from service.settings import Settings
from service.snapshot import Snapshot, load_knowledge, load_snapshot, with_rules
from service.version import VERSION
from training.registry import champion

register(
    "E7964", "演示里还没有模型", "演示的第一个模型没有上线，不能往下走。请运行 make demo AGAIN=1 重建。", exit_code=3
)

SOFTWARE = f"zhipai {VERSION}"
REQUEST = "demo"
Happening = Callable[[datetime], None]


@dataclass
class World:
    """Where the month stands. ``draw`` is the only source of chance; ``done`` counts what happened, by its kind."""

    engine: Engine
    settings: Settings
    encoder: Encoder
    draw: random.Random
    end: datetime
    done: Counter[str] = field(default_factory=Counter)
    _agenda: list[tuple[datetime, int, Happening]] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)
    _snapshot: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot:
        """What is in force; E7964 before the first model."""
        if self._snapshot is None:
            raise ZhipaiError("E7964")
        return self._snapshot

    @property
    def started(self) -> bool:
        return self._snapshot is not None

    def plan(self, at: datetime, happening: Happening) -> None:
        """Something will happen, unless the month is over by then."""
        if at < self.end:
            heapq.heappush(self._agenda, (at, next(self._numbers), happening))

    def run(self, progress: Progress, *, step: str, total: int) -> None:
        """Let everything happen in its order. ``total``: orders that come in, by which progress is told."""
        while self._agenda:
            at, _, happening = heapq.heappop(self._agenda)
            happening(at)
            progress(step, min(self.done["filed"], total), total)

    def key(self) -> str:
        """A new idempotency key."""
        return f"demo-{next(self._numbers)}"

    def soon(self, at: datetime, least: float, most: float) -> datetime:
        """Some minutes later; what falls into the night is done in the morning."""
        then = at + timedelta(minutes=self.draw.uniform(least, most))
        if then.hour < 7:
            then = then.replace(hour=7, minute=30) + timedelta(minutes=self.draw.uniform(0, 50))
        return then

    def office(self, at: datetime, least_hours: float, most_hours: float) -> datetime:
        """Some hours later, in the hours of an office on a working day."""
        then = at + timedelta(hours=self.draw.uniform(least_hours, most_hours))
        if not 9 <= then.hour < 17:
            then = (then + timedelta(days=then.hour >= 17)).replace(hour=9, minute=self.draw.randrange(60))
        while then.weekday() >= 5:
            then += timedelta(days=1)
        return then

    # What came into force

    def first(self, at: datetime) -> None:
        self._snapshot = load_snapshot(self.settings, self.engine, encoder=self.encoder, as_of=at)

    def models_changed(self) -> None:
        version = champion(self.settings.mlruns)
        if version is None:
            raise ZhipaiError("E7964")
        ranker = UnitRanker.load(Path(version.path), encoder=self.encoder)
        self._snapshot = replace(self.snapshot, ranker=ranker, directory=ranker.directory)

    def knowledge_changed(self, at: datetime) -> None:
        found = load_knowledge(self.settings, self.engine, self.encoder, as_of=at)
        self._snapshot = replace(self.snapshot, knowledge=found)

    def rules_changed(self, at: datetime) -> None:
        before = self.snapshot
        publication = version_at(published(self.engine, self.settings.pack), at)
        self._snapshot = with_rules(before, self.settings, self.engine, publication)
        before.rules.close()

    def close(self) -> None:
        if self._snapshot is not None:
            self._snapshot.rules.close()
        self.engine.dispose()
