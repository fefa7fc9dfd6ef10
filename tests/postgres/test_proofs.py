"""Tree, checkpoints and proofs of a log on PostgreSQL, also when somebody with all rights over the server changes it."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from service.audit.bundle import check_proof, make_bundle
from service.audit.checkpoint import publish, sign_checkpoint
from service.audit.keys import KeyStore
from service.audit.report import Report
from service.audit.verify import verify_log
from service.db.engine import writing
from service.log import append_record
from service.settings import Settings, load_settings
from tests.postgres.conftest import AT, Log


def append(log: Log, count: int) -> list[str]:
    made = []
    for _ in range(count):
        with writing(log.engine) as connection:
            body = {"actor": "shuju-1", "model": uuid.uuid4().hex}
            made.append(
                append_record(connection, kind="promotion", body=body, key=uuid.uuid4().hex, digest="h", at=AT)[0]
            )
            connection.commit()
    return made


@pytest.fixture
def signed(log: Log, tmp_path: Path) -> Settings:
    """Eleven records; a checkpoint over the first nine lies in another office."""
    settings = load_settings(home=tmp_path / "home", database_url=log.url)
    settings.home.mkdir()
    append(log, 9)
    publish(sign_checkpoint(log.engine, settings, at=AT), tmp_path / "elsewhere", KeyStore(settings.key_folder))
    append(log, 2)
    return settings


def verify(log: Log, settings: Settings) -> Report:
    keys = KeyStore(settings.key_folder).public_keys()
    return verify_log(log.engine, keys=keys, folders=[settings.home.parent / "elsewhere"])


def test_a_log_is_whole_and_one_record_of_it_is_proved(log: Log, signed: Settings) -> None:
    report = verify(log, signed)
    assert report.whole and (report.size, report.vouched) == (11, 9)
    made = append(log, 1)[0]
    keys = KeyStore(signed.key_folder).public_keys()
    bundle = make_bundle(log.engine, signed, made, at=AT)
    assert check_proof(bundle, keys, name="one.json")["decision_id"] == made


@pytest.mark.parametrize(
    ("statement", "kind", "sequence"),
    [
        ("UPDATE decisions SET record = record || ' '::bytea WHERE sequence = 4", "edited", 4),
        ("UPDATE decisions SET unit = '某局' WHERE sequence = 4", "column", 4),
        ("UPDATE log_tree SET nodes = nodes || nodes WHERE sequence = 4", "tree", 4),
        ("DELETE FROM decisions WHERE sequence = 4", "missing", 4),
        ("DELETE FROM log_tree WHERE sequence >= 8; DELETE FROM decisions WHERE sequence >= 8", "truncated", 8),
    ],
)
def test_what_the_master_of_the_server_changes_is_found(
    log: Log, signed: Settings, statement: str, kind: str, sequence: int
) -> None:
    with log.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for one in statement.split(";"):
            connection.execute(text(one))
    first = verify(log, signed).problems[0]
    assert (first.kind, first.sequence) == (kind, sequence)
