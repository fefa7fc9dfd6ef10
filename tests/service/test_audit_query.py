"""The log is found by every filter, page by page, from narrow rows that agree with the records."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from intake.errors import ZhipaiError
from service.audit_facts import catch_up, facts_of, microseconds
from service.audit_facts_check import differing
from service.audit_query import AuditFilter, count_of, newest_first, rows_of
from service.cli.main import app
from service.db.append_only import writable
from service.db.engine import make_engine
from service.db.migrate import upgrade
from tests.service.logged import START, dispatch, later, other

ZONE = "Asia/Shanghai"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Four dispatches, a publication and a case."""
    made = make_engine(f"sqlite:///{tmp_path_factory.mktemp('log') / 'log.db'}")
    upgrade(made)
    dispatch(made, order_id="o-1", verdicts=[("R-1", "acceptance", "hit"), ("R-2", "dispatch", "not_evaluated")])
    dispatch(made, order_id="o-2", unit="排水公司", reason="井盖属于排水公司", actor="pd-2", at=later(1))
    dispatch(made, order_id="o-3", abstained=True, model="model-b", at=later(2), verdicts=[("R-2", "dispatch", "hit")])
    dispatch(made, order_id="o-1", unit="水务局", proposed="", at=later(3), verdicts=[("R-1", "acceptance", "pass")])
    other(made, "rule_publication", at=later(4), pack="某镇")
    other(made, "case", at=later(5), case_kind="return", outcome="accepted", unit="水务局", order_id="o-1",
          ruling={"verdicts": [{"rule_id": "R-9", "gate": "return", "state": "hit"}]})  # fmt: skip
    return made


def found(engine: Engine, **wanted: object) -> list[int]:
    rows, following = newest_first(engine, AuditFilter(**wanted), zone=ZONE)
    assert following is None
    assert [row["sequence"] for row in rows_of(engine, AuditFilter(**wanted), zone=ZONE)] == [
        row["sequence"] for row in reversed(rows)
    ]
    assert count_of(engine, AuditFilter(**wanted)) == len(rows)
    return [row["sequence"] for row in rows]


@pytest.mark.parametrize(
    ("wanted", "sequences"),
    [
        ({}, [6, 5, 4, 3, 2, 1]),
        ({"since": later(1), "until": later(3)}, [3, 2]),
        ({"kind": "case"}, [6]),
        ({"unit": "水务局"}, [6, 4]),
        ({"actor": "pd-2"}, [2]),
        ({"order_id": "o-1"}, [6, 4, 1]),
        ({"model": "model-b"}, [3]),
        ({"override": True}, [4, 2]),
        ({"override": False}, [3, 1]),
        ({"abstained": True}, [3]),
        ({"abstained": False}, [4, 2, 1]),
        ({"rule": "R-2"}, [3, 1]),
        ({"rule": "R-2", "state": "hit"}, [3]),
        ({"rule": "R-2", "state": "hit", "gate": "acceptance"}, []),
        ({"gate": "acceptance"}, [4, 1]),
        ({"gate": "acceptance", "state": "hit"}, [1]),
        ({"state": "hit"}, [6, 3, 1]),
        ({"gate": "return", "unit": "水务局"}, [6]),
        ({"actor": "' OR 1=1 --"}, []),
    ],
    ids=str,
)
def test_filters_hold_together(engine: Engine, wanted: dict, sequences: list[int]) -> None:
    assert found(engine, **wanted) == sequences


@pytest.mark.parametrize("wanted", [{}, {"rule": "R-2"}, {"order_id": "o-1"}], ids=str)
def test_pages_put_together_are_the_whole(engine: Engine, wanted: dict) -> None:
    pages, before = [], None
    while True:
        rows, before = newest_first(engine, AuditFilter(**wanted), before=before, limit=1, zone=ZONE)
        pages += [row["sequence"] for row in rows]
        if before is None:
            break
    assert pages == found(engine, **wanted)


