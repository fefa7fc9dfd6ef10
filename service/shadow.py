"""The shadow pack of a running service: compared after every proposal, in a thread of its own, never in the way.

``ZHIPAI_SHADOW_PACK`` names it. Each process counts for itself and writes its counts to a small file; who asks gets the
sum of all files. The counts hold rule ids and ids of proposals, nothing that a citizen said.
"""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError
from intake.order import WorkOrder
from intake.prepare import prepare
from rules import RulePack, derive_facts
from rules.shadow import ShadowTally, compare
from service import clock
from service.logging import get_logger
from service.metrics import SHADOW_DIFFERENCES, SHADOW_FAILURES, SHADOW_ORDERS
from service.packs import pack_in_use
from service.proposal import Proposal
from service.settings import Settings
from service.shadow_worker import EVERY, WAITING, CountsFile, ShadowWorker, read_counts
from service.snapshot import Snapshot
from service.triage import TRIAGE_GATES

FOLDER = "shadow"

Task = tuple[WorkOrder, Proposal, Snapshot]


class Shadow:
    """Compares one pack with the proposals that are made. Without a pack it does nothing.

    Attributes
    ----------
    problem : str
        Why it does not work, or what went wrong last; empty while all is well.
    """

    def __init__(self, settings: Settings, *, waiting: int = WAITING, every: float = EVERY):
        self.settings = settings
        self.problem = ""
        self.pack: RulePack | None = None
        self._lock = threading.Lock()
        self._tallies: dict[str, ShadowTally] = {}
        self._file = CountsFile(settings.home / FOLDER, started=clock.now(settings.time_zone))
        self._worker: ShadowWorker[Task] = ShadowWorker(
            "zhipai-shadow", self._compare, self._dropped, self._write, waiting=waiting, every=every
        )
        if settings.shadow_pack:
            try:
                self.pack = pack_in_use(settings, settings.shadow_pack)
            except ZhipaiError as error:
                # The service serves without its shadow; /readyz and the counter say that it does.
                self._failed("load", error)

    def start(self) -> None:
        if self.pack is not None:
            self._worker.start()

    def close(self) -> None:
        """Compare what still waits, within a moment, and write the counts."""
        self._worker.close()

    def offer(self, order: WorkOrder, proposal: Proposal, snapshot: Snapshot) -> None:
        """Hand over a proposal that was made. Returns at once, whatever happens."""
        self._worker.offer((order, proposal, snapshot))

    def _dropped(self, task: Task) -> None:
        with self._lock:
            self._tally(task[1]).dropped += 1
        SHADOW_ORDERS.labels(outcome="dropped").inc()

    def says(self) -> str:
        """Its line in ``/readyz``; empty where no shadow pack is set."""
        if not self.settings.shadow_pack:
            return ""
        if self.problem:
            return f"提醒：影子规则包“{Path(self.settings.shadow_pack).name}”{self.problem}"
        return f"ok（影子规则包 {self.pack.id if self.pack else ''}）"

    def summary(self) -> dict[str, Any]:
        """The counts of all processes, with those of this one as they stand now."""
        self._write()
        return {
            "shadow": self.pack.id if self.pack else "",
            "problem": self.problem,
            "comparisons": read_summary(self.settings.home),
        }

    def _compare(self, task: Task) -> None:
        order, proposal, snapshot = task
        pack = self.pack
        if pack is None:
            return
        as_of = datetime.fromisoformat(proposal.as_of)
        try:
            facts = derive_facts(
                prepare(order, snapshot.gazetteer),
                received_at=order.received_at or as_of,
                ranking_units=[unit["unit"] for unit in proposal.units],
                directory=snapshot.directory,
            )
            found = compare(pack, facts, as_of=as_of, gates=TRIAGE_GATES, live=proposal.verdicts)
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would count nothing for ever
            with self._lock:
                self._tally(proposal).failed += 1
            SHADOW_ORDERS.labels(outcome="failed").inc()
            self._failed("compare", error)
            return
        with self._lock:
            tally = self._tally(proposal)
            tally.note(found, proposal_id=proposal.proposal_id)
            tally.seen(clock.now(self.settings.time_zone).isoformat(timespec="seconds"))
        SHADOW_ORDERS.labels(outcome="differs" if found else "agrees").inc()
        for one in found:
            SHADOW_DIFFERENCES.labels(rule=one.rule, clause=one.clause, live=one.live, shadow=one.shadow).inc()

    def _tally(self, proposal: Proposal) -> ShadowTally:
        """The counts beside the rules of the proposal; these change when other rules come into force."""
        live = proposal.snapshot.rules
        return self._tallies.setdefault(live, ShadowTally(live, self.pack.id if self.pack else ""))

    def _failed(self, kind: str, error: Exception) -> None:
        # The message of an unknown exception may hold order text: only its type is told.
        what = str(error) if isinstance(error, ZhipaiError) else type(error).__name__
        sayings = {"load": "没有装入", "compare": "有工单没有比成", "write": "的计数没有写下"}
        self.problem = f"{sayings[kind]}（{what}）"
        SHADOW_FAILURES.labels(kind=kind).inc()
        get_logger().error("shadow_failed", kind=kind, problem=what)

    def _write(self) -> None:
        try:
            self._file.write(self._rows)
        except OSError as error:
            self._failed("write", error)

    def _rows(self) -> list[dict[str, Any]]:
        with self._lock:
            return [tally.to_data() for tally in self._tallies.values()]


def read_summary(home: Path) -> list[dict[str, Any]]:
    """The sum of the counts of all processes, by pair of packs, the latest first."""
    pairs: dict[tuple[str, str], ShadowTally] = {}
    for tally in read_counts(home / FOLDER, ShadowTally):
        pairs.setdefault((tally.live, tally.shadow), ShadowTally(tally.live, tally.shadow)).add(tally)
    found = [tally.to_data() for tally in pairs.values()]
    return [
        row | {"rules": list(row["rules"].values())} for row in sorted(found, key=lambda row: row["last"], reverse=True)
    ]
