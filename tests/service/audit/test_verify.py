"""Each way to tamper with the log, done to the database file, is found and located."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable

import pytest
import rfc8785

from intake.errors import ZhipaiError
from service.audit.merkle import TreeHash
from service.audit.report import KEPT
from service.audit.rotate import rotate_key
from service.audit.verify import verify_log
from tests.service.audit.conftest import AT, Log
from tests.service.audit.tampering import decision_id, recompute_tree, renumber, rewrite, swap


def found(log: Log, **options: bool) -> list[tuple[str, int, int]]:
    """Kind and place of every problem."""
    return [(one.kind, one.sequence, one.last) for one in log.verify(**options).problems]


def test_a_log_that_nobody_touched_is_whole(log: Log) -> None:
    report = log.verify()
    assert (report.whole, report.size, report.checkpoints, report.vouched) == (True, 11, 4, 9)
    assert "日志 11 条完整" in report.sentence() and "管到第 9 号" in report.sentence()
    assert report.as_dict()["root"] == report.root != ""


def test_an_empty_log_is_whole(make_log: Callable[..., Log]) -> None:
    assert make_log().verify(with_folder=False).whole


def test_without_a_checkpoint_it_says_that_nothing_vouches(make_log: Callable[..., Log]) -> None:
    log = make_log()
    log.append(3)
    assert "还没有检查点" in log.verify(with_folder=False).sentence()


@pytest.mark.parametrize("sequence", [1, 6, 8, 11])
def test_an_edited_record_is_named(log: Log, sequence: int) -> None:
    with log.tampering() as file:
        who = decision_id(file, sequence)
        content = file.execute("SELECT record FROM decisions WHERE sequence = ?", [sequence]).fetchone()[0]
        file.execute(
            "UPDATE decisions SET record = ? WHERE sequence = ?",
            [content.replace("换上".encode(), "撤下".encode()), sequence],
        )
    report = log.verify()
    assert [(one.kind, one.sequence, one.decision_id) for one in report.problems] == [("edited", sequence, who)]
    assert report.checkpoints == 4, "签过的树没有变，变的是这一条记录"


def test_an_edited_record_with_its_hash_recomputed_is_named(log: Log) -> None:
    with log.tampering() as file:
        rewrite(file, 4, actor="别人")
    assert found(log) == [("edited", 4, 4)]


def test_a_leaf_that_was_made_to_fit_does_not_fit_the_nodes_above(log: Log) -> None:
    with log.tampering() as file:
        rewrite(file, 3, actor="别人")
        content = file.execute("SELECT record FROM decisions WHERE sequence = 3").fetchone()[0]
        file.execute("UPDATE log_tree SET nodes = ? WHERE sequence = 3", [TreeHash("sha256").leaf(content)])
    kinds = found(log)
    assert kinds[0] == ("tree", 4, 4)
    assert ("rewritten", 1, 5) in kinds


def test_a_tree_row_that_lost_its_upper_nodes_is_named(log: Log) -> None:
    with log.tampering() as file:
        file.execute("UPDATE log_tree SET nodes = substr(nodes, 1, 32) WHERE sequence = 4")
    assert found(log) == [("tree", 4, 4)]


@pytest.mark.parametrize(("column", "value"), [("kind", "rollback"), ("created_at", "2020-01-01"), ("unit", "某局")])
def test_a_column_that_no_longer_repeats_the_record_is_named(log: Log, column: str, value: str) -> None:
    with log.tampering() as file:
        file.execute(f"UPDATE decisions SET {column} = ? WHERE sequence = 7", [value])
    assert found(log) == [("column", 7, 7)]
    assert column in log.verify().problems[0].says


def test_a_record_of_the_wrong_type_does_not_stop_the_verification(log: Log) -> None:
    with log.tampering() as file:
        file.execute("UPDATE decisions SET record = 'text', record_hash = 3 WHERE sequence = 2")
        file.execute("UPDATE log_tree SET nodes = 7 WHERE sequence = 5")
    assert ("edited", 2, 2) in found(log)
    assert ("inserted", 5, 5) in found(log)


def test_removed_records_are_located(log: Log) -> None:
    with log.tampering() as file:
        file.execute("DELETE FROM decisions WHERE sequence IN (6, 7)")
    assert found(log) == [("missing", 6, 7)], "叶子还在，其余的照样核对"


def test_records_removed_with_their_leaves_are_located(log: Log) -> None:
    with log.tampering() as file:
        for table in ("decisions", "log_tree"):
            file.execute(f"DELETE FROM {table} WHERE sequence IN (6, 7)")
    assert found(log) == [("missing", 6, 7)]


def test_records_removed_and_the_rest_moved_up_are_located(log: Log) -> None:
    with log.tampering() as file:
        file.execute("DELETE FROM decisions WHERE sequence = 6")
        file.execute("DELETE FROM log_tree WHERE sequence = 11")
        for sequence in range(7, 12):
            file.execute("UPDATE decisions SET sequence = ? WHERE sequence = ?", [sequence - 1, sequence])
    report = log.verify()
    assert [one.sequence for one in report.problems if one.kind == "moved"] == [6, 7, 8, 9, 10]
    assert "放的是第 7 号" in report.problems[0].says


def test_swapped_records_are_located(log: Log) -> None:
    with log.tampering() as file:
        swap(file, 5, 8)
    assert found(log) == [("moved", 5, 5), ("moved", 8, 8)]
    assert "放的是第 8 号" in log.verify().problems[0].says


def test_an_inserted_record_is_located(log: Log) -> None:
    with log.tampering() as file:
        file.execute(
            "INSERT INTO decisions (sequence, decision_id, idempotency_key, request_hash, record, record_hash,"
            " created_at, kind) SELECT 12, 'd-x', 'x', 'x', record, record_hash, created_at, kind FROM decisions"
            " WHERE sequence = 3"
        )
    assert found(log) == [("inserted", 12, 12)]


def test_a_record_before_the_first_is_located(log: Log) -> None:
    with log.tampering() as file:
        file.execute(
            "INSERT INTO decisions (sequence, decision_id, idempotency_key, request_hash, record, record_hash,"
            " created_at, kind) VALUES (-4, 'd-x', 'x', 'x', X'7B7D', '', '', 'promotion')"
        )
    assert found(log) == [("inserted", -4, -4)]


def test_a_cut_tail_is_found_by_the_checkpoint(log: Log) -> None:
    with log.tampering() as file:
        for table in ("decisions", "log_tree"):
            file.execute(f"DELETE FROM {table} WHERE sequence > 7")
    assert ("truncated", 8, 9) in found(log)


def test_a_cut_tail_whose_leaves_stand_is_found_without_a_checkpoint(log: Log) -> None:
    with log.tampering() as file:
        file.execute("DELETE FROM decisions WHERE sequence > 9")
    assert found(log) == [("missing", 10, 11)]


def test_a_rewritten_history_is_found_by_the_checkpoints_and_narrowed_down(log: Log) -> None:
    with log.tampering() as file:
        rewrite(file, 7, actor="别人")
        recompute_tree(file)
    report = log.verify()
    assert report.problems[0].kind == "rewritten"
    assert (report.problems[0].sequence, report.problems[0].last) == (6, 9), "第一个检查点还对，第二个不对"
    assert report.vouched == 5


@pytest.mark.parametrize("how", ["edited", "swapped", "inserted", "removed"])
def test_a_history_rewritten_with_its_checkpoints_is_found_by_the_other_office(log: Log, how: str) -> None:
    with log.tampering() as file:
        file.execute("DELETE FROM log_checkpoints")
        if how == "edited":
            rewrite(file, 2, actor="别人")
        elif how == "swapped":
            swap(file, 2, 3)
            for sequence in (2, 3):
                rewrite(file, sequence, sequence=sequence)
        elif how == "removed":
            file.execute("DELETE FROM decisions WHERE sequence = 2")
            renumber(file, range(3, 12), -1)
        else:
            renumber(file, range(11, 1, -1), 1)
            content = rfc8785.dumps(
                {"sequence": 2, "decision_id": "d-x", "kind": "promotion", "decided_at": "2026-05-06"}
            )
            file.execute(
                "INSERT INTO decisions (sequence, decision_id, idempotency_key, request_hash, record,"
                " record_hash, created_at, kind) VALUES (2, 'd-x', 'x', 'x', ?, ?, '2026-05-06', 'promotion')",
                [content, hashlib.sha256(content).hexdigest()],
            )
        recompute_tree(file)
    assert log.verify(with_folder=False).whole, "库内自己看不出来"
    report = log.verify()
    assert not report.whole
    assert (report.problems[0].kind, report.problems[0].sequence, report.problems[0].last) == ("rewritten", 1, 5)


def test_a_checkpoint_that_was_forged_is_named(log: Log) -> None:
    path = sorted(log.other_office.glob("*.checkpoint"))[0]
    origin, size, _, *rest = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([origin, size, "A" * 43 + "=", *rest]), encoding="utf-8")
    report = log.verify()
    assert [(one.kind, one.sequence) for one in report.problems] == [("checkpoint", 5)]
    assert "签名与内容不符" in report.problems[0].says and path.name in report.problems[0].says


def test_checkpoints_of_an_unknown_key_or_log_vouch_for_nothing(log: Log, make_log: Callable[..., Log]) -> None:
    report = verify_log(log.engine, keys=[], folders=[log.other_office])
    assert report.counts == {"checkpoint": 4} and report.checkpoints == 0
    assert "--key" in report.problems[0].says
    (log.other_office / "000000000009-other.checkpoint").write_text("not a checkpoint", encoding="utf-8")
    assert log.verify().counts == {"checkpoint": 1}


def test_the_key_may_change_and_old_checkpoints_still_count(log: Log) -> None:
    old, new = rotate_key(log.engine, log.settings, actor="审计员甲", at=AT)
    assert old is not None and old.id != new.id
    log.checkpoint()
    report = log.verify()
    assert (report.whole, report.size, report.vouched, report.checkpoints) == (True, 12, 12, 6)


def test_many_problems_are_counted_and_the_first_are_told(make_log: Callable[..., Log]) -> None:
    log = make_log()
    log.append(KEPT + 30)
    with log.tampering() as file:
        file.execute("UPDATE decisions SET kind = 'rollback'")
    report = log.verify(with_folder=False)
    assert (report.counts["column"], len(report.problems)) == (KEPT + 30, KEPT)


def test_a_file_that_is_damaged_says_so(log: Log) -> None:
    log.engine.dispose()
    path = log.settings.sqlite_path
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'decisions'").fetchone()[0]
        size = file.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)
    with pytest.raises(ZhipaiError) as caught:
        log.verify()
    assert caught.value.code == "E6004"
