"""Who was signed in stands in the record by account and role: a model put in force, rules published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.api.app import create_app
from service.db.engine import make_engine, reading
from service.db.tables import DECISIONS
from service.settings import Settings
from tests.service.access.conftest import Town, put
from tests.service.conftest import fresh_home, own_store
from training.catalogue import catalogue
from training.registry import Registry


@pytest.fixture
def office(installed: Settings, small_pack: Path, tmp_path: Path) -> Iterator[Town]:
    """A service with a scientist and a rule owner, a pack to publish and a second version of the model in force."""
    own_store(installed, tmp_path / "mlruns")
    copied = fresh_home(installed, tmp_path / "home", busy_seconds=2.0)
    config = copied.model_copy(update={"mlruns": tmp_path / "mlruns", "pack": str(small_pack)})
    registry = Registry(config.mlruns)
    first = catalogue(config.mlruns)[-1]
    registry.register(
        first.version.path, params=first.params, metrics=first.metrics, tags={"source": first.source}, files=first.kept
    )
    engine = make_engine(config.url)
    for role in ("data_scientist", "rule_owner"):
        put(engine, role, role, at=datetime.now(UTC))
    with TestClient(create_app(config), raise_server_exceptions=False) as client:
        yield Town(client, config, engine)
    engine.dispose()


def last_of(office: Town, kind: str) -> dict:
    query = select(DECISIONS.c.record).where(DECISIONS.c.kind == kind).order_by(DECISIONS.c.sequence.desc())
    with reading(office.engine) as connection:
        return json.loads(connection.execute(query.limit(1)).scalar_one())


def test_promotion_and_rollback_name_the_scientist(office: Town) -> None:
    scientist = office.browser("data_scientist")
    newest = catalogue(office.settings.mlruns)[0].number
    done = scientist.send("POST", f"/models/versions/{newest}/promote", data={"reason": "新数据"})
    assert done.status_code in (204, 303), done.text
    back = scientist.send("POST", "/models/rollback", data={"reason": "误派多", "seen": newest})
    assert back.status_code in (204, 303), back.text
    record = last_of(office, "model_promotion")
    assert (record["action"], record["actor"], record["role"]) == ("rollback", "data_scientist", "data_scientist")


def test_a_publication_names_the_rule_owner(office: Town) -> None:
    owner = office.browser("rule_owner")
    form = owner.http.get("/rules/publish").text
    seen = form.split('name="seen" value="')[1].split('"')[0]
    done = owner.send("POST", "/rules/publish", data={"seen": seen, "reason": "第一次"})
    assert done.status_code in (204, 303), done.text
    record = last_of(office, "rule_publication")
    assert (record["actor"], record["role"]) == ("rule_owner", "rule_owner")
