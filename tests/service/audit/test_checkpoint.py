"""Keys and checkpoints: made on first need, never contradicting each other, written whole, and in time."""

from __future__ import annotations

import fcntl
import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from intake.errors import ZhipaiError
from service.audit.checkpoint import checkpoints_in, publish, sign_checkpoint
from service.audit.keys import KeyStore
from service.audit.note import parse_checkpoint
from service.audit.rotate import rotate_key
from service.audit.schedule import LOCK, CheckpointSchedule
from service.audit.tree import root_at
from service.db.engine import reading
from tests.service.audit.conftest import AT, Log
from tests.service.audit.tampering import recompute_tree, rewrite


def scheduled(log: Log, **overrides: object) -> CheckpointSchedule:
    settings = log.settings.model_copy(
        update={"checkpoint_folder": log.other_office, "checkpoint_minutes": 30} | overrides
    )
    return CheckpointSchedule(settings, log.engine)


def test_the_private_key_is_for_its_owner_only(log: Log) -> None:
    (key,) = log.settings.key_folder.glob("*.pem")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.settings.key_folder.stat().st_mode) == 0o700
    for other in log.other_office.iterdir():
        assert "PRIVATE" not in other.read_text(encoding="utf-8")


def test_rotation_keeps_the_old_public_key_deletes_the_private_one_and_is_recorded(log: Log) -> None:
    old, new = rotate_key(log.engine, log.settings, actor="审计员甲", at=AT)
    assert old is not None
    entries = KeyStore(log.settings.key_folder).entries()
    assert [(entry.key, bool(entry.retired_at)) for entry in entries] == [(old, True), (new, False)]
    assert [path.stem for path in log.settings.key_folder.glob("*.pem")] == [f"log-{new.id}"]
    with reading(log.engine) as connection:
        record = json.loads(
            connection.execute(text("SELECT record FROM decisions WHERE kind = 'log_key'")).scalar_one()
        )
    assert (record["actor"], record["old_key"], record["new_key"]) == ("审计员甲", old.line, new.line)


def test_a_rotation_that_cannot_be_recorded_does_not_happen(log: Log) -> None:
    with log.tampering() as file:
        file.execute("DELETE FROM log_tree WHERE sequence = 11")
    before = KeyStore(log.settings.key_folder).entries()
    with pytest.raises(ZhipaiError) as caught:
        rotate_key(log.engine, log.settings, actor="审计员甲", at=AT)
    assert caught.value.code == "E7801"
    assert KeyStore(log.settings.key_folder).entries() == before
    assert len(list(log.settings.key_folder.glob("*.pem"))) == 1


