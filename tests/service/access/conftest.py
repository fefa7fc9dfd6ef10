"""A town with one account for each role, on a data folder of its own; and browsers that sign in there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from oidc_provider_mock import run_server_in_thread
from pydantic import SecretStr
from sqlalchemy import Engine, insert

from service.access import ROLES, Actor, Scope
from service.access.accounts import Order
from service.access.keys import create_key
from service.access.passwords import hash_password
from service.api.app import create_app
from service.db.engine import make_engine, writing
from service.db.migrate import upgrade
from service.db.tables_access import ACCOUNTS
from service.settings import Settings
from tests.service.conftest import fresh_home

AT = datetime(2026, 5, 6, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse 电池 staple"
SHELL = Actor("shell:tester", "命令行", frozenset({"admin"}), Scope.everything(), "local")


def order(actor: Actor = SHELL, *, at: datetime = AT, reason: str = "测试用") -> Order:
    return Order(actor, reason, at)


def person(name: str, *roles: str, units: tuple[str, ...] = (), districts: tuple[str, ...] = ()) -> Actor:
    scope = Scope.of(units=units, districts=districts)
    return Actor(name, name, frozenset(roles), scope, "session")


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty database of the newest revision."""
    path = tmp_path_factory.mktemp("empty") / "access.db"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def engine(empty: Path, tmp_path: Path) -> Iterator[Engine]:
    """A database that one test may fill."""
    shutil.copy(empty, tmp_path / "access.db")
    engine = make_engine(f"sqlite:///{tmp_path / 'access.db'}")
    yield engine
    engine.dispose()


def put(engine: Engine, name: str, *roles: str, at: datetime = AT, **more: object) -> None:
    """An account whose password is :data:`PASSWORD` and has been changed already."""
    row = {
        "name": name,
        "display": name,
        "password_hash": hash_password(PASSWORD),
        "must_change": False,
        "password_set_at": at.isoformat(),
        "subject": None,
        "roles": sorted(roles),
        "districts": [],
        "units": [],
        "closed": False,
        "created_at": at.isoformat(),
    }
    with writing(engine) as connection:
        connection.execute(insert(ACCOUNTS).values(row | more))
        connection.commit()


@dataclass
class Town:
    """A running service with accounts named after their roles."""

    client: TestClient
    settings: Settings
    engine: Engine

    def browser(self, name: str, password: str = PASSWORD) -> Browser:
        return Browser(self, name, password)

    def key(self, *roles: str, **more: object) -> dict[str, str]:
        """The header of a fresh key with these roles."""
        wanted = {"title": "机器", "actions": None, "districts": [], "units": [], "days": 366} | more
        grantor = person("security", "admin", "security_admin")
        at = datetime.now(UTC)
        _, key = create_key(self.engine, Order(grantor, "测试用", at), roles=list(roles), **wanted)
        return {"Authorization": f"Bearer {key}"}


class Browser:
    """A cookie jar and the CSRF token of its pages."""

    def __init__(self, town: Town, name: str, password: str):
        self.http = TestClient(town.client.app, follow_redirects=False, raise_server_exceptions=False)
        self.signed_in = self.http.post("/login", data={"name": name, "password": password, "next": "/account"})
        self.csrf = self.token()

    def token(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.http.get("/account").text)
        return found[1] if found else ""

    def send(self, method: str, path: str, **more: object):
        return self.http.request(method, path, headers={"X-CSRF-Token": self.csrf}, **more)


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    """An OpenID provider that runs on loopback."""
    with run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory, installed: Settings, issuer: str) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town") / "home"
    copied = fresh_home(installed, folder, busy_seconds=2.0)
    settings = copied.model_copy(
        update={
            "sign_in_per_minute": 10_000,
            "requests_per_minute": 100_000,
            "oidc_issuer": issuer,
            "oidc_client_id": "zhipai",
            "oidc_client_secret": SecretStr("s3cret-of-ours"),
        }
    )
    engine = make_engine(settings.url)
    put(engine, "by-oidc", "dispatcher", at=datetime.now(UTC), subject="user-17", password_hash=None)
    put(engine, "gone", "dispatcher", at=datetime.now(UTC), subject="user-gone", closed=True)
    for role in ROLES:
        put(engine, role, role, at=datetime.now(UTC))
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield Town(client, settings, engine)
    engine.dispose()
