"""The tree in the database: every record is a leaf from its own transaction on, and every proof from it holds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from intake.errors import ZhipaiError
from service.audit.merkle import HASHES, Frontier, TreeHash, consistent, includes
from service.audit.tree import (
    consistency_proof,
    establish,
    identity_of,
    inclusion_proof,
    next_place,
    root_at,
    size_of,
)
from service.db.engine import make_engine, reading, writing
from service.db.migrate import upgrade
from service.log import append_drafts, append_record, draft_record
from tests.service.audit.conftest import AT, Log

WRITER = """
import sys, uuid
from datetime import datetime
from service.db.engine import make_engine, writing
from service.log import append_record
engine = make_engine(sys.argv[1], busy_seconds=60)
for number in range(int(sys.argv[2])):
    with writing(engine) as connection:
        append_record(connection, kind="promotion", body={"actor": sys.argv[3], "number": number},
                      key=uuid.uuid4().hex, digest="0" * 64, at=datetime.fromisoformat(sys.argv[4]))
        connection.commit()
"""


def records(log: Log) -> list[bytes]:
    with reading(log.engine) as connection:
        return [row[0] for row in connection.execute(text("SELECT record FROM decisions ORDER BY sequence"))]


@pytest.mark.parametrize("name", HASHES)
def test_every_proof_from_the_database_holds(make_log: Callable[..., Log], name: str) -> None:
    log = make_log(log_hash=name)
    log.append(21)
    hasher, frontier = TreeHash(name), Frontier(TreeHash(name))
    leaves, roots = [hasher.leaf(record) for record in records(log)], [TreeHash(name).root([])]
    for leaf in leaves:
        frontier.add(leaf)
        roots.append(frontier.root())
    with reading(log.engine) as connection:
        assert identity_of(connection).hasher.name == name
        assert size_of(connection) == 21
        for size in range(1, 22):
            assert root_at(connection, size, hasher) == roots[size]
            for sequence in range(1, size + 1):
                proof = inclusion_proof(connection, sequence, size, hasher)
                assert includes(hasher, leaves[sequence - 1], sequence - 1, size, proof, roots[size])
                proof = consistency_proof(connection, sequence, size, hasher)
                assert consistent(hasher, sequence, size, roots[sequence], roots[size], proof)


def test_an_append_reads_few_rows_however_long_the_log(make_log: Callable[..., Log]) -> None:
    log = make_log()
    log.append(300)
    asked: list[str] = []

    @event.listens_for(log.engine, "before_cursor_execute")
    def _seen(_connection, _cursor, statement, *_rest) -> None:  # type: ignore[no-untyped-def]
        if "log_tree" in statement and "SELECT" in statement and "INSERT" not in statement:
            asked.append(statement)

    for size in range(300, 364):
        with writing(log.engine) as connection:
            assert len(next_place(connection).waiting) == size.bit_count(), "一层至多等一个节点"
        log.append()
    assert len(asked) == 2 * 64 and len(set(asked)) == 1, "每条记录只问一次，问法与日志多长无关"
    if log.engine.dialect.name == "sqlite":
        with reading(log.engine) as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0]}".replace("?", "1")).all()
        assert not [step for step in plan if "SCAN log_tree" in step.detail or "SCAN decisions" in step.detail], plan


@pytest.mark.parametrize("already", [0, 1, 5, 8])
def test_records_appended_together_make_the_tree_of_records_appended_one_by_one(
    make_log: Callable[..., Log], already: int
) -> None:
    log = make_log()
    log.append(already)
    drafts = [
        draft_record(kind="promotion", body={"number": number}, key=f"key-{number}", digest="h", at=AT)
        for number in range(13)
    ]
    with writing(log.engine) as connection:
        contents = append_drafts(connection, next_place(connection), drafts)
        connection.commit()
    assert contents == records(log)[already:]
    assert [json.loads(content)["sequence"] for content in contents] == list(range(already + 1, already + 14))
    report = log.verify()
    assert (report.whole, report.size) == (True, already + 13)


def test_a_proof_beyond_the_log_is_refused(log: Log) -> None:
    hasher = TreeHash("sha256")
    with reading(log.engine) as connection:
        for ask in (
            lambda: root_at(connection, 12, hasher),
            lambda: inclusion_proof(connection, 12, 12, hasher),
            lambda: consistency_proof(connection, 3, 10**15, hasher),
        ):
            with pytest.raises(ZhipaiError) as caught:
                ask()
            assert caught.value.code == "E7803"


@pytest.mark.parametrize("table", ["log_identity", "log_tree", "log_checkpoints", "decisions"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE TABLE {} CASCADE"])
def test_the_tables_are_append_only(log: Log, table: str, statement: str) -> None:
    column = {"log_tree": "sequence"}.get(table, "created_at")
    with pytest.raises(DBAPIError), log.engine.begin() as connection:
        connection.execute(text(statement.format(table, column, column)))
    assert log.verify().whole


def test_records_that_stand_already_are_put_into_the_tree(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'old.db'}")
    upgrade(engine, "0003")
    contents = [f'{{"sequence":{number}}}'.encode() for number in range(1, 1204)]
    with engine.begin() as connection:
        for number, content in enumerate(contents, start=1):
            connection.execute(
                text(
                    "INSERT INTO decisions (sequence, decision_id, idempotency_key, request_hash, record, record_hash,"
                    " created_at, kind) VALUES (:n, :id, :id, '', :record, '', '2026-05-01', 'promotion')"
                ),
                {"n": number, "id": f"d-{number}", "record": content},
            )
    upgrade(engine, "0004")
    hasher = TreeHash("sha256")
    frontier = Frontier(hasher)
    for content in contents:
        frontier.add(hasher.leaf(content))
    with reading(engine) as connection:
        assert identity_of(connection).hasher == hasher
        assert root_at(connection, len(contents), hasher) == frontier.root()


def test_hash_and_name_are_fixed_with_the_first_record(make_log: Callable[..., Log]) -> None:
    log = make_log()
    assert establish(log.engine, hash_name="sm3", origin="", at=AT).hasher.name == "sm3"
    assert establish(log.engine, hash_name="sha256", origin="other/log", at=AT).origin == "other/log"
    log.append()
    for hash_name, origin, said in (("sm3", "", "ZHIPAI_LOG_HASH"), ("sha256", "third/log", "ZHIPAI_LOG_ORIGIN")):
        with pytest.raises(ZhipaiError) as caught:
            establish(log.engine, hash_name=hash_name, origin=origin, at=AT)
        assert caught.value.code == "E7802"
        assert said in caught.value.message
    assert establish(log.engine, hash_name="sha256", origin="", at=AT).origin == "other/log"
    assert log.append(2)


def test_nothing_is_appended_to_a_log_whose_tree_is_shorter(log: Log) -> None:
    with log.tampering() as file:
        file.execute("DELETE FROM log_tree WHERE sequence = 11")
    with pytest.raises(ZhipaiError) as caught:
        log.append()
    assert caught.value.code == "E7801"
    assert len(records(log)) == 11


def test_what_is_rolled_back_leaves_no_leaf(log: Log) -> None:
    with writing(log.engine) as connection:
        append_record(connection, kind="promotion", body={}, key="given-up", digest="h", at=AT)
    log.append()
    assert log.verify().size == 12
    assert log.verify().whole


def test_a_clock_that_steps_back_does_not_change_the_order(log: Log) -> None:
    log.append(at=AT - timedelta(days=3))
    log.append(at=AT + timedelta(days=1))
    with reading(log.engine) as connection:
        instants = connection.execute(text("SELECT created_at FROM decisions ORDER BY sequence")).scalars().all()
    assert instants[-2] < instants[0] < instants[-1]
    assert log.verify().whole


def test_two_processes_at_once_leave_no_gap_and_no_fork(make_log: Callable[..., Log]) -> None:
    log = make_log()
    each = 60
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, log.settings.url, str(each), name, AT.isoformat()],
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("甲", "乙")
    ]
    said = [writer.communicate(timeout=300)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], said
    with reading(log.engine) as connection:
        sequences = connection.execute(text("SELECT sequence FROM decisions ORDER BY sequence")).scalars().all()
    assert sequences == list(range(1, 2 * each + 1))
    report = log.verify()
    assert (report.whole, report.size) == (True, 2 * each)
