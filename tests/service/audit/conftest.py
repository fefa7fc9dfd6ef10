"""A log of small records in a database of its own, and ways to tamper with its file behind the back of the program."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.audit.checkpoint import publish, sign_checkpoint
from service.audit.keys import KeyStore
from service.audit.note import Checkpoint
from service.audit.report import Report
from service.audit.tree import establish
from service.audit.verify import verify_log
from service.db.engine import make_engine, writing
from service.db.migrate import upgrade
from service.log import append_record
from service.settings import Settings, load_settings

AT = datetime(2026, 5, 6, 9, 30, tzinfo=UTC)


@dataclass
class Log:
    """One log. ``other_office`` is a folder that whoever changes the database cannot reach."""

    settings: Settings
    engine: Engine
    other_office: Path

    def append(self, count: int = 1, *, at: datetime = AT) -> list[str]:
        """Records of a promotion, one transaction each; returns their ids."""
        made = []
        for _ in range(count):
            with writing(self.engine) as connection:
                decision_id, _ = append_record(
                    connection,
                    kind="promotion",
                    body={"actor": "shuju-1", "model": uuid.uuid4().hex, "说明": "换上新的模型"},
                    key=uuid.uuid4().hex,
                    digest="0" * 64,
                    at=at,
                )
                connection.commit()
            made.append(decision_id)
        return made

    def checkpoint(self) -> Checkpoint:
        """Sign one and hand it to the other office."""
        signed = sign_checkpoint(self.engine, self.settings, at=AT)
        publish(signed, self.other_office, KeyStore(self.settings.key_folder))
        return signed

    def verify(self, *, with_folder: bool = True) -> Report:
        keys = KeyStore(self.settings.key_folder).public_keys()
        return verify_log(self.engine, keys=keys, folders=[self.other_office] if with_folder else [])

    @contextmanager
    def tampering(self) -> Iterator[sqlite3.Connection]:
        """The database file in the hands of somebody who takes the triggers off, changes it and puts them back."""
        self.engine.dispose()
        with closing(sqlite3.connect(self.settings.sqlite_path)) as file:
            triggers = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                file.execute(f"DROP TRIGGER {name}")
            yield file
            for _, sql in triggers:
                file.execute(sql)
            file.commit()


def _made(folder: Path, name: str, **overrides: object) -> Log:
    settings = load_settings(home=folder / name, log_origin="12345.example/log", **overrides)
    settings.home.mkdir()
    engine = make_engine(settings.url, busy_seconds=30)
    upgrade(engine)
    establish(engine, hash_name=settings.log_hash, origin=settings.log_origin, at=AT)
    return Log(settings, engine, folder / f"{name}-elsewhere")


@pytest.fixture
def make_log(tmp_path: Path) -> Callable[..., Log]:
    """Makes an empty log."""

    def make(name: str = "log", **overrides: object) -> Log:
        return _made(tmp_path, name, **overrides)

    return make


@pytest.fixture(scope="session")
def eleven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a log of eleven records and two checkpoints, after the fifth and after the ninth."""
    folder = tmp_path_factory.mktemp("eleven")
    log = _made(folder, "log")
    log.append(5)
    log.checkpoint()
    log.append(4, at=AT + timedelta(minutes=1))
    log.checkpoint()
    log.append(2, at=AT + timedelta(minutes=2))
    log.engine.dispose()
    return folder


@pytest.fixture
def log(eleven: Path, tmp_path: Path) -> Log:
    """A copy of :func:`eleven` that a test may spoil."""
    shutil.copytree(eleven, tmp_path, dirs_exist_ok=True)
    settings = load_settings(home=tmp_path / "log", log_origin="12345.example/log")
    return Log(settings, make_engine(settings.url, busy_seconds=30), tmp_path / "log-elsewhere")
