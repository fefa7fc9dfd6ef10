"""A desk: a database of the newest revision with the city's entries, and a service that runs on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from intake.order import WorkOrder
from service.api.app import create_app
from service.db.engine import make_engine
from service.db.migrate import upgrade
from service.filing import file_order
from service.settings import Settings
from service.snapshot import Snapshot
from tests.service.conftest import fresh_home

NOW = datetime.fromisoformat("2026-05-06T09:30:00+08:00")
SMOKE = "临江区滨河路烧烤店每晚十点后油烟很大，孩子一直咳嗽，请尽快处理，电话13800001111"


@pytest.fixture
def desk(installed: Settings, tmp_path: Path) -> Settings:
    return fresh_home(installed, tmp_path / "desk", busy_seconds=0.2)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty database of the newest revision."""
    engine = make_engine(f"sqlite:///{tmp_path / 'queue.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def filed(engine: Engine, snapshot: Snapshot):
    """File orders into the empty database; the proposal of each."""

    def file(text: str = SMOKE, *, at: datetime = NOW, **fields: object):
        order = WorkOrder(text, **fields)  # type: ignore[arg-type]
        return file_order(engine, order, snapshot=snapshot, actor="zuoxi", at=at).proposal

    return file


@pytest.fixture
def bench(desk: Settings) -> Iterator[TestClient]:
    """A running service on the desk, seen as a browser sees it."""
    with TestClient(create_app(desk), raise_server_exceptions=False, headers={"accept": "text/html"}) as running:
        yield running
