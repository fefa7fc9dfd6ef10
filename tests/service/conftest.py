"""A service as a newcomer gets it: the real set-up (encoder, database, default model), in a data folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
from fastapi.testclient import TestClient

from knowledge_base import read_entries
from service import clock
from service.api.app import create_app
from service.cli.serve import prepare
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.entries import import_entries
from service.settings import Settings, load_settings
from service.snapshot import Snapshot, load_snapshot
from training.catalogue import catalogue
from training.registry import Registry, champion


@pytest.fixture(autouse=True)
def _log_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs in this process would bind the log to the output captured for one test."""
    monkeypatch.setattr(import_module("service.cli.main"), "configure", lambda: None)


@pytest.fixture(scope="session")
def installed() -> Settings:
    """The set-up of this checkout; what is missing is done first (minutes the first time, nothing after)."""
    config = load_settings()
    prepare(config)
    return config


def fresh_home(installed: Settings, folder: Path, **overrides: object) -> Settings:
    """A data folder with a new database of the city's entries; encoder, indexes and model are those of the set-up.

    Not a copy of the checkout's database: whoever works in a checkout has orders of his own in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "encoder").symlink_to(installed.encoder_folder)
    shutil.copytree(installed.index_folder, folder / "indexes")
    config = load_settings(home=folder, mlruns=installed.mlruns, **overrides)
    engine = make_engine(config.url)
    upgrade(engine)
    entries = read_entries(installed.city / "knowledge.jsonl")
    import_entries(engine, entries, at=clock.now() - timedelta(days=400))
    engine.dispose()
    return config


def own_store(installed: Settings, folder: Path) -> Path:
    """A model store with the installed champion as its only version, whatever else was registered there before."""
    standing = champion(installed.mlruns)
    assert standing is not None
    found = next(one for one in catalogue(installed.mlruns) if one.version.version == standing.version)
    registry = Registry(folder)
    registry.register(
        found.version.path, params=found.params, metrics=found.metrics, tags={"source": found.source}, files=found.kept
    )
    registry.promote("1")
    return folder


@pytest.fixture
def config(installed: Settings, tmp_path: Path) -> Settings:
    """Settings of a data folder that one test may spoil."""
    return fresh_home(installed, tmp_path / "home", busy_seconds=0.2)


@pytest.fixture(scope="session")
def snapshot(installed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """What the set-up made, loaded once."""
    fresh = fresh_home(installed, tmp_path_factory.mktemp("snapshot") / "home")
    return load_snapshot(fresh, make_engine(fresh.url))


@pytest.fixture(scope="session")
def client(installed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A running application on a data folder that the session's HTTP tests share."""
    shared = fresh_home(installed, tmp_path_factory.mktemp("http") / "home")
    with TestClient(create_app(shared), raise_server_exceptions=False) as running:
        yield running


#: A pack of one rule whose lint is clean and whose tests pass.
SMALL_PACK = {
    "pack.yaml": "name: town\ntitle: 某镇\njurisdiction: 某镇\n",
    "clauses.yaml": """
        - id: town-2020
          document: 某镇热线办法
          source: T01
          effective_from: 2020-01-01
          clauses:
            - {id: "1", article: 第一条, confidence: 原文已读, summary: 摘要一。}
        """,
    "return.yaml": """
        - id: TN-RET-001
          title: 经指定的不得退回
          gate: return
          when: {fact: designated_by_ruling, is: true}
          verdict: forbid
          severity: warn
          disposition: {action: 继续办理, tell: ""}
          clause: town-2020#1
        """,
    "tests/return.yaml": """
        - {name: 是, as_of: 2020-01-01, facts: {designated_by_ruling: true}, expect: {TN-RET-001: hit}, clause: town-2020#1}
        - {name: 否, as_of: 2026-05-06, facts: {designated_by_ruling: false}, expect: {TN-RET-001: pass}, clause: town-2020#1}
        """,
}


@pytest.fixture
def small_pack(tmp_path: Path) -> Path:
    """The folder of a small sound pack that a test may change."""
    home = tmp_path / "town"
    for name, content in SMALL_PACK.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(dedent(content).lstrip(), encoding="utf-8")
    return home
