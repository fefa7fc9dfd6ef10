"""``python -m benchmarks postgres_log``: decisions a second that four processes write to one log on PostgreSQL.

The server is started for it (``tools/postgres.sh``) with its defaults: ``fsync`` and ``synchronous_commit`` on, so that an
acknowledged decision survives a power cut. Every decision is of a filed order that waits in the queue, with a copy of a
real proposal, and its record holds the whole of it. Each process has as many callers as stated, threads that ask
:func:`service.decisions.decide` for one decision after the other, as the threads of a serving process do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine, event, make_url, text

from benchmarks.common import Row, city_texts
from intake.order import WorkOrder
from intake.unit import UnitDirectory
from service import clock, order_queue
from service.audit.verify import verify_log
from service.db.engine import make_engine, writing
from service.db.migrate import upgrade
from service.decisions import DecisionRequest, decide
from service.orders import store_proposal, with_order_id
from service.settings import ROOT, settings
from service.snapshot import open_snapshot
from service.triage import propose

PROCESSES = 4
#: Callers of each process -> decisions of each process.
CALLERS = {1: 300, 8: 1000, 32: 1000}
#: Decisions of the warm-up of each process.
WARM = 50
PROPOSALS = 20
GOAL = 1000

#: Copies of what was filed, so that every decision has an order of its own.
COPIES = (
    "INSERT INTO work_orders (order_id, original, created_at, commitment)"
    " SELECT order_id || '-' || n, original, created_at, commitment FROM work_orders, generate_series(1, :n) n",
    "INSERT INTO proposals (proposal_id, order_id, as_of, proposal, created_at, context)"
    " SELECT proposal_id || '-' || n, order_id || '-' || n, as_of, proposal, created_at, context"
    " FROM proposals, generate_series(1, :n) n",
    "INSERT INTO order_queue (order_id, status, revision, proposal_id, district, channel, abstained, due_at, unit, actor,"
    " changed_at) SELECT order_id || '-' || n, status, revision, proposal_id || '-' || n, district, channel, abstained,"
    " due_at, unit, actor, changed_at FROM order_queue, generate_series(1, :n) n",
    "ANALYZE work_orders, proposals, order_queue",
)


@dataclass
class Spent:
    """What the decisions of one process took. ``held``: seconds from the lock of the log to the end of the commit."""

    start: float = 0.0
    end: float = 0.0
    cpu: float = 0.0
    statements: int = 0
    commits: int = 0
    held: float = 0.0


def run() -> list[Row]:
    if "ZHIPAI_TEST_POSTGRES" in os.environ:
        return _rows()
    script = ["sh", str(ROOT / "tools" / "postgres.sh"), "run", sys.executable, "-m", "benchmarks.postgres_log"]
    with subprocess.Popen(script, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as done:
        try:
            out, said = done.communicate()
        except BaseException:
            # Not killed: the script has a server to stop.
            done.terminate()
            raise
    if done.returncode:
        reason = said.strip().splitlines()[-1] if said.strip() else f"退出码 {done.returncode}"
        return [Row("PostgreSQL，四个进程作决定", f"没有量：{reason[:80]}", f"≥ {GOAL:,} 个/秒")]
    return [Row(**row) for row in json.loads(out.splitlines()[-1])]


def _rows() -> list[Row]:
    url = os.environ["ZHIPAI_TEST_POSTGRES"]
    requests, directory = _filed(url)
    share = iter(requests)
    rates, said, made, cores = {}, [], 0, os.cpu_count() or 1
    for callers, count in CALLERS.items():
        shares = [[next(share) for _ in range(count + WARM)] for _ in range(PROCESSES)]
        spent, server = _measure(url, shares, directory, callers)
        total, wall = PROCESSES * count, max(one.end for one in spent) - min(one.start for one in spent)
        made += total + PROCESSES * WARM
        rates[callers] = total / wall
        sums = {one.name: sum(getattr(each, one.name) for each in spent) for one in fields(Spent)}
        said.append(
            f"每进程 {callers} 人同时：{rates[callers]:,.0f} 个/秒；一次提交 {total / sums['commits']:.1f} 个，"
            f"一个 {sums['statements'] / total:.1f} 条语句，锁到提交 {sums['held'] / total * 1e3:.2f} ms"
            f"（占用时 {sums['held'] / wall:.0%}），"
            f"CPU：程序 {sums['cpu'] / total * 1e3:.2f} ms，数据库 {server / total * 1e3:.2f} ms，"
            f"全部核都给它也只够 {cores * total / (sums['cpu'] + server):,.0f} 个/秒"
        )
    report = verify_log(make_engine(url), keys=[])
    best = max(rates.values())
    whole = report.whole and report.size == made
    state = f"{os.cpu_count()} 核，一分钟负载 {os.getloadavg()[0]:.1f}；{made:,} 条的日志验证{'通过' if whole else '没有通过'}"
    what = "PostgreSQL，synchronous_commit=on，四个进程作决定"
    return [Row(what, "；\n".join([*said, state]), f"≥ {GOAL:,} 个/秒", whole and best >= GOAL)]


def _filed(url: str) -> tuple[list[DecisionRequest], str]:
    """Requests, each deciding an order of its own that waits in the queue, and the unit directory as JSON."""
    snapshot = open_snapshot(settings())
    engine = make_engine(url)
    upgrade(engine)
    first = []
    for number, said in enumerate(city_texts(PROPOSALS)):
        order = with_order_id(WorkOrder(text=f"{said}（{number}）"))
        proposal = propose(order, as_of=clock.now(), snapshot=snapshot)
        store_proposal(engine, order, proposal, at=clock.now(), snapshot=snapshot)
        with writing(engine) as connection:
            order_queue.put(connection, proposal, actor="jiexian-1", at=clock.now())
            connection.commit()
        unit = proposal.units[0]["unit"] if proposal.units else snapshot.directory.units[0].name
        first.append(DecisionRequest(proposal.proposal_id, "override", unit, "pd-1", "按职责清单", ""))
    copies = -(-PROCESSES * sum(count + WARM for count in CALLERS.values()) // PROPOSALS)
    for statement in COPIES:
        with engine.begin() as connection:
            connection.execute(text(statement), {"n": copies} if ":n" in statement else {})
    engine.dispose()
    requests = [
        replace(one, proposal_id=f"{one.proposal_id}-{number}", idempotency_key=uuid.uuid4().hex)
        for number in range(1, copies + 1)
        for one in first
    ]
    return requests, snapshot.directory.to_json()


def _measure(
    url: str, shares: Sequence[list[DecisionRequest]], directory: str, callers: int
) -> tuple[list[Spent], float]:
    """What each process spent, and the processor seconds of the server meanwhile."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.postgres_log"])
    barrier = context.Barrier(PROCESSES + 1)
    answers = context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(url, share, directory, callers, barrier, answers)) for share in shares
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    server = _server_seconds(url)
    spent = [answers.get() for _ in workers]
    server = _server_seconds(url) - server
    barrier.wait()
    for worker in workers:
        worker.join()
    return spent, server


