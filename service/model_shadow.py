"""A challenger model beside a running service: it ranks each order after the proposal was made, and only counts.

``ZHIPAI_SHADOW_MODEL`` names its alias. What is kept are units, counts and ids of proposals.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError
from intake.order import WorkOrder
from intake.prepare import prepare
from models.ranker import UnitRanker
from models.ranking import Ranking
from service import clock
from service.logging import get_logger
from service.metrics import MODEL_SHADOW_FAILURES, MODEL_SHADOW_ORDERS
from service.proposal import Proposal
from service.ranking import rank_prepared
from service.settings import Settings
from service.shadow_worker import EVERY, WAITING, CountsFile, ShadowWorker, read_counts
from service.snapshot import Snapshot
from training.champion import Version, champion

FOLDER = "model-shadow"
EXAMPLES = 5
#: A changed alias is looked for after this many orders.
LOOK_EVERY = 50

Task = tuple[WorkOrder, Proposal, Snapshot]


@dataclass
class ModelTally:
    """Counts for one pair of models. ``pairs`` is by ``live|shadow``, the units each put first where they differ."""

    live: str
    shadow: str
    first: str = ""
    last: str = ""
    compared: int = 0
    differing: int = 0
    abstained: int = 0
    dropped: int = 0
    failed: int = 0
    pairs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def note(self, proposal: Proposal, ranking: Ranking, *, at: str) -> bool:
        """Count one order; whether the two put different units first."""
        live = proposal.units[0]["unit"] if proposal.units else ""
        shadow = ranking.units[0].unit if ranking.units else ""
        self.compared += 1
        self.abstained += proposal.abstained != ranking.abstained
        self._seen(at)
        if live == shadow:
            return False
        self.differing += 1
        row = self.pairs.setdefault(f"{live}|{shadow}", {"live": live, "shadow": shadow, "orders": 0, "proposals": []})
        row["orders"] += 1
        row["proposals"] = [*row["proposals"], proposal.proposal_id][:EXAMPLES]
        return True

    def add(self, other: ModelTally) -> None:
        """Add the counts of another process."""
        for instant in filter(None, (other.first, other.last)):
            self._seen(instant)
        for name in ("compared", "differing", "abstained", "dropped", "failed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for key, theirs in other.pairs.items():
            row = self.pairs.setdefault(key, theirs | {"orders": 0, "proposals": []})
            row["orders"] += theirs["orders"]
            row["proposals"] = [*row["proposals"], *theirs["proposals"]][:EXAMPLES]

    def _seen(self, instant: str) -> None:
        self.first = min(self.first or instant, instant)
        self.last = max(self.last, instant)


class ModelShadow:
    """Ranks with another registered model after each proposal. Without a setting it does nothing.

    The text is encoded once more, in this thread: a shadow costs about as much CPU as the proposal, never its time.

    Attributes
    ----------
    problem : str
        Why it does not work, or what went wrong last; empty while all is well.
    """

    def __init__(self, settings: Settings, *, waiting: int = WAITING, every: float = EVERY):
        self.settings = settings
        self.problem = ""
        self._lock = threading.Lock()
        self._tallies: dict[tuple[str, str], ModelTally] = {}
        self._version: Version | None = None
        self._ranker: UnitRanker | None = None
        self._until_look = 0
        self._file = CountsFile(settings.home / FOLDER, started=clock.now(settings.time_zone))
        self._worker: ShadowWorker[Task] = ShadowWorker(
            "zhipai-model-shadow", self._compare, self._dropped, self._write, waiting=waiting, every=every
        )

    def start(self) -> None:
        if self.settings.shadow_model:
            self._worker.start()

    def close(self) -> None:
        """Rank what still waits, within a moment, and write the counts."""
        self._worker.close()

    def offer(self, order: WorkOrder, proposal: Proposal, snapshot: Snapshot) -> None:
        """Hand over a proposal that was made. Returns at once, whatever happens."""
        self._worker.offer((order, proposal, snapshot))

    def says(self) -> str:
        """Its line in ``/readyz``; empty where no shadow model is set."""
        wanted = self.settings.shadow_model
        if not wanted:
            return ""
        if self.problem:
            return f"提醒：影子模型“{wanted}”{self.problem}"
        return f"ok（影子模型 {self._ranker.model_id if self._ranker else f'{wanted}，等第一条工单'}）"

    def _load(self, snapshot: Snapshot) -> UnitRanker:
        """The model that the setting names now; E5102 and the errors of loading."""
        self._until_look -= 1
        if self._until_look <= 0:
            self._until_look = LOOK_EVERY
            wanted = self.settings.shadow_model
            found = champion(self.settings.mlruns, alias=wanted)
            if found is None:
                raise ZhipaiError("E5102", {"wanted": wanted})
            if self._ranker is None or found != self._version:
                self._ranker = UnitRanker.load(Path(found.path), encoder=snapshot.encoder)
                self._version = found
        if self._ranker is None:
            raise ZhipaiError("E5102", {"wanted": self.settings.shadow_model})
        return self._ranker

    def _compare(self, task: Task) -> None:
        order, proposal, snapshot = task
        try:
            ranker = self._load(snapshot)
            prepared = prepare(order, snapshot.gazetteer)
            vectors = snapshot.encoder.encode([prepared.text], kind="query")
            (ranking,) = rank_prepared(ranker, [prepared], vectors, as_of=datetime.fromisoformat(proposal.as_of))
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would count nothing for ever
            self._until_look = 0
            with self._lock:
                self._tally(proposal).failed += 1
            MODEL_SHADOW_ORDERS.labels(outcome="failed").inc()
            self._failed("rank", error)
            return
        self.problem = ""
        with self._lock:
            at = clock.now(self.settings.time_zone).isoformat(timespec="seconds")
            differs = self._tally(proposal).note(proposal, ranking, at=at)
        MODEL_SHADOW_ORDERS.labels(outcome="differs" if differs else "agrees").inc()

    def _dropped(self, task: Task) -> None:
        with self._lock:
            self._tally(task[1]).dropped += 1
        MODEL_SHADOW_ORDERS.labels(outcome="dropped").inc()

    def _tally(self, proposal: Proposal) -> ModelTally:
        """The counts of this pair; either model may change while the service runs."""
        pair = proposal.snapshot.model, self._ranker.model_id if self._ranker else self.settings.shadow_model
        return self._tallies.setdefault(pair, ModelTally(*pair))

    def _failed(self, kind: str, error: Exception) -> None:
        # The message of an unknown exception may hold order text: only its type is told.
        what = str(error) if isinstance(error, ZhipaiError) else type(error).__name__
        self.problem = f"{'没有排成' if kind == 'rank' else '的计数没有写下'}（{what}）"
        MODEL_SHADOW_FAILURES.labels(kind=kind).inc()
        get_logger().error("model_shadow_failed", kind=kind, problem=what)

    def _rows(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(tally) for tally in self._tallies.values()]

    def _write(self) -> None:
        try:
            self._file.write(self._rows)
        except OSError as error:
            self._failed("write", error)


def read_summary(home: Path) -> list[dict[str, Any]]:
    """The sum of the counts of all processes, by pair of models, the latest first; pairs that differ most first."""
    found: dict[tuple[str, str], ModelTally] = {}
    tallies: Iterable[ModelTally] = read_counts(home / FOLDER, ModelTally)
    for tally in tallies:
        found.setdefault((tally.live, tally.shadow), ModelTally(tally.live, tally.shadow)).add(tally)
    rows = [
        asdict(tally)
        | {"pairs": sorted(tally.pairs.values(), key=lambda pair: (-pair["orders"], pair["live"], pair["shadow"]))}
        for tally in found.values()
    ]
    return sorted(rows, key=lambda row: row["last"], reverse=True)
