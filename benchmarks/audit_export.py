"""The decision log exported, searched and counted at 1,000,000 records: memory of the whole process, and rows a second.

``ZHIPAI_BENCH_RECORDS`` sets the size. The records are generated: of the length of a real dispatch record without its
evidence (some 1.5 kB), one in eight an override, three verdicts each. Each export runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from benchmarks.common import Row, percentile
from service.audit_export import FORMATS, stream, write_file
from service.audit_facts import facts_of
from service.audit_query import AuditFilter, newest_first, rows_of
from service.audit_stats import decision_stats
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.settings import ROOT

SIZE = 1_000_000
PART = 5_000
MEMORY = 300
START = datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))
ZONE = "Asia/Shanghai"
PAGES = 50
RULES = [(f"NA-ACC-{number:03d}", "acceptance") for number in range(40)]


def records(size: int) -> Iterator[tuple[dict, datetime]]:
    """Dispatches of half a year by 40 people to 200 units."""
    chance = random.Random(0)
    units = [f"某市第{number}局" for number in range(200)]
    for number in range(1, size + 1):
        at = START + timedelta(seconds=15.0 * number)
        proposed, override = chance.choice(units), chance.random() < 0.125
        verdicts = [
            {"rule_id": rule, "gate": gate, "state": chance.choice(("hit", "not_evaluated")), "values": {"place": None}}
            for rule, gate in chance.sample(RULES, 3)
        ]
        record = {
            "sequence": number,
            "decision_id": f"d-{number:032x}",
            "kind": "dispatch",
            "decided_at": at.isoformat(),
            "order_id": f"o-{number}",
            "actor": f"pd-{number % 40}",
            "action": "override" if override else "accept",
            "unit": chance.choice(units) if override else proposed,
            "reason": "职责不在建议的单位，按三定方案属于这个单位" if override else "",
            "snapshot": {"model": f"model-{number // 200_000}", "rules": "weifang@21a580f0"},
            "proposal": {
                "units": [{"unit": proposed, "probability": 0.8}],
                "abstained": chance.random() < 0.1,
                "verdicts": verdicts,
                "order": {"text": "小区门口的路灯坏了一个星期，晚上出门看不见路。" * 10},
            },
        }
        yield record, at


def generate(path: Path, size: int) -> None:
    """A database of such records, written past the triggers' caller: what is measured reads only."""
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    raw = engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.execute("PRAGMA synchronous=OFF")
    source = records(size)
    for _ in range(0, size, PART):
        decisions, facts, verdicts = [], [], []
        for (record, at), _ in zip(source, range(PART), strict=False):
            content = json.dumps(record, ensure_ascii=False).encode()
            ids = (record["sequence"], record["decision_id"], record["decision_id"], "h", record["order_id"], "p")
            decisions.append((*ids, record["action"], record["unit"], content, "r", at.isoformat(), "dispatch"))
            one, said = facts_of(record, at=at)
            facts.append(one)
            verdicts += said
        cursor.execute("BEGIN")
        cursor.executemany(
            "INSERT INTO decisions (sequence, decision_id, idempotency_key, request_hash, order_id, proposal_id, action,"
            f" unit, record, record_hash, created_at, kind) VALUES ({', '.join('?' * 12)})",
            decisions,
        )
        for table, rows in (("decision_facts", facts), ("decision_verdicts", verdicts)):
            names = list(rows[0])
            places = ", ".join(f":{name}" for name in names)
            cursor.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)
        cursor.execute("COMMIT")
    cursor.execute("ANALYZE")
    raw.close()
    engine.dispose()


def export(path: str, out: str, form: str) -> None:
    """In a process of its own; prints what it took. The peak is Linux's VmHWM: ``ru_maxrss`` would begin with the parent's."""
    engine = make_engine(f"sqlite:///{path}")
    started = time.perf_counter()
    size = write_file(stream(rows_of(engine, AuditFilter(), zone=ZONE, record=form == "records"), form), Path(out))
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1000
    print(json.dumps({"seconds": time.perf_counter() - started, "peak": peak, "bytes": size}))


def run() -> list[Row]:
    size = int(os.environ.get("ZHIPAI_BENCH_RECORDS", SIZE))
    with tempfile.TemporaryDirectory(prefix="zhipai-bench-") as folder:
        path = Path(folder) / "log.db"
        generate(path, size)
        rows = [_exported(path, form, size) for form in FORMATS]
        engine = make_engine(f"sqlite:///{path}")
        return [*rows, _searched(engine, size), _counted(engine, size)]


def _exported(path: Path, form: str, size: int) -> Row:
    out = path.with_name("out")
    code = f"from benchmarks.audit_export import export; export({str(path)!r}, {str(out)!r}, {form!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    told = json.loads(done.stdout)
    out.unlink()
    return Row(
        f"审计导出 {form}，{size:,} 条",
        f"进程峰值 {told['peak']:.0f} MB，每秒 {size / told['seconds']:,.0f} 条，{told['bytes'] / 1e6:,.0f} MB",
        f"{MEMORY} MB（100 万条）",
        told["peak"] < MEMORY if size >= SIZE else None,
    )


def _searched(engine, size: int) -> Row:  # type: ignore[no-untyped-def]
    chance = random.Random(1)
    times = []
    for number in range(PAGES):
        wanted = [
            AuditFilter(unit=f"某市第{chance.randrange(200)}局", override=True),
            AuditFilter(actor=f"pd-{chance.randrange(40)}", abstained=True),
            AuditFilter(rule=chance.choice(RULES)[0], state="hit"),
            AuditFilter(order_id=f"o-{chance.randrange(size)}"),
            AuditFilter(since=START + timedelta(days=3), until=START + timedelta(days=4)),
        ][number % 5]
        started = time.perf_counter()
        newest_first(engine, wanted, zone=ZONE)
        times.append(time.perf_counter() - started)
    return Row(
        f"审计查询一页（50 条），{size:,} 条里",
        f"p50 {1000 * percentile(times, 0.5):.1f} 毫秒，p95 {1000 * percentile(times, 0.95):.1f} 毫秒",
    )


def _counted(engine, size: int) -> Row:  # type: ignore[no-untyped-def]
    started = time.perf_counter()
    groups = decision_stats(engine, AuditFilter(), by=("unit", "week"))["groups"]
    return Row(f"审计统计，按单位和周，{size:,} 条", f"{time.perf_counter() - started:.1f} 秒，{len(groups):,} 组")


if __name__ == "__main__":
    for row in run():
        print(row.what, row.figure, row.goal, row.reached, sep=" | ")