def _work(url: str, share: list[DecisionRequest], directory: str, callers: int, barrier: Barrier, answers: Any) -> None:
    engine = make_engine(url, busy_seconds=60)
    units = UnitDirectory.from_rows(json.loads(directory))
    _decide(engine, share[:WARM], units, callers)
    spent = _watched(engine)
    barrier.wait()
    spent.start, spent.cpu = time.monotonic(), time.process_time()
    _decide(engine, share[WARM:], units, callers)
    spent.end, spent.cpu = time.monotonic(), time.process_time() - spent.cpu
    answers.put(spent)
    # The connection stays until the processor time of the server was read.
    barrier.wait()


def _watched(engine: Engine) -> Spent:
    """Statements, commits, and the time under the lock of the log from now on: one connection is at work at a time."""
    spent, since = Spent(), [0.0]

    @event.listens_for(engine, "after_cursor_execute")
    def _statement(_connection, _cursor, statement, *_rest) -> None:  # type: ignore[no-untyped-def]
        spent.statements += 1
        if "pg_advisory_xact_lock" in statement:
            since[0] = time.monotonic()

    commit = engine.dialect.do_commit

    def committed(connection: Any) -> None:
        commit(connection)
        spent.commits += 1
        spent.held += time.monotonic() - since[0]

    engine.dialect.do_commit = committed  # type: ignore[method-assign]
    return spent


def _decide(engine: Engine, requests: Sequence[DecisionRequest], units: UnitDirectory, callers: int) -> None:
    """The callers take the requests one by one, each waiting for its answer."""
    waiting, lock = iter(requests), threading.Lock()

    def following() -> Iterator[DecisionRequest]:
        while True:
            with lock:
                request = next(waiting, None)
            if request is None:
                return
            yield request

    def call() -> None:
        for request in following():
            decide(engine, request, directory=lambda: units, software="bench", request_id="bench", at=clock.now())

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _server_seconds(url: str) -> float:
    """Processor seconds of the server and its processes."""
    folder = Path(str(make_url(url).query["host"])) / "data"
    head = psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))
    spent = 0.0
    for one in [head, *head.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return spent


if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in _rows()]))
