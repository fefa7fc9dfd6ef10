"""``python -m benchmarks audit_log``: what the tree costs a decision, decisions a second with full sync, and what it takes
to verify a long log and to prove one record of it.

The long log holds copies of one real record (about nine kilobytes), each with a number and id of its own;
``ZHIPAI_BENCH_RECORDS`` makes it shorter. Its file comes from the system's cache, not from the disk.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, Engine, func, select

import service.decisions
import service.log
from benchmarks.common import Row, city_texts, percentile
from intake.canonical import canonical_json
from intake.order import WorkOrder
from service import clock
from service.audit.merkle import Frontier, TreeHash
from service.audit.tree import Place, inclusion_proof, root_at
from service.audit.verify import verify_log
from service.db.engine import make_engine, reading, writing
from service.db.migrate import upgrade
from service.db.tables import DECISIONS
from service.decisions import Asked, DecisionRequest, record_decisions
from service.orders import store_proposal, with_order_id
from service.settings import settings
from service.snapshot import Snapshot, open_snapshot
from service.triage import propose

DECIDED = 400
BATCHES = (1, 10, 50)
#: Decisions a commit -> how often all are decided, to compare them with and without the tree.
ROUNDS = {1: 1, 50: 6}
#: Decisions a second at the best of the batches, and what the tree may add to the wall time of a decision.
GOAL, MOST = 400, 0.15
RECORDS = int(os.environ.get("ZHIPAI_BENCH_RECORDS", "1000000"))
#: Bytes a record takes in the file, roughly; asked for before anything is written.
ROOM = 14_000
VERIFY_SECONDS, PROOF_MS = 60, 20


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="zhipai-bench-") as folder:
        home = Path(folder)
        snapshot = open_snapshot(settings())
        requests = _stored(home / "stored.db", snapshot)
        rows = [*_added(home, snapshot, requests), *_rates(home, snapshot, requests)]
        record = _one_record(home, snapshot, requests[0])
        del snapshot
        if shutil.disk_usage(home).free < ROOM * RECORDS:
            return [*rows, Row(f"验证 {RECORDS:,} 条", "磁盘空间不够，没有量")]
        return [*rows, *_long(home, record)]


def _stored(path: Path, snapshot: Snapshot) -> list[DecisionRequest]:
    """A database of proposals that wait for a decision; the requests that decide them."""
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    requests = []
    for number, text in enumerate(city_texts(DECIDED)):
        order = with_order_id(WorkOrder(text=f"{text}（{number}）"))
        proposal = propose(order, as_of=clock.now(), snapshot=snapshot)
        store_proposal(engine, order, proposal, at=clock.now(), snapshot=snapshot)
        unit = proposal.units[0]["unit"] if proposal.units else snapshot.directory.units[0].name
        requests.append(DecisionRequest(proposal.proposal_id, "override", unit, "pd-1", "按职责清单", uuid.uuid4().hex))
    engine.dispose()
    return requests


def _copy(home: Path, name: str) -> Engine:
    """A copy of that database."""
    with closing(sqlite3.connect(home / "stored.db")) as here, closing(sqlite3.connect(home / name)) as there:
        here.backup(there)
    return make_engine(f"sqlite:///{home / name}")


def _decide(engine: Engine, snapshot: Snapshot, requests: Sequence[DecisionRequest]) -> float:
    """Seconds for these decisions in one commit."""
    started = time.perf_counter()
    asked = [Asked(request, lambda: snapshot.directory, "bench", "bench", clock.now()) for request in requests]
    with writing(engine) as connection:
        record_decisions(connection, asked)
    return time.perf_counter() - started


@contextmanager
def _without_tree() -> Iterator[None]:
    """The log as it was before it had a tree: the next number, and no leaf."""

    def next_place(connection: Connection) -> Place:
        last = connection.execute(select(func.max(DECISIONS.c.sequence))).scalar()
        return Place((last or 0) + 1, TreeHash("sha256"), {})

    kept = service.decisions.next_place, service.log.append_leaves
    service.decisions.next_place, service.log.append_leaves = next_place, lambda *_arguments: None
    try:
        yield
    finally:
        service.decisions.next_place, service.log.append_leaves = kept


def _added(home: Path, snapshot: Snapshot, requests: Sequence[DecisionRequest]) -> list[Row]:
    """With and without the tree, in turns on two databases, so that a slow moment of the machine hits both."""
    rows = []
    for batch, rounds in ROUNDS.items():
        with_tree, without = _copy(home, f"with-{batch}.db"), _copy(home, f"without-{batch}.db")
        spent: dict[bool, list[float]] = {True: [], False: []}
        for number in range(0, DECIDED * rounds, batch):
            first = number % DECIDED
            chosen = [replace(one, idempotency_key=uuid.uuid4().hex) for one in requests[first : first + batch]]
            for tree in (True, False) if number // batch % 2 else (False, True):
                if tree:
                    spent[True].append(_decide(with_tree, snapshot, chosen))
                else:
                    with _without_tree():
                        spent[False].append(_decide(without, snapshot, chosen))
        added = median(spent[True]) / median(spent[False]) - 1
        figure = (
            f"{added:+.1%}（{median(spent[False]) / batch * 1000:.2f} → {median(spent[True]) / batch * 1000:.2f} ms，"
            f"中位，n={len(spent[True])}）"
        )
        rows.append(Row(f"校验树加在一个决定上的用时，每 {batch} 个提交一次", figure, f"≤ {MOST:.0%}", added <= MOST))
    return rows


def _rates(home: Path, snapshot: Snapshot, requests: Sequence[DecisionRequest]) -> list[Row]:
    rates = {}
    for batch in BATCHES:
        engine = _copy(home, f"rate-{batch}.db")
        spent = sum(_decide(engine, snapshot, requests[at : at + batch]) for at in range(0, DECIDED, batch))
        rates[batch] = DECIDED / spent
        engine.dispose()
    best = max(rates.values())
    figure = "；".join(f"每 {batch} 个提交一次 {rate:,.0f} 个/秒" for batch, rate in rates.items())
    return [Row("SQLite 完全同步，一个进程作决定", figure, f"≥ {GOAL} 个/秒", best >= GOAL)]


def _one_record(home: Path, snapshot: Snapshot, request: DecisionRequest) -> bytes:
    engine = _copy(home, "one.db")
    _decide(engine, snapshot, [request])
    with reading(engine) as connection:
        return bytes(connection.execute(select(DECISIONS.c.record)).scalar_one())


def _long(home: Path, record: bytes) -> list[Row]:
    path = home / "long.db"
    _fill(path, record)
    with get_context("spawn").Pool(1) as pool:
        wall, cpu, grown, whole = pool.apply(_verify, (str(path),))
    size = path.stat().st_size / 2**30
    figure = (
        f"{wall:.1f} 秒（CPU {cpu:.1f} 秒），内存多用 {grown:.0f} MB；每条 {len(record):,} 字节，"
        f"文件 {size:.1f} GB{'' if whole else '；没有通过'}"
    )
    engine = make_engine(f"sqlite:///{path}")
    spent = []
    pick = random.Random(0)
    hasher = TreeHash("sha256")
    for _ in range(300):
        sequence = pick.randrange(1, RECORDS + 1)
        started = time.perf_counter()
        with reading(engine) as connection:
            inclusion_proof(connection, sequence, RECORDS, hasher)
            root_at(connection, RECORDS, hasher)
        spent.append((time.perf_counter() - started) * 1000)
    slowest = percentile(spent, 0.99)
    return [
        Row(f"验证 {RECORDS:,} 条", figure, f"≤ {VERIFY_SECONDS} 秒", whole and wall <= VERIFY_SECONDS),
        Row(
            f"{RECORDS:,} 条里证明一条（路径和根）",
            f"中位 {median(spent):.1f} ms，p99 {slowest:.1f} ms",
            f"≤ {PROOF_MS} ms",
            slowest <= PROOF_MS,
        ),
    ]


def _fill(path: Path, record: bytes) -> None:
    """A database of many records and their tree, written past the program: it would take an hour to decide them."""
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    said = json.loads(record)
    # What is not a number is written as text first, so that the places can be found again.
    template = canonical_json(said | {"sequence": "@sequence@", "decision_id": "@decision@"})
    before, rest = template.split(b'"@decision@"')
    between, after = rest.split(b'"@sequence@"')
    tree = Frontier(TreeHash("sha256"))
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF"):
            file.execute(f"PRAGMA {pragma}")
        file.execute("BEGIN")
        for sequence in range(1, RECORDS + 1):
            decision_id = f"d-{sequence:032x}"
            content = b'%s"%s"%s%d%s' % (before, decision_id.encode(), between, sequence, after)
            file.execute(
                "INSERT INTO decisions (sequence, decision_id, idempotency_key, request_hash, order_id, proposal_id,"
                " action, unit, record, record_hash, created_at, kind) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                (sequence, decision_id, decision_id, "", said["order_id"], said["proposal_id"], said["action"],
                 said["unit"], content, sha256(content).hexdigest(), said["decided_at"], said["kind"]),
            )  # fmt: skip
            nodes = b"".join(tree.add(tree.hasher.leaf(content)))
            file.execute("INSERT INTO log_tree (sequence, nodes) VALUES (?, ?)", (sequence, nodes))
        file.execute("COMMIT")
        file.execute("PRAGMA journal_mode=WAL")


def _verify(path: str) -> tuple[float, float, float, bool]:
    """In a process of its own: wall and processor seconds, megabytes beyond what it had before, and whether whole."""
    engine = make_engine(f"sqlite:///{path}")
    # The kernel's mark of the most memory ever held starts anew here: importing took more than is left of it.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    report = verify_log(engine, keys=[])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall, cpu, _memory("VmHWM") - before, report.whole and report.size == RECORDS


def _memory(name: str) -> float:
    """Megabytes, as the kernel tells them."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024
