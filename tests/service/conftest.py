"""A service as a newcomer gets it: the real set-up (encoder, database, default model), in a data folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.cli.serve import prepare
from service.db.engine import make_engine
from service.settings import Settings, load_settings
from service.snapshot import Snapshot, load_snapshot


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
    shutil.copy(installed.sqlite_path, folder / "zhipai.db")
    return load_settings(home=folder, mlruns=installed.mlruns, **overrides)


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
