"""``zhipai orders import``: streams, tells row by row, and can be run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from intake.mapping import Mapping
from models.progress import silent
from service import order_queue
from service.access import Scope
from service.db.engine import reading
from service.filing import import_orders
from service.order_queue import QueueFilter
from service.snapshot import Snapshot
from tests.service.pages.conftest import NOW, SMOKE

COLUMNS = Mapping.guess(["工单编号", "诉求内容", "区"])


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "orders.jsonl"
    rows = [{"工单编号": f"I-{number}", "诉求内容": f"{SMOKE}，第{number}户", "区": "临江区"} for number in range(70)]
    rows += [{"工单编号": "", "诉求内容": SMOKE, "区": ""}, {"工单编号": "I-bad", "诉求内容": "！！", "区": ""}]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def test_rows_are_filed_and_the_bad_ones_named_by_place(engine: Engine, snapshot: Snapshot, sheet: Path) -> None:
    def run():
        return import_orders(
            sheet, engine, columns=COLUMNS, sheet=None, snapshot=snapshot, actor="import", at=NOW, progress=silent
        )

    first = run()
    assert (first.rows, first.filed, first.repeated, first.failed) == (72, 70, 0, 2)
    assert "E7957" in first.problems[0] and "71" in first.problems[0]
    assert "E1003" in first.problems[1] and SMOKE[:6] not in "".join(first.problems)
    again = run()
    assert (again.filed, again.repeated, again.failed) == (0, 70, 2)
    with reading(engine) as connection:
        assert order_queue.counts(connection, scope=Scope.everything())["all"] == 70
        page = order_queue.read_page(connection, QueueFilter(), scope=Scope.everything())
        assert [event["actor"] for event in order_queue.events_of(connection, page[0].order_id)] == ["import"]
