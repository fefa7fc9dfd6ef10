"""The shadow pack never alters or delays a proposal, and what goes wrong with it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from intake.order import WorkOrder
from service import clock, shadow
from service.api.app import create_app
from service.metrics import render
from service.proposal import Proposal
from service.settings import Settings
from service.shadow import Shadow, read_summary
from service.snapshot import Snapshot
from service.triage import propose

TEXT = "窗口工作人员态度恶劣，办事推诿，要求道歉。"


@pytest.fixture(scope="module")
def order() -> WorkOrder:
    return WorkOrder(text=TEXT, order_id="SH-1")


@pytest.fixture(scope="module")
def proposal(order: WorkOrder, snapshot: Snapshot) -> Proposal:
    return propose(order, as_of=clock.now(), snapshot=snapshot)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def quick(installed: Settings, home: Path) -> Settings:
    return installed.model_copy(update={"home": home, "shadow_pack": "jinan"})


def counter(name: str) -> float:
    lines = [line for line in render().decode().splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def test_counts_with_ids_of_proposals_and_no_text(
    quick: Settings, home: Path, order: WorkOrder, proposal: Proposal, snapshot: Snapshot
) -> None:
    before = counter('zhipai_shadow_differences_total{clause="jinan-12345-2018#14.4"')
    running = Shadow(quick)
    running.start()
    for _ in range(3):
        running.offer(order, proposal, snapshot)
    running.close()
    (row,) = read_summary(home)
    assert (row["live"], row["compared"], row["differing"]) == (proposal.snapshot.rules, 3, 3)
    (rule,) = [one for one in row["rules"] if one["rule"] == "JN-ACC-001"]
    assert (rule["live"], rule["shadow"], rule["orders"]) == ("pass", "hit", 3)
    assert rule["proposals"] == [proposal.proposal_id] * 3
    written = "".join(path.read_text(encoding="utf-8") for path in (home / "shadow").iterdir())
    assert "态度恶劣" not in written
    assert counter('zhipai_shadow_differences_total{clause="jinan-12345-2018#14.4"') == before + 3


def test_a_full_queue_drops_and_counts(
    quick: Settings, order: WorkOrder, proposal: Proposal, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, free = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> tuple[()]:
        busy.set()
        free.wait(timeout=30)
        return ()

    monkeypatch.setattr(shadow, "compare", slow)
    running = Shadow(quick, waiting=1)
    running.start()
    running.offer(order, proposal, snapshot)
    assert busy.wait(timeout=30)
    for _ in range(3):
        running.offer(order, proposal, snapshot)
    free.set()
    (row,) = running.summary()["comparisons"]
    assert row["dropped"] == 2
    running.close()
    assert read_summary(quick.home)[0]["compared"] == 2


def test_a_failure_is_counted_and_told_and_the_next_order_is_compared(
    quick: Settings, order: WorkOrder, proposal: Proposal, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = shadow.compare, []

    def once(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError(TEXT)
        return real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(shadow, "compare", once)
    failures = counter('zhipai_shadow_failures_total{kind="compare"}')
    running = Shadow(quick)
    running.start()
    running.offer(order, proposal, snapshot)
    running.offer(order, proposal, snapshot)
    running.close()
    (row,) = read_summary(quick.home)
    assert (row["failed"], row["compared"]) == (1, 1)
    assert counter('zhipai_shadow_failures_total{kind="compare"}') == failures + 1
    assert running.says().startswith("提醒：") and "ValueError" in running.says() and "态度" not in running.says()


def test_files_of_several_processes_are_summed_and_a_broken_one_is_passed_over(home: Path) -> None:
    folder = home / "shadow"
    folder.mkdir(parents=True)
    row = {"live": "a@1", "shadow": "b@1", "first": "", "last": "", "compared": 2, "differing": 0, "dropped": 1}
    for name in ("1.json", "2.json"):
        (folder / name).write_text(json.dumps([row]), encoding="utf-8")
    (folder / "3.json").write_text("[{", encoding="utf-8")
    assert [(one["compared"], one["dropped"]) for one in read_summary(home)] == [(4, 2)]


@pytest.fixture
def served(config: Settings) -> Iterator[TestClient]:
    # Patient: what its threads write at the start of a service is in the way for longer on a busy machine.
    with TestClient(create_app(config.model_copy(update={"shadow_pack": "jinan", "busy_seconds": 30}))) as client:
        yield client


def test_service_proposes_the_same_and_shows_the_difference(served: TestClient, client: TestClient) -> None:
    body = {"text": TEXT, "order_id": "SH-2", "as_of": clock.now().isoformat()}
    assert served.post("/v1/triage", json=body).json() == client.post("/v1/triage", json=body).json()
    assert served.get("/readyz").json()["checks"]["shadow"].startswith("ok")
    assert "shadow" not in client.get("/readyz").json()["checks"]
    served.app.state.runtime.shadow.close()  # type: ignore[attr-defined]
    found = served.get("/v1/rules/shadow").json()
    assert found["shadow"].startswith("jinan@") and found["comparisons"][0]["compared"] == 1
    assert client.get("/v1/rules/shadow").json() == {"shadow": "", "problem": "", "comparisons": []}


def test_a_shadow_that_cannot_be_loaded_does_not_keep_the_service_from_serving(config: Settings) -> None:
    broken = config.model_copy(update={"shadow_pack": "no-such-pack", "busy_seconds": 30})
    with TestClient(create_app(broken)) as client:
        assert client.post("/v1/triage", json={"text": TEXT}).status_code == 200
        answer = client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["checks"]["shadow"].startswith("提醒：影子规则包“no-such-pack”没有装入")
        assert "E3014" in client.get("/v1/rules/shadow").json()["problem"]
