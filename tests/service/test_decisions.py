"""A decision, its routing and its event are written together or not at all, once per key, and never changed."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import rfc8785
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from intake.errors import ZhipaiError
from intake.order import WorkOrder
from service import clock
from service.db import engine as engine_module
from service.db.engine import make_engine
from service.decisions import DecisionRequest, decide, read_decision
from service.log import append_drafts
from service.orders import store_proposal, with_order_id
from service.privacy.fields import proposal_fields, without
from service.settings import Settings
from service.snapshot import Snapshot
from service.triage import propose

TEXT = "翠湖路上的井盖丢了一个，晚上看不见，电动车差点栽进去。"


@pytest.fixture
def proposal(client: TestClient) -> dict:
    return client.post("/v1/triage", json={"text": TEXT}).json()


@pytest.fixture
def decide_over_http(client: TestClient) -> Callable[..., Response]:
    def call(proposal: dict, *, key: str = "", **changes: object) -> Response:
        body = {
            "proposal_id": proposal["proposal_id"],
            "action": "accept",
            "unit": proposal["units"][0]["unit"],
            "actor": "pd-017",
        } | changes
        return client.post("/v1/decisions", json=body, headers={"Idempotency-Key": key or uuid.uuid4().hex})

    return call


def test_decision_accepted_is_logged_and_can_be_read(client, proposal, decide_over_http) -> None:
    answer = decide_over_http(proposal)
    assert answer.status_code == 201
    record = answer.json()
    assert record["unit"] == proposal["units"][0]["unit"]
    assert record["snapshot"] == proposal["snapshot"]
    assert record["masked_paths"] == proposal["order"]["masked_paths"]
    assert record["context"]["software"].startswith("zhipai ")
    withheld = record["proposal"].pop("withheld")
    assert "/order/text" in withheld["paths"] and record["proposal"]["order"]["text"] == ""
    assert record["proposal"] == without(proposal, proposal_fields(proposal)), "其余与给派单员看的一致"
    record["proposal"]["withheld"] = withheld
    assert client.get(f"/v1/decisions/{record['decision_id']}").json() == record


def test_decision_repeated_with_its_key_is_recorded_once(client, proposal, decide_over_http) -> None:
    key = uuid.uuid4().hex
    first, second = decide_over_http(proposal, key=key), decide_over_http(proposal, key=key)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    other = decide_over_http(proposal, key=key, actor="pd-018")
    assert (other.status_code, other.json()["code"]) == (409, "E6403")


def test_override_needs_a_reason(proposal, decide_over_http) -> None:
    second = proposal["units"][1]["unit"]
    refused = decide_over_http(proposal, action="override", unit=second)
    assert (refused.status_code, refused.json()["code"]) == (422, "E6401")
    done = decide_over_http(proposal, action="override", unit=second, reason="井盖属于排水公司，联系13912345678")
    assert done.status_code == 201
    assert "13912345678" not in done.text, "理由里的个人信息也要脱敏"


def test_no_hash_in_the_database_lets_a_telephone_number_be_found_by_trial() -> None:
    """The request hash has no salt; so it may not depend on what is masked."""
    said = [DecisionRequest("p-1", "override", "甲局", "pd-1", f"联系1391234567{n}", "key") for n in range(2)]
    assert said[0].digest() == said[1].digest()
    assert said[0].digest() != DecisionRequest("p-1", "override", "甲局", "pd-1", "另一个理由", "key").digest()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"unit": "火星城市管理局", "action": "override", "reason": "试试看"}, 422, "E1101"),
        ({"unit": "火星城市管理局"}, 422, "E6402"),
        ({"proposal_id": "p-没有"}, 404, "E6301"),
        ({"action": "refuse"}, 422, "E6502"),
        ({"actor": ""}, 422, "E6502"),
    ],
)
def test_decision_that_does_not_fit_is_refused(client, proposal, decide_over_http, changes, status, code) -> None:
    answer = decide_over_http(proposal, **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_unit_that_was_merged_names_its_successor(client, proposal, decide_over_http, snapshot: Snapshot) -> None:
    gone = next(unit for unit in snapshot.directory.units if unit.effective_to and unit.successor)
    answer = decide_over_http(proposal, action="override", unit=gone.name, reason="按老名称派")
    assert answer.json()["code"] == "E1101"
    assert gone.successor in answer.json()["detail"] or "并入" in answer.json()["detail"]


def test_unknown_decision_is_404(client: TestClient) -> None:
    answer = client.get("/v1/decisions/d-none")
    assert (answer.status_code, answer.json()["code"]) == (404, "E6404")


@pytest.fixture
def stored(config: Settings, snapshot: Snapshot):
    """A database of one's own with one proposal in it."""
    engine = make_engine(config.url, busy_seconds=0.2)
    order = with_order_id(WorkOrder(text=TEXT))
    proposal = propose(order, as_of=clock.now(), snapshot=snapshot)
    store_proposal(engine, order, proposal, at=clock.now())
    request = DecisionRequest(proposal.proposal_id, "accept", proposal.units[0]["unit"], "pd-1", "", uuid.uuid4().hex)

    def run(engine=engine, *, key: str = "", at=None):
        asked = replace(request, idempotency_key=key) if key else request
        return decide(
            engine, asked, directory=lambda: snapshot.directory, software="test", request_id="r", at=at or clock.now()
        )

    return engine, run


