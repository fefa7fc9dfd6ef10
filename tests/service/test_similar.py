"""Repeats and bursts over HTTP and in files: what is shown, what is never shown, and that nothing is written."""

from __future__ import annotations

import csv
import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from intake.errors import ZhipaiError
from intake.mapping import Mapping
from intake.order import WorkOrder
from models.progress import silent
from service import clock
from service.api.app import create_app
from service.cases import Ask, submit
from service.cases_review import Review, review
from service.db.engine import make_engine
from service.decisions import DecisionRequest, decide
from service.filing import file_order
from service.orders import store_proposal
from service.settings import Settings
from service.similar import Window
from service.similar_file import bursts_in_file, compare_file
from service.similar_orders import callers
from service.snapshot import Snapshot
from service.triage import propose

PHONE = "13800001111"
NOW = clock.now()
KEY = b"k" * 32


@pytest.fixture
def store(config: Settings, snapshot: Snapshot):
    """Store orders as a triage would."""
    engine = make_engine(config.url)

    def stored(*orders: WorkOrder, at: datetime = NOW) -> None:
        for order in orders:
            proposal = propose(order, as_of=NOW, snapshot=snapshot)
            store_proposal(engine, order, proposal, at=at)

    return stored


@pytest.fixture
def window(config: Settings, snapshot: Snapshot) -> Window:
    return Window(make_engine(config.url), snapshot=lambda: snapshot, now=lambda: NOW, days=10, most=6)


def fill(window: Window) -> None:
    while window.catch_up():
        pass


@pytest.fixture
def running(config: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(config), raise_server_exceptions=False) as client:
        yield client


WATER = WorkOrder(text=f"锦绣家园从早上八点开始停水，什么时候能来水？电话{PHONE}", order_id="W1")
AGAIN = WorkOrder(text=f"锦绣家园从早上八点开始停水，什么时候能来水？再次来电，电话{PHONE}", order_id="W2")
NEIGHBOUR = WorkOrder(text="锦绣家园从早上八点开始停水，什么时候能来水，13900002222", order_id="W3")
LIGHT = WorkOrder(text="沿江路一整排路灯不亮", order_id="L1")


def test_the_same_caller_repeats_and_a_neighbour_is_linked(window: Window, store) -> None:
    store(WATER, AGAIN, NEIGHBOUR, LIGHT)
    fill(window)
    found = {one.order_id: one for one in window.similar_to("W1", least=0.5, most=10)}
    assert set(found) == {"W2", "W3"}
    assert (found["W2"].kind, found["W3"].kind) == ("duplicate", "same_matter")
    assert PHONE not in json.dumps([one.as_dict() for one in found.values()])


def test_a_unit_that_sent_the_matter_back_is_named(config: Settings, snapshot: Snapshot, window: Window) -> None:
    engine, told = make_engine(config.url), {"software": "test", "request_id": "r-1"}
    proposal = file_order(engine, WATER, snapshot=snapshot, actor="zx-1", at=NOW).proposal
    first, second = (one["unit"] for one in proposal.units[:2])
    request = DecisionRequest(proposal.proposal_id, "accept", first, "pd-1", "", uuid.uuid4().hex, "dispatcher")
    decide(engine, request, directory=lambda: snapshot.directory, at=clock.now(), **told)
    fill(window)
    asked = WorkOrder(text=AGAIN.text)
    assert window.similar(asked, least=0.5, most=10)[0].returned_by == ()
    rules, calendar = snapshot.rules, snapshot.calendar
    ask = Ask("W1", "return", "不属于本单位职责", "cb-1", uuid.uuid4().hex)
    case_id, _ = submit(engine, ask, rules, calendar, directory=snapshot.directory, at=clock.now())
    assert window.similar(asked, least=0.5, most=10)[0].returned_by == (), "nobody consented yet"
    said = Review(case_id, "accept", "确非其职责", "bz-1", "shift_lead", uuid.uuid4().hex)
    review(engine, said, rules=rules, calendar=calendar, at=clock.now(), **told)
    (found,) = window.similar(asked, least=0.5, most=10)
    assert (found.order_id, found.returned_by) == ("W1", (first,)) and second != first


def test_a_text_that_is_not_stored_is_compared(window: Window, store) -> None:
    store(WATER, LIGHT)
    fill(window)
    (found,) = window.similar(WorkOrder(text=WATER.text), least=0.5, most=10)
    assert (found.order_id, found.kind) == ("W1", "duplicate")
    assert window.similar(WorkOrder(text=WATER.text, order_id="W1"), least=0.5, most=10) == []
    with pytest.raises(ZhipaiError, match="E1001"):
        window.similar(WorkOrder(text=""), least=0.5, most=10)


def test_an_order_that_the_window_has_not_read_is_found_in_the_database(window: Window, store) -> None:
    store(WATER)
    fill(window)
    store(AGAIN)
    assert [one.order_id for one in window.similar_to("W2", least=0.5, most=10)] == ["W1"]
    with pytest.raises(ZhipaiError, match="E6311"):
        window.similar_to("W9", least=0.5, most=10)