def test_row_says_what_the_record_says(engine: Engine) -> None:
    (row,) = newest_first(engine, AuditFilter(actor="pd-2"), zone=ZONE)[0]
    assert (row["reason"], row["unit"], row["proposed"], row["action"]) == (
        "井盖属于排水公司", "排水公司", "城市管理局", "override")  # fmt: skip
    assert row["at"] == "2026-05-04T10:00:00+08:00"
    (first,) = newest_first(engine, AuditFilter(order_id="o-1", override=False), zone=ZONE)[0]
    assert (first["hits"], first["model"], first["rules"]) == (["R-1"], "model-a", "town@1")


def test_rows_added_while_one_reads_are_left_out(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'log.db'}")
    upgrade(engine)
    dispatch(engine)
    rows = rows_of(engine, AuditFilter(), zone=ZONE)
    first = next(rows)
    dispatch(engine)
    assert [first["sequence"], *(row["sequence"] for row in rows)] == [1]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"since": later(2), "until": later(2)}, "E7900"),
        ({"since": datetime(2026, 5, 1)}, "E7901"),
        ({"state": "maybe"}, "E7902"),
    ],
)
def test_condition_that_cannot_be_meant(wanted: dict, code: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        AuditFilter(**wanted)
    assert caught.value.code == code


@pytest.mark.parametrize("table", ["decision_facts", "decision_verdicts"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET sequence = 9", "DELETE FROM {}"])
def test_narrow_rows_are_append_only_too(engine: Engine, table: str, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement.format(table)))


def test_rows_that_were_changed_in_the_file_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed
) -> None:
    made = make_engine(f"sqlite:///{tmp_path / 'log.db'}")
    upgrade(made)
    for _ in range(4):
        dispatch(made, verdicts=[("R-1", "acceptance", "hit")])
    own = installed.model_copy(update={"database_url": str(made.url)})
    monkeypatch.setattr("service.cli.audit_query.settings", lambda: own)
    run = CliRunner()
    assert "一致" in run.invoke(app, ["audit", "check-rows"]).stdout
    with made.begin() as connection:
        writable(connection, "decision_facts")
        writable(connection, "decision_verdicts")
        connection.execute(text("UPDATE decision_facts SET unit = '别的局' WHERE sequence = 1"))
        connection.execute(text("UPDATE decision_verdicts SET state = 'pass' WHERE sequence = 2"))
        connection.execute(text("DELETE FROM decision_facts WHERE sequence = 3"))
    found = [(row["sequence"], row["differs"]) for row in differing(made)]
    assert found == [(1, ["unit"]), (2, ["verdicts"]), (3, ["没有这一行"])]
    told = run.invoke(app, ["audit", "check-rows"])
    assert isinstance(told.exception, ZhipaiError) and told.exception.exit_code == 4
    with pytest.raises(ZhipaiError, match="E7907"), made.begin() as connection:
        connection.execute(text("DELETE FROM decision_facts WHERE sequence = 4"))
        connection.commit()
        count_of(made, AuditFilter())
    assert "序号 1" in told.stdout and "别的局" not in told.stdout


def test_record_of_an_unknown_shape_is_taken_as_it_is() -> None:
    record = {"sequence": 1, "decision_id": "d", "kind": "odd", "proposal": ["x"], "verdicts": "no", "actor": {"a": 1}}
    row, verdicts = facts_of(record, at=START)
    assert (row["actor"], row["abstained"], row["order_id"], verdicts) == ("", None, None, [])
    assert row["week"] == "2026-05-04"


def test_microseconds_are_exact() -> None:
    assert microseconds(datetime(2026, 5, 4, 1, 2, 3, 999_999, tzinfo=UTC)) == 1777856523999999


def test_rows_of_records_from_before_are_caught_up(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'used.db'}")
    upgrade(engine, "0006")
    proposal = {"units": [{"unit": "甲局"}], "abstained": True, "verdicts": [
        {"rule_id": "R-1", "gate": "dispatch", "state": "hit"}]}  # fmt: skip
    record = {"actor": "pd-1", "proposal": proposal, "snapshot": {"model": "m", "rules": "r"}}
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO work_orders (order_id, original, created_at) VALUES ('o', '{}', '')",
            "INSERT INTO proposals (proposal_id, order_id, as_of, proposal, created_at) VALUES ('p', 'o', '', '{}', '')",
        ):
            connection.execute(text(statement))
        connection.execute(
            text(
                "INSERT INTO decisions (sequence, decision_id, idempotency_key, request_hash, order_id, proposal_id, action,"
                " unit, record, record_hash, created_at, kind) VALUES (1, 'd-1', 'k', 'h', 'o', 'p', 'override', '乙局',"
                " :record, 'r', '2026-05-04T09:00:00+08:00', 'dispatch')"
            ),
            {"record": json.dumps(record).encode()},
        )
    upgrade(engine)
    (row,) = newest_first(engine, AuditFilter(rule="R-1", state="hit"), zone=ZONE)[0]
    assert (row["unit"], row["proposed"], row["abstained"], row["model"]) == ("乙局", "甲局", True, "m")
    assert row["at"] == "2026-05-04T09:00:00+08:00"


