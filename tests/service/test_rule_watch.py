"""A running service takes up a published rule version when it comes into force, and answers for another day by its rules."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from intake.errors import ZhipaiError
from rules import load_pack
from rules.pack import PACKS
from service import clock
from service.api.app import create_app
from service.cli.main import main
from service.publication import Order, check_folder, publish
from service.runtime import Runtime
from service.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A draft of one's own, with its parent beside it."""
    for name in ("national", "jinan"):
        shutil.copytree(PACKS / name, tmp_path / "packs" / name)
    return tmp_path / "packs" / "jinan"


@pytest.fixture
def own_pack(config: Settings, folder: Path) -> Settings:
    return config.model_copy(update={"pack": str(folder), "rule_engine": "python"})


@pytest.fixture
def runtime(own_pack: Settings) -> Iterator[Runtime]:
    running = Runtime(own_pack)
    yield running
    running.close()


def edit(folder: Path) -> str:
    """Change the draft; returns its id."""
    path = folder / "return.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("severity: block", "severity: warn"), encoding="utf-8")
    return load_pack(folder).id


def put(runtime: Runtime, folder: Path, start: datetime, at: datetime | None = None) -> str:
    order = Order("张三", "试一试", start)
    return publish(runtime.engine, check_folder(str(folder)), order, software="t", at=at or clock.now())["version"]


def test_a_publication_is_taken_up_without_a_restart(runtime: Runtime, folder: Path) -> None:
    before = runtime.snapshot
    assert before.publication is None and before.ids.rules == load_pack(folder).id
    draft = edit(folder)
    assert runtime.refresh() is False, "草稿改了而未发布，不换"
    assert put(runtime, folder, clock.now() - timedelta(days=1)) == draft
    assert runtime.refresh() is True
    assert runtime.snapshot.ids.rules == draft
    assert runtime.snapshot.ranker is before.ranker, "没有变的部分不重新装入"
    assert runtime.refresh() is False
    assert runtime.rules_say().startswith("ok") and draft in runtime.rules_say()


def test_a_waiting_version_waits_for_its_instant(runtime: Runtime, folder: Path, monkeypatch) -> None:
    now = clock.now()
    first = put(runtime, folder, now - timedelta(days=1))
    second, start = edit(folder), now + timedelta(days=10)
    put(runtime, folder, start, now)
    runtime.refresh()
    assert runtime.snapshot.ids.rules == first
    assert "1 个版本待生效" in runtime.rules_say()
    assert runtime.snapshot_at(start).ids.rules == second
    assert runtime.snapshot_at(start - timedelta(seconds=1)) is runtime.snapshot
    assert runtime.snapshot_at(None) is runtime.snapshot
    monkeypatch.setattr("service.clock.now", lambda zone="Asia/Shanghai": start)
    assert runtime.refresh() is True
    assert runtime.snapshot.ids.rules == second
    assert runtime.snapshot_at(now).ids.rules == first, "问过去的一天，用当天有效的版本"
    assert runtime.snapshot_at(now) is runtime.snapshot_at(now), "装过的不再装"


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_in_force(
    runtime: Runtime, folder: Path, monkeypatch
) -> None:
    put(runtime, folder, clock.now() - timedelta(days=1))
    before = runtime.snapshot

    def damaged(*_arguments: object) -> None:
        raise ZhipaiError("E3501", {"version": "x", "problem": "散列不符"})

    monkeypatch.setattr("service.rule_versions.stored_bundle", damaged)
    with pytest.raises(ZhipaiError, match="E3501"):
        runtime.refresh()
    assert runtime.snapshot is before


def test_over_http_the_proposal_names_the_version_of_its_day(own_pack: Settings, folder: Path) -> None:
    runtime = Runtime(own_pack)
    now = clock.now()
    first = put(runtime, folder, now - timedelta(days=30))
    second = edit(folder)
    put(runtime, folder, now - timedelta(days=10), now - timedelta(days=20))
    runtime.close()
    with TestClient(create_app(own_pack), raise_server_exceptions=False) as client:
        said = {
            days: client.post(
                "/v1/triage", json={"text": "楼下夜市太吵。", "as_of": (now - timedelta(days=days)).isoformat()}
            ).json()["snapshot"]["rules"]
            for days in (0, 11)
        }
        ready = client.get("/readyz").json()
    assert said == {0: second, 11: first}
    assert second in ready["checks"]["rules"]


def test_triage_on_the_command_line_uses_the_version_of_its_day(
    own_pack: Settings, folder: Path, monkeypatch, capsys
) -> None:
    runtime = Runtime(own_pack)
    now = clock.now()
    first = put(runtime, folder, now - timedelta(days=30))
    edit(folder)
    put(runtime, folder, now - timedelta(days=10), now - timedelta(days=20))
    runtime.close()
    monkeypatch.setattr("service.cli.triage.settings", lambda: own_pack)
    monkeypatch.setattr("service.cli.common.settings", lambda: own_pack)
    with pytest.raises(SystemExit) as done:
        main(["triage", "楼下夜市太吵。", "--json", "--as-of", (now - timedelta(days=11)).isoformat()])
    assert done.value.code == 0
    assert json.loads(capsys.readouterr().out)["snapshot"]["rules"] == first
