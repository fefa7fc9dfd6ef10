"""A service as a newcomer gets it: the real set-up (encoder, database, default model), in a data folder of its own."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.cli.serve import prepare
from service.db.engine import make_engine
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


def copy_home(installed: Settings, folder: Path, **overrides: object) -> Settings:
    """A data folder of one's own: the database and indexes are copied, the encoder is linked."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "encoder").symlink_to(installed.encoder_folder)
    shutil.copytree(installed.index_folder, folder / "indexes")
    # Not a copy of the file: what was written last may still stand in the write-ahead log beside it.
    with (
        closing(sqlite3.connect(installed.sqlite_path)) as here,
        closing(sqlite3.connect(folder / "zhipai.db")) as there,
    ):
        here.backup(there)
    return load_settings(home=folder, mlruns=installed.mlruns, **overrides)


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
    return copy_home(installed, tmp_path / "home", busy_seconds=0.2)


@pytest.fixture(scope="session")
def snapshot(installed: Settings) -> Snapshot:
    """The installed snapshot, loaded once."""
    return load_snapshot(installed, make_engine(installed.url))


@pytest.fixture(scope="session")
def client(installed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A running application on a data folder that the session's HTTP tests share."""
    shared = copy_home(installed, tmp_path_factory.mktemp("http") / "home")
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