def test_a_decision_of_the_service_is_found_by_what_it_held(client: TestClient) -> None:
    """Over HTTP, with a real proposal: what the narrow rows say is what the record says."""
    proposal = client.post("/v1/triage", json={"text": "翠湖路上的井盖丢了一个，晚上看不见。"}).json()
    body = {"proposal_id": proposal["proposal_id"], "action": "override", "unit": proposal["units"][1]["unit"],
            "actor": "pd-审计", "reason": "属于排水公司"}  # fmt: skip
    record = client.post("/v1/decisions", json=body, headers={"Idempotency-Key": "audit-query-1"}).json()
    answer = client.get("/v1/audit/decisions", params={"actor": "pd-审计", "override": True}).json()
    (row,) = answer["decisions"]
    assert answer["next"] is None
    assert row["decision_id"] == record["decision_id"]
    assert (row["proposed"], row["abstained"]) == (proposal["units"][0]["unit"], proposal["abstained"])
    assert (row["model"], row["rules"]) == (proposal["snapshot"]["model"], proposal["snapshot"]["rules"])
    assert row["hits"] == sorted(one["rule_id"] for one in proposal["verdicts"] if one["state"] == "hit")
    assert "record" not in row


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"since": "2026-05-01T00:00:00"}, "E6502"),
        ({"state": "maybe"}, "E7902"),
        ({"since": "2026-05-02T00:00:00Z", "until": "2026-05-01T00:00:00Z"}, "E7900"),
        ({"limit": 0}, "E6502"),
    ],
)
def test_bad_condition_over_http_is_one_problem(client: TestClient, params: dict, code: str) -> None:
    answer = client.get("/v1/audit/decisions", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_commands_show_the_same(config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.audit_query.settings", lambda: config)
    engine = make_engine(config.url)
    record = dispatch(engine, actor="pd-命令", unit="水务局", reason="职责在水务局")
    run = CliRunner()
    listed = json.loads(run.invoke(app, ["audit", "list", "--actor", "pd-命令", "--override", "--json"]).stdout)
    assert [row["decision_id"] for row in listed["decisions"]] == [record["decision_id"]]
    shown = run.invoke(app, ["audit", "show", record["decision_id"], "--json"])
    assert json.loads(shown.stdout) == record
    table = run.invoke(app, ["audit", "list", "--actor", "pd-命令"], env={"COLUMNS": "200"})
    assert "水务局" in table.stdout and record["decision_id"] in table.stdout


def test_several_processes_catch_up_at_once(tmp_path: Path) -> None:
    made = make_engine(f"sqlite:///{tmp_path / 'log.db'}")
    upgrade(made)
    for _ in range(250):
        other(made, "rule_publication")
    together = threading.Barrier(4)

    def work() -> int:
        own = make_engine(f"sqlite:///{tmp_path / 'log.db'}")
        together.wait()
        return catch_up(own)

    with ThreadPoolExecutor(4) as pool:
        done = [one.result() for one in [pool.submit(work) for _ in range(4)]]
    assert sum(done) == 250
    assert list(differing(made)) == []
