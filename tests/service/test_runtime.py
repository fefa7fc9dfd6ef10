"""A running service takes up a promoted model and changed knowledge without a restart, and keeps the old ones if it cannot."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import text

from intake.errors import ZhipaiError
from service import clock
from service.db.engine import sqlite_file
from service.entries import current_entries, import_entries
from service.kb_life import Step, publish, save_draft, take_step
from service.runtime import Runtime
from service.settings import Settings
from training.registry import Registry, champion


@pytest.fixture
def own_store(config: Settings, tmp_path: Path) -> Settings:
    """A data folder and a model store that one test may change."""
    shutil.copytree(config.mlruns, tmp_path / "mlruns")
    return config.model_copy(update={"mlruns": tmp_path / "mlruns"})


@pytest.fixture
def runtime(own_store: Settings) -> Iterator[Runtime]:
    running = Runtime(own_store)
    yield running
    running.close()


def test_nothing_new_changes_nothing(runtime: Runtime) -> None:
    before = runtime.snapshot
    assert runtime.refresh() is False
    assert runtime.snapshot is before


def test_promoted_model_is_taken_up(runtime: Runtime, own_store: Settings) -> None:
    before = runtime.snapshot
    standing = champion(own_store.mlruns)
    assert standing is not None
    registry = Registry(own_store.mlruns)
    version = registry.register(standing.path, params={}, metrics={}, tags={})
    assert runtime.refresh() is False, "登记而未上线，不换"
    registry.promote(version.version)
    assert runtime.refresh() is True
    assert runtime.snapshot.ranker is not before.ranker
    assert runtime.snapshot.rules is before.rules, "没有变的部分不重新装入"


def test_damaged_model_leaves_the_old_one_in_force(runtime: Runtime, own_store: Settings) -> None:
    before = runtime.snapshot
    standing = champion(own_store.mlruns)
    assert standing is not None
    registry = Registry(own_store.mlruns)
    version = registry.register(standing.path, params={}, metrics={}, tags={})
    victim = max((path for path in version.path.iterdir() if path.is_file()), key=lambda path: path.stat().st_size)
    registry.promote(version.version)
    victim.write_bytes(victim.read_bytes()[:100])
    with pytest.raises(ZhipaiError, match="E2202"):
        runtime.refresh()
    assert runtime.snapshot is before


def test_changed_entry_is_found(runtime: Runtime) -> None:
    entry = current_entries(runtime.engine)[0]
    before = runtime.snapshot.ids.knowledge
    changed = replace(entry, title="琉璃盏借阅证办理指南", questions=("琉璃盏借阅证咋办",), effective_to=None)
    import_entries(runtime.engine, [changed], at=clock.now())
    assert runtime.refresh() is True
    assert runtime.snapshot.ids.knowledge != before
    hits = runtime.snapshot.knowledge.search("琉璃盏借阅证怎么办理", as_of=clock.now(), top=1)
    assert [hit.entry.id for hit in hits] == [entry.id]


def test_a_publication_is_found_while_the_service_runs(runtime: Runtime) -> None:
    """Without waiting for the next look at everything, which this service takes only once an hour."""
    runtime.settings = runtime.settings.model_copy(update={"reload_seconds": 3600.0})
    runtime.start()
    at = clock.now()
    told = save_draft(
        runtime.engine, {"title": "琉璃盏借阅证", "answer": "到馆办理。", "unit": "市图书馆"}, Step("张三"), at=at
    )
    take_step(runtime.engine, told["id"], "submit", Step("张三"), at=at)
    before = runtime.snapshot
    publish(runtime.engine, told["id"], Step("李四", "核对无误"), at=at)
    for _ in range(200):
        if runtime.snapshot is not before:
            break
        sleep(0.1)
    hits = runtime.snapshot.knowledge.search("琉璃盏借阅证怎么办理", as_of=clock.now(), top=1)
    assert [hit.entry.id for hit in hits] == [told["id"]]


def test_a_question_about_another_day_sees_what_stood_then(runtime: Runtime) -> None:
    entry = replace(current_entries(runtime.engine)[0], questions=("琉璃盏借阅证咋办",), effective_to=None)
    before = clock.now()
    changed = replace(entry, answer="改过的琉璃盏答复。")
    import_entries(runtime.engine, [entry], at=before - timedelta(days=2))
    import_entries(runtime.engine, [changed], at=before - timedelta(days=1))
    assert runtime.refresh() is True

    def answer(as_of: datetime | None) -> str:
        hits = runtime.snapshot_at(as_of).knowledge.search("琉璃盏借阅证咋办", as_of=as_of or clock.now(), top=1)
        return hits[0].entry.answer

    assert answer(None) == answer(before) == changed.answer
    assert answer(before - timedelta(days=1, hours=1)) == entry.answer
    assert runtime.snapshot_at(before) is runtime.snapshot


def test_a_running_service_carries_the_log_over(runtime: Runtime, own_store: Settings, monkeypatch) -> None:
    monkeypatch.setattr(runtime.carry_over, "_first", 0.05)
    file = sqlite_file(own_store.url)
    assert file is not None
    with runtime.engine.begin() as connection:
        connection.execute(text("CREATE TABLE marked (body TEXT)"))
    assert b"marked" not in file.read_bytes()
    runtime.start()
    for _ in range(200):
        if b"marked" in file.read_bytes():
            break
        sleep(0.05)
    assert b"marked" in file.read_bytes()
