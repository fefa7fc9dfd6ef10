"""Migration 0002 on a database that is in use: rows, references and the append-only triggers survive it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rfc8785
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from service.db.engine import make_engine, writing
from service.db.migrate import upgrade
from service.log import append_record

AT = datetime(2026, 5, 1, tzinfo=UTC)


def fill(connection: Connection) -> None:
    """One dispatch as revision 0001 wrote it."""
    for statement in (
        "INSERT INTO work_orders VALUES ('o-1', '{}', '{}', '2026-05-01')",
        "INSERT INTO proposals VALUES ('p-1', 'o-1', '2026-05-01', '{}', '2026-05-01')",
        "INSERT INTO decisions VALUES (1, 'd-1', 'key-1', 'h', 'o-1', 'p-1', 'accept', '某局', X'7B7D', 'r', '2026-05-01')",
        "INSERT INTO routings VALUES (1, 'o-1', 'd-1', '某局', '2026-05-01')",
        "INSERT INTO outbox VALUES ('e-1', 'd-1', '{}', '2026-05-01', 0)",
    ):
        connection.execute(text(statement))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A filled database of revision 0001, brought to the newest."""
    engine = make_engine(f"sqlite:///{tmp_path / 'used.db'}")
    upgrade(engine, "0001")
    with engine.begin() as connection:
        fill(connection)
    upgrade(engine)
    return engine


def test_rows_and_what_points_to_them_stay(engine: Engine) -> None:
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM decisions")).mappings().one()
        assert (row["decision_id"], row["kind"], row["unit"], row["record"]) == ("d-1", "dispatch", "某局", b"{}")
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1, "升级之后外键仍然有效"
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("INSERT INTO routings VALUES (2, 'o-1', 'd-none', '某局', '2026-05-01')"))


@pytest.mark.parametrize("statement", ["UPDATE decisions SET kind = 'x'", "DELETE FROM decisions"])
def test_the_log_is_still_append_only(engine: Engine, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))


def test_the_sequence_goes_on_with_records_of_another_kind(engine: Engine) -> None:
    with writing(engine) as connection:
        decision_id, content = append_record(
            connection,
            kind="rule_publication",
            body={"actor": "张三", "pack": "某镇"},
            key="key-2",
            digest="h",
            at=AT,
            canonical={"data": b'{"a":1}'},
        )
        connection.commit()
    assert content == rfc8785.dumps(
        {"sequence": 2, "decision_id": decision_id, "kind": "rule_publication", "decided_at": AT.isoformat(),
         "actor": "张三", "pack": "某镇", "data": {"a": 1}}
    )  # fmt: skip
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM decisions WHERE sequence = 2")).mappings().one()
    assert (row["record"], row["order_id"]) == (content, None)
    assert row["record_hash"] == hashlib.sha256(content).hexdigest()


def test_a_dispatch_without_its_order_is_refused(engine: Engine) -> None:
    with pytest.raises(IntegrityError), writing(engine) as connection:
        append_record(connection, kind="dispatch", body={}, key="key-3", digest="h", at=AT)