def test_new_orders_are_read_and_old_ones_forgotten(config: Settings, snapshot: Snapshot, store) -> None:
    instant = [NOW]
    window = Window(make_engine(config.url), snapshot=lambda: snapshot, now=lambda: instant[0], days=10, most=6)
    store(WATER, at=NOW - timedelta(days=9))
    store(LIGHT, at=NOW)
    fill(window)
    assert len(window) == 2
    store(AGAIN, at=NOW)
    fill(window)
    assert len(window) == 3
    instant[0] = NOW + timedelta(days=2)
    fill(window)
    assert len(window) == 2
    assert [one.order_id for one in window.similar_to("W2", least=0.5, most=10)] == []


def test_no_more_orders_than_allowed_and_the_newest_stay(window: Window, store) -> None:
    for n in range(9):
        store(WorkOrder(text=f"第{n}盏路灯不亮", order_id=f"N{n}"), at=NOW - timedelta(minutes=10 - n))
    fill(window)
    assert len(window) == 6
    found = {one.order_id for one in window.similar(WorkOrder(text="路灯不亮"), least=0, most=20)}
    assert found == {f"N{n}" for n in range(3, 9)}


def test_a_number_is_kept_as_a_hash_that_means_nothing_elsewhere() -> None:
    (here,), (other,) = callers(WATER, KEY), callers(WATER, b"o" * 32)
    assert here != other
    assert PHONE not in here
    assert callers(WATER, KEY) == callers(AGAIN, KEY) != callers(NEIGHBOUR, KEY)
    assert callers(LIGHT, KEY) == frozenset()


def test_over_http_nothing_is_written_and_nobody_is_named(running: TestClient) -> None:
    for order in (WATER, AGAIN):
        assert running.post("/v1/triage", json={"text": order.text, "order_id": order.order_id}).status_code == 200
    answer = running.get("/v1/orders/W1/similar").json()
    assert [one["order_id"] for one in answer["similar"]] == ["W2"]
    asked = running.post("/v1/similar", json={"text": WATER.text, "order_id": "not-stored"})
    assert {one["order_id"] for one in asked.json()["similar"]} == {"W1", "W2"}
    assert PHONE not in asked.text
    assert running.get("/v1/orders/not-stored/similar").json()["code"] == "E6311"
    assert running.get("/v1/signals").json()["signals"] == []
    assert "zhipai_signals" in running.get("/metrics").text


def test_a_bad_question_gets_the_usual_shape(running: TestClient) -> None:
    assert running.post("/v1/similar", json={"text": ""}).json()["code"] == "E1001"
    assert running.post("/v1/similar", json={"words": "x"}).json()["code"] == "E6502"
    assert running.get("/v1/orders/W1/similar?least=2").json()["code"] == "E6502"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    start = datetime.fromisoformat("2026-05-01T00:00:00+08:00")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["编号", "内容", "时间", "单位"])
        for n in range(60):
            text = f"咨询第{n}种证件怎么办，我住在平安路{n}号"
            writer.writerow([f"U{n}", text, (start + timedelta(hours=n)).isoformat(), f"窗口{n % 5}"])
        for n, order in enumerate((WATER, AGAIN, NEIGHBOUR)):
            at = start + timedelta(hours=70, minutes=n)
            writer.writerow([order.order_id, order.text, at.isoformat(), "供水集团"])
        writer.writerow(["X", "", "", ""])
    return path


MAPPING = {"columns": {"text": "内容", "order_id": "编号", "received_at": "时间", "unit": "单位"}}


def test_the_pairs_of_a_file(table: Path, tmp_path: Path, snapshot: Snapshot) -> None:
    out = tmp_path / "pairs.csv"
    summary = compare_file(
        table, Mapping.from_dict(MAPPING), out, snapshot=snapshot, least=0.8, progress=silent
    )  # fmt: skip
    assert (summary.orders, summary.failed) == (63, 1)
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = {frozenset((row["工单1"], row["工单2"])): row["类别"] for row in rows}
    assert pairs[frozenset(("W1", "W2"))] == "重复（可由人并单）"
    assert pairs[frozenset(("W1", "W3"))] == "同一件事（只关联）"
    assert [row["概率"] for row in rows] == sorted((row["概率"] for row in rows), reverse=True)
    assert PHONE not in out.read_text(encoding="utf-8-sig")
    assert len(rows) == summary.duplicate + summary.same_matter


def test_a_file_without_times_has_no_bursts_to_tell(table: Path, snapshot: Snapshot) -> None:
    bursts, timed = bursts_in_file(table, Mapping.from_dict(MAPPING), snapshot=snapshot, progress=silent)
    assert (bursts, timed) == ([], 63)
    columns = {name: column for name, column in MAPPING["columns"].items() if name != "received_at"}
    with pytest.raises(ZhipaiError, match="E6313"):
        bursts_in_file(table, Mapping.from_dict({"columns": columns}), snapshot=snapshot, progress=silent)
