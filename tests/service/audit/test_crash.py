"""``kill -9`` between any two statements of a decision: its parts agree, and nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from intake.order import WorkOrder
from service import clock
from service.db.engine import reading
from service.orders import store_proposal, with_order_id
from service.snapshot import Snapshot
from service.triage import propose
from tests.service.audit.conftest import Log

WORKER = Path(__file__).with_name("crash_worker.py")
#: What one decision writes besides its record, and the column that names the record.
PARTS = {"routings": "decision_id", "outbox": "decision_id", "log_tree": "sequence"}


def work(jobs: Path, root: Path) -> list[dict]:
    done = subprocess.run(
        [sys.executable, str(WORKER), str(jobs)], cwd=root, env={"PYTHONPATH": str(root), "PATH": ""},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("times", [25, pytest.param(200, marks=pytest.mark.slow)])
def test_a_killed_decision_is_whole_or_was_not_made(
    make_log: Callable[..., Log], snapshot: Snapshot, tmp_path: Path, root: Path, times: int
) -> None:
    log = make_log()
    requests = []
    proposed = propose(WorkOrder(text="翠湖路上的井盖丢了一个。"), as_of=clock.now(), snapshot=snapshot)
    unit = proposed.units[0]["unit"]
    for number in range(times):
        order = with_order_id(WorkOrder(text=f"翠湖路 {number} 号门前的井盖丢了一个。"))
        proposal = propose(order, as_of=clock.now(), snapshot=snapshot)
        store_proposal(log.engine, order, proposal, at=clock.now())
        requests.append({"proposal_id": proposal.proposal_id, "action": "override", "unit": unit, "actor": "pd-1",
                         "reason": "按职责清单", "idempotency_key": f"crash-{number}"})  # fmt: skip
    directory = tmp_path / "units.json"
    directory.write_text(json.dumps([{"name": unit}], ensure_ascii=False), encoding="utf-8")
    jobs = tmp_path / "jobs.json"
    document = {
        "url": log.settings.url,
        "directory": str(directory),
        "at": clock.now().isoformat(),
        "requests": requests,
    }
    jobs.write_text(json.dumps(document | {"kill": True}), encoding="utf-8")
    log.engine.dispose()

    lines = work(jobs, root)
    killed = [line for line in lines if line["killed"]]
    assert len(killed) >= times - 1 - times // lines[0]["points"]
    assert {line["point"] for line in lines} >= set(range(min(times - 1, lines[0]["points"])))
    acknowledged = {line["acknowledged"] for line in lines if "acknowledged" in line}
    committed = whole(log)
    assert acknowledged <= committed

    jobs.write_text(json.dumps(document | {"kill": False}), encoding="utf-8")
    again = {line["acknowledged"] for line in work(jobs, root)}
    assert len(again) == times, "同一个键重发：没有记过的记一次，记过的不再记"
    assert whole(log) == again >= committed


def whole(log: Log) -> set[str]:
    """The decisions that there are, each with all its parts, and no part without its decision."""
    assert log.verify(with_folder=False).whole
    with reading(log.engine) as connection:
        for table, key in PARTS.items():
            where = "" if key == "sequence" else " WHERE kind = 'dispatch'"
            records = connection.execute(text(f"SELECT {key} FROM decisions{where}")).scalars().all()
            parts = connection.execute(text(f"SELECT {key} FROM {table}")).scalars().all()
            assert sorted(parts) == sorted(records), table
        found = set(connection.execute(text("SELECT decision_id FROM decisions WHERE kind = 'dispatch'")).scalars())
    log.engine.dispose()
    return found
