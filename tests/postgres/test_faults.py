"""What goes wrong with a server, as the service tells it: one sentence, nothing half, and it goes on afterwards."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import Connection, Engine, text

from intake.errors import ZhipaiError
from intake.unit import Unit, UnitDirectory
from service.api.app import create_app
from service.db.engine import WRITE_LOCK, make_engine, reading, writing
from service.decisions import DecisionRequest, decide
from service.log import append_record
from service.settings import Settings, load_settings
from tests.postgres.carry import address_of
from tests.postgres.conftest import AT, UNIT, Log
from tests.postgres.server import server_folder, server_url


def append(connection: Connection) -> None:
    append_record(connection, kind="test", body={}, key=uuid.uuid4().hex, digest="h", at=AT)


def count(log: Log) -> int:
    with reading(log.engine) as connection:
        return connection.execute(text("SELECT count(*) FROM decisions")).scalar_one()


def server(root: Path, action: str) -> None:
    """Switch the server off or on."""
    done = subprocess.run(["sh", str(root / "tools/postgres.sh"), action, str(server_folder())], capture_output=True)
    assert done.returncode == 0, done.stderr


def cut(connection: Connection, log: Log) -> None:
    """What an administrator or a broken network does to one connection."""
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with log.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def test_a_connection_cut_in_the_middle_leaves_nothing(log: Log) -> None:
    with pytest.raises(ZhipaiError) as caught, writing(log.engine) as connection:
        append(connection)
        cut(connection, log)
        connection.commit()
    assert caught.value.code == "E6011"
    assert count(log) == 0
    with writing(log.engine) as connection:
        append(connection)
        connection.commit()
    assert count(log) == 1


@pytest.mark.parametrize(
    ("state", "code"),
    [("53100", "E6003"), ("53300", "E6001"), ("40001", "E6001"), ("40P01", "E6001"), ("55P03", "E6001"),
     ("57014", "E6001"), ("57P01", "E6011"), ("08006", "E6011"), ("25006", "E6002"), ("42501", "E6010"),
     ("XX001", "E6004")],
)  # fmt: skip
def test_each_state_of_the_server_has_its_sentence(log: Log, state: str, code: str) -> None:
    with pytest.raises(ZhipaiError) as caught, writing(log.engine) as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$"))
    assert caught.value.code == code


def test_whoever_waits_too_long_for_the_log_is_told(log: Log) -> None:
    impatient = make_engine(log.url, busy_seconds=0.2)
    with log.engine.connect() as holder:
        holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": WRITE_LOCK})
        with pytest.raises(ZhipaiError) as caught, writing(impatient) as connection:
            append(connection)
        assert caught.value.code == "E6001"
        holder.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": WRITE_LOCK})
    assert count(log) == 0


def test_reading_is_of_one_moment(log: Log) -> None:
    with reading(log.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM decisions")).scalar_one() == 0
        with writing(log.engine) as other:
            append(other)
            other.commit()
        assert connection.execute(text("SELECT count(*) FROM decisions")).scalar_one() == 0
    assert count(log) == 1


def test_a_key_that_another_wrote_in_between_stands_for_the_same_decision(log: Log, monkeypatch) -> None:
    """The first asks, the second, another process, writes, the first writes."""
    request = DecisionRequest(**log.proposals(1)[0])
    directory = UnitDirectory([Unit(name=UNIT)])
    quick: list[str] = []

    def run(engine: Engine, units: Callable[[], UnitDirectory]) -> str:
        done = decide(engine, request, directory=units, software="t", request_id="r", at=AT)
        return done.record["decision_id"]

    def between() -> UnitDirectory:
        quick.append(run(make_engine(log.url), lambda: directory))
        return directory

    assert run(log.engine, between) == quick[0]
    assert len(quick) == 1 and log.decided() == set(quick)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"database": "no_such"}, "E6012"),
        ({"username": "no_such"}, "E6012"),
        ({"query": {"host": "/nowhere"}}, "E6011"),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_sentence(change: dict, code: str) -> None:
    url = server_url().set(**change).render_as_string(hide_password=False)
    with pytest.raises(ZhipaiError) as caught, reading(make_engine(url)):
        pass
    assert caught.value.code == code


@pytest.mark.parametrize("url", ["postgres", "postgresql+nothing://u:geheim@h/d", "oracle://u:geheim@h/d"])
def test_an_address_that_cannot_be_meant_is_one_sentence_without_its_password(url: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        make_engine(url)
    assert caught.value.code == "E6014" and "geheim" not in str(caught.value)


def test_the_short_address_means_the_installed_driver() -> None:
    assert make_engine("postgresql://u@h/d").url.drivername == "postgresql+psycopg"


def test_the_service_outlives_a_restart_of_the_server(root: Path, installed: Settings, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "encoder").symlink_to(installed.encoder_folder)
    (home / "indexes").symlink_to(installed.index_folder)
    config = load_settings(home=home, mlruns=installed.mlruns, database_url=address_of(installed.sqlite_path))
    with TestClient(create_app(config), raise_server_exceptions=False) as client:

        def propose() -> Response:
            return client.post("/v1/triage", json={"text": "翠湖路上的井盖丢了一个。"})

        proposed = propose()
        assert proposed.status_code == 200
        server(root, "stop")
        try:
            down = propose()
        finally:
            server(root, "start")
        assert (down.status_code, down.json()["code"]) == (503, "E6011")
        body = proposed.json()
        decided = client.post(
            "/v1/decisions",
            json={"proposal_id": body["proposal_id"], "action": "override", "unit": body["units"][0]["unit"],
                  "actor": "pd-1", "reason": "按职责清单"},
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )  # fmt: skip
        assert decided.status_code in (200, 201), decided.text
        assert client.get(f"/v1/decisions/{decided.json()['decision_id']}").status_code == 200
