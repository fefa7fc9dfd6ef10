"""``python -m benchmarks postgres_log``: decisions a second that four processes write to one log on PostgreSQL.

The server is started for it (``tools/postgres.sh``) with its defaults: ``fsync`` and ``synchronous_commit`` on, so that an
acknowledged decision survives a power cut. Every decision is of a real proposal, and its record holds the whole of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import psutil
from sqlalchemy import make_url

from benchmarks.common import Row, city_texts
from intake.order import WorkOrder
from intake.unit import UnitDirectory
from service import clock
from service.audit.verify import verify_log
from service.db.engine import make_engine, writing
from service.db.migrate import upgrade
from service.decisions import DecisionRequest, decide, record_decision
from service.orders import store_proposal, with_order_id
from service.settings import ROOT, settings
from service.snapshot import open_snapshot
from service.triage import propose

PROCESSES = 4
BATCHES = (1, 10, 50)
#: Decisions of each process, and of its warm-up.
DECIDED, WARM = 300, 50
PROPOSALS = 20
GOAL = 1000


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
    requests, directory = _stored(url)
    rates, figures = {}, []
    for batch in BATCHES:
        wall, program, server = _measure(url, requests, directory, batch)
        total = PROCESSES * DECIDED
        rates[batch] = total / wall
        figures.append(
            f"每 {batch} 个提交一次 {rates[batch]:,.0f} 个/秒"
            f"（一个用 CPU：程序 {program / total * 1e3:.2f} ms，数据库 {server / total * 1e3:.2f} ms）"
        )
    report = verify_log(make_engine(url), keys=[])
    best = max(rates.values())
    whole = report.whole and report.size == len(BATCHES) * PROCESSES * (DECIDED + WARM)
    state = f"{'；'.join(figures)}；{os.cpu_count()} 核，一分钟负载 {os.getloadavg()[0]:.1f}；日志验证{'通过' if whole else '没有通过'}"
    return [
        Row("PostgreSQL，synchronous_commit=on，四个进程作决定", state, f"≥ {GOAL:,} 个/秒", whole and best >= GOAL)
    ]


def _stored(url: str) -> tuple[list[DecisionRequest], str]:
    """Requests that decide real proposals, and the unit directory as JSON."""
    snapshot = open_snapshot(settings())
    engine = make_engine(url)
    upgrade(engine)
    requests = []
    for number, text in enumerate(city_texts(PROPOSALS)):
        order = with_order_id(WorkOrder(text=f"{text}（{number}）"))
        proposal = propose(order, as_of=clock.now(), snapshot=snapshot)
        store_proposal(engine, order, proposal, at=clock.now(), snapshot=snapshot)
        unit = proposal.units[0]["unit"] if proposal.units else snapshot.directory.units[0].name
        requests.append(DecisionRequest(proposal.proposal_id, "override", unit, "pd-1", "按职责清单", ""))
    engine.dispose()
    return requests, snapshot.directory.to_json()


def _measure(url: str, requests: Sequence[DecisionRequest], directory: str, batch: int) -> tuple[float, float, float]:
    """Wall seconds from the first process's start to the last one's end; processor seconds of processes and server."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.postgres_log"])
    barrier = context.Barrier(PROCESSES + 1)
    answers = context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(url, list(requests), directory, batch, barrier, answers))
        for _ in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    server = _server_seconds(url)
    said = [answers.get() for _ in workers]
    server = _server_seconds(url) - server
    barrier.wait()
    for worker in workers:
        worker.join()
    return max(end for _, end, _ in said) - min(start for start, _, _ in said), sum(cpu for *_, cpu in said), server


def _work(url: str, requests: list[DecisionRequest], directory: str, batch: int, barrier: Barrier, answers) -> None:  # type: ignore[no-untyped-def]
    engine = make_engine(url, busy_seconds=60)
    units = UnitDirectory.from_rows(json.loads(directory))
    _decide(engine, requests, units, batch, WARM)
    barrier.wait()
    start, cpu = time.monotonic(), time.process_time()
    _decide(engine, requests, units, batch, DECIDED)
    answers.put((start, time.monotonic(), time.process_time() - cpu))
    # The connection stays until the processor time of the server was read.
    barrier.wait()


def _decide(engine, requests: list[DecisionRequest], units: UnitDirectory, batch: int, count: int) -> None:  # type: ignore[no-untyped-def]
    def fresh(number: int) -> DecisionRequest:
        return DecisionRequest(**asdict(requests[number % len(requests)]) | {"idempotency_key": uuid.uuid4().hex})

    options = {"directory": lambda: units, "software": "bench", "request_id": "bench"}
    for first in range(0, count, batch):
        if batch == 1:
            decide(engine, fresh(first), at=clock.now(), **options)
            continue
        with writing(engine, late=True) as connection:
            for number in range(first, min(first + batch, count)):
                record_decision(connection, fresh(number), at=clock.now(), **options)
            connection.commit()


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