@pytest.mark.parametrize("how", ["gone", "garbled", "other", "list"])
def test_a_key_that_cannot_be_used_says_so(log: Log, how: str) -> None:
    (key,) = log.settings.key_folder.glob("*.pem")
    if how == "gone":
        key.unlink()
    elif how == "garbled":
        key.write_bytes(b"not a key")
    elif how == "other":
        KeyStore(log.settings.home / "other").current("x", at=AT)
        key.write_bytes(next((log.settings.home / "other").glob("*.pem")).read_bytes())
    else:
        (log.settings.key_folder / "log-keys.json").write_text("[{]", encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        sign_checkpoint(log.engine, log.settings, at=AT)
    assert caught.value.code == "E7813"
    assert log.append(), "签不了检查点，决定照样记入"


def test_nothing_new_means_the_same_checkpoint(log: Log) -> None:
    first, second = log.checkpoint(), log.checkpoint()
    assert first == second and first.size == 11
    with reading(log.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM log_checkpoints")).scalar() == 3
    assert [name[:12] for name, _ in checkpoints_in(log.other_office)] == [
        "000000000005",
        "000000000009",
        "000000000011",
    ]


def test_an_empty_log_has_no_checkpoint(make_log: Callable[..., Log]) -> None:
    log = make_log()
    with pytest.raises(ZhipaiError) as caught:
        log.checkpoint()
    assert caught.value.code == "E7805"


def test_a_log_that_contradicts_its_last_checkpoint_is_not_signed(log: Log) -> None:
    with log.tampering() as file:
        rewrite(file, 2, actor="别人")
        recompute_tree(file)
    with pytest.raises(ZhipaiError) as caught:
        log.checkpoint()
    assert caught.value.code == "E7804"


def test_another_checkpoint_of_that_size_in_the_folder_is_left_alone(log: Log) -> None:
    signed = log.checkpoint()
    path = log.other_office / checkpoints_in(log.other_office)[-1][0]
    path.write_text("what another log of this name once signed", encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        publish(signed, log.other_office, KeyStore(log.settings.key_folder))
    assert caught.value.code == "E7804"
    assert path.read_text(encoding="utf-8").startswith("what another")


def test_a_folder_that_cannot_be_written_is_named_and_leaves_nothing(log: Log, tmp_path: Path) -> None:
    signed = log.checkpoint()
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ZhipaiError) as caught:
        publish(signed, tmp_path / "file", KeyStore(log.settings.key_folder))
    assert (caught.value.code, "file" in caught.value.message) == ("E7806", True)


def test_the_schedule_writes_when_it_is_due_and_the_log_has_grown(log: Log) -> None:
    schedule = scheduled(log)
    assert not schedule._due(AT, AT + timedelta(minutes=29))
    assert schedule.look(AT + timedelta(minutes=10)), "上次签的还没有写到这个文件夹"
    assert not schedule.look(AT + timedelta(minutes=10))
    assert schedule.look(AT + timedelta(minutes=30)), "到时间了，日志也长了"
    newest = parse_checkpoint(checkpoints_in(log.other_office)[-1][1], name="newest")
    with reading(log.engine) as connection:
        assert (newest.size, newest.root) == (11, root_at(connection, 11, log_hasher(log)))
    assert not schedule.look(AT + timedelta(hours=9)), "没有新记录"
    log.append()
    assert schedule.look(AT - timedelta(days=1)), "时钟拨回去不会让检查点停下"


def log_hasher(log: Log):
    from service.audit.tree import identity_of

    with reading(log.engine) as connection:
        return identity_of(connection).hasher


def test_one_process_at_a_time_writes(log: Log) -> None:
    with (log.settings.key_folder / LOCK).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not scheduled(log).look(AT)
    assert scheduled(log).look(AT)


def test_a_folder_that_fails_is_a_reminder_until_it_works_and_never_an_outage(log: Log, tmp_path: Path) -> None:
    (tmp_path / "share").write_text("", encoding="utf-8")
    schedule = scheduled(log, checkpoint_folder=tmp_path / "share")
    assert not schedule.look(AT)
    other_worker = scheduled(log)
    assert other_worker.says().startswith("提醒：日志检查点没有写成") and "share" in other_worker.says()
    log.append()
    (tmp_path / "share").unlink()
    assert schedule.look(AT)
    assert schedule.says() == other_worker.says() == ""


def test_a_log_that_was_tampered_with_is_a_reminder(log: Log) -> None:
    with log.tampering() as file:
        rewrite(file, 2, actor="别人")
        recompute_tree(file)
    schedule = scheduled(log)
    assert not schedule.look(AT + timedelta(hours=1))
    assert "zhipai audit verify" in schedule.says()


def test_the_thread_runs_and_stops(make_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.audit.schedule.LOOK_SECONDS", 0.01)
    log = make_log()
    log.append(2)
    schedule = scheduled(log)
    schedule.start()
    thread = schedule._thread
    assert thread is not None
    while not checkpoints_in(log.other_office):
        assert thread.is_alive()
        thread.join(0.01)
    schedule.close()
    assert not thread.is_alive()
    silent = scheduled(log, checkpoint_minutes=0)
    silent.start()
    assert silent._thread is None
