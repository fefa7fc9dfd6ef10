"""``python -m benchmarks privacy``: what an erasure leaves in the files of the database, and what cleaning up costs.

Orders with a mark of their own are filed and decided, every seventh is erased, and every byte of the database and its
journals is searched for the marks; with ``secure_delete``, as the service runs, and without it.
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from statistics import median
from time import perf_counter

from sqlalchemy import event

from benchmarks.common import Row
from intake.order import WorkOrder
from service import clock
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.decisions import DecisionRequest, decide
from service.orders import store_proposal
from service.privacy.erase import Eraser, Selection, erase
from service.privacy.residue import database_files, residue
from service.proposal import Proposal
from service.settings import settings
from service.snapshot import Snapshot, open_snapshot
from service.triage import propose_many

ORDERS, EVERY, ROUNDS = 210, 7, 2
Filed = list[tuple[WorkOrder, Proposal]]


def run() -> list[Row]:
    snapshot = open_snapshot(settings())
    orders = [WorkOrder(text=_text(number), order_id=f"o-{number:04}") for number in range(ORDERS)]
    filed = list(zip(orders, propose_many(orders, as_of=clock.now(), snapshot=snapshot), strict=True))
    left: dict[str, int] = {}
    seconds: dict[str, list[float]] = {"ON": [], "OFF": []}
    for _ in range(ROUNDS):
        for secure in ("ON", "OFF"):
            with tempfile.TemporaryDirectory(prefix="zhipai-bench-") as folder:
                left[secure] = _round(Path(folder), filed, snapshot, secure, seconds[secure])
    gone = len(range(0, ORDERS, EVERY))
    ratio = median(seconds["ON"]) / median(seconds["OFF"])
    return [
        Row("删除后仍能在文件里找到的工单（secure_delete 开）", f"{left['ON']}/{gone}", "0", left["ON"] == 0),
        Row("同上（secure_delete 关，作比较）", f"{left['OFF']}/{gone}", "—", None),
        Row("登记并决定一张工单的用时之比（开/关）", f"{ratio:.2f}", "—", None),
    ]


def _text(number: int) -> str:
    return f"我叫欧阳慕容，电话13987654321，楼下烧烤店油烟天天熏得睡不着，编号甲{number:04}乙"


def _round(folder: Path, filed: Filed, snapshot: Snapshot, secure: str, seconds: list[float]) -> int:
    """Orders of which a trace is left; the time of each filing and decision goes to ``seconds``."""
    url = f"sqlite:///{folder / 'a.db'}"
    engine = make_engine(url)

    @event.listens_for(engine, "connect")
    def _pragma(connection, _record) -> None:  # type: ignore[no-untyped-def]
        connection.execute(f"PRAGMA secure_delete={secure}")

    upgrade(engine)
    for order, proposal in filed:
        request = DecisionRequest(
            proposal.proposal_id, "accept", proposal.units[0]["unit"], "pd-1", "", uuid.uuid4().hex
        )
        start = perf_counter()
        store_proposal(engine, order, proposal, at=clock.now(), snapshot=snapshot)
        decide(engine, request, directory=lambda: snapshot.directory, software="bench", request_id="r", at=clock.now())
        seconds.append(perf_counter() - start)
    gone = [order.order_id for order, _ in filed[::EVERY]]
    eraser = Eraser("bench", "测量")
    erase(engine, Selection(tuple(gone), with_text=True), eraser, software="bench", at=clock.now())
    marks = [f"编号甲{number:04}乙" for number in range(0, len(filed), EVERY)]
    found = sum(bool(residue(database_files(url), mark)) for mark in marks)
    engine.dispose()
    return found