def counts(engine) -> tuple[int, int, int]:
    with engine.connect() as connection:
        return tuple(
            connection.execute(text(f"select count(*) from {table}")).scalar_one()
            # An installed database already holds the record that put its model in force, one that served holds reminders.
            for table in (
                "decisions where kind = 'dispatch'",
                "routings",
                "outbox where decision_id in (select decision_id from decisions where kind = 'dispatch')",
            )
        )


def test_routing_record_and_event_commit_together(stored) -> None:
    engine, run = stored
    run()
    assert counts(engine) == (1, 1, 1)


def test_record_is_canonical_json(stored) -> None:
    _, run = stored
    content = run().content
    assert rfc8785.dumps(json.loads(content)) == content


def test_failure_before_commit_leaves_nothing(stored, monkeypatch) -> None:
    engine, run = stored

    def full_disk(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.decisions._event", full_disk)
    with pytest.raises(OSError):
        run()
    assert counts(engine) == (0, 0, 0)
    monkeypatch.undo()
    run()
    assert counts(engine) == (1, 1, 1)


@pytest.mark.parametrize("table", ["decisions", "proposals"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET created_at = ''", "DELETE FROM {}"])
def test_log_cannot_be_changed_in_the_database(stored, table: str, statement: str) -> None:
    engine, run = stored
    recorded = run()
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement.format(table)))
    assert read_decision(engine, recorded.record["decision_id"]) == recorded.content


def test_locked_database_says_so_and_writes_nothing(config: Settings, stored) -> None:
    engine, run = stored
    other = sqlite3.connect(config.sqlite_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ZhipaiError) as caught:
        run()
    other.execute("ROLLBACK")
    assert caught.value.code == "E6001"
    assert counts(engine) == (0, 0, 0)


def test_read_only_database_says_so(config: Settings, stored) -> None:
    _, run = stored
    read_only = engine_module.make_engine(f"sqlite:///file:{config.sqlite_path}?mode=ro&uri=true")
    with pytest.raises(ZhipaiError) as caught:
        run(read_only)
    assert caught.value.code == "E6002"


def test_sequence_has_no_gap_with_two_writers(config: Settings, snapshot: Snapshot) -> None:
    import threading

    engine = make_engine(config.url)
    problems: list[Exception] = []

    def work(name: str) -> None:
        try:
            for _ in range(15):
                order = with_order_id(WorkOrder(text=TEXT))
                proposal = propose(order, as_of=clock.now(), snapshot=snapshot)
                store_proposal(engine, order, proposal, at=clock.now())
                request = DecisionRequest(
                    proposal.proposal_id, "accept", proposal.units[0]["unit"], name, "", uuid.uuid4().hex
                )
                decide(
                    engine, request, directory=lambda: snapshot.directory, software="t", request_id="r", at=clock.now()
                )
        except Exception as error:  # noqa: BLE001 - reported below, in the main thread
            problems.append(error)

    threads = [threading.Thread(target=work, args=(f"pd-{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    with engine.connect() as connection:
        sequence = [row[0] for row in connection.execute(text("select sequence from decisions order by sequence"))]
    assert sequence == list(range(1, len(sequence) + 1))
    assert counts(engine)[0] == 30


def test_full_disk_says_so_and_writes_nothing(stored) -> None:
    """The database may not grow by a page more."""
    engine, run = stored

    @event.listens_for(engine, "connect")
    def _no_more(connection, _record) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    engine.dispose()
    with pytest.raises(ZhipaiError) as caught:
        for _ in range(200):
            run_again(run)
    assert caught.value.code == "E6003"
    whole = counts(engine)
    assert whole[0] == whole[1] == whole[2]
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def run_again(run) -> None:
    """The same decision under another key: an order may be decided again."""
    run(key=uuid.uuid4().hex)


def test_connection_cut_in_the_middle_leaves_nothing(stored, monkeypatch) -> None:
    """The connection goes between the record and the routing, as when a server goes away."""
    engine, run = stored

    def append_and_cut(connection, *arguments):
        contents = append_drafts(connection, *arguments)
        connection.connection.dbapi_connection.close()
        return contents

    monkeypatch.setattr("service.decisions.append_drafts", append_and_cut)
    with pytest.raises(ZhipaiError) as caught:
        run()
    assert caught.value.code == "E6011"
    monkeypatch.undo()
    engine.dispose()
    assert counts(engine) == (0, 0, 0)
    run()
    assert counts(engine) == (1, 1, 1)


def test_clock_that_steps_back_does_not_change_the_order(config: Settings, stored) -> None:
    engine, run = stored
    later = clock.now()
    first = run(at=later, key=uuid.uuid4().hex).record
    second = run(at=later - timedelta(hours=1), key=uuid.uuid4().hex).record
    assert second["sequence"] == first["sequence"] + 1
    assert second["decided_at"] < first["decided_at"], "记下的是时钟说的，先后看顺序号"
    assert read_decision(engine, second["decision_id"]) != read_decision(engine, first["decision_id"])
