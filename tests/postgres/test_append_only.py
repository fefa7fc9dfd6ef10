"""What was written stays: against the owner's statements by trigger, against the service's role by its grants."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from intake.errors import ZhipaiError
from intake.unit import Unit, UnitDirectory
from service.db.append_only import APPEND_ONLY, DELETABLE
from service.db.engine import make_engine, writing
from service.db.grants import grant_app, grants
from service.db.migrate import upgrade
from service.db.tables import Base
from service.decisions import DecisionRequest, decide
from tests.postgres.conftest import AT, UNIT, Log
from tests.postgres.server import fresh_database


@pytest.fixture
def app(log: Log) -> Iterator[Engine]:
    """The service's own role, with what ``zhipai db grant-app`` gives, and one decision made by it."""
    role = "app_" + uuid.uuid4().hex[:8]
    with log.engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
    grant_app(log.engine, role)
    engine = make_engine(sa.make_url(log.url).set(username=role).render_as_string(hide_password=False))
    request = log.proposals(1)[0]
    directory = UnitDirectory([Unit(name=UNIT)])
    decide(engine, DecisionRequest(**request), directory=lambda: directory, software="t", request_id="r", at=AT)
    yield engine
    engine.dispose()


def tries(table: str) -> list[str]:
    column = Base.metadata.tables[table].columns[0].name
    return [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"]


@pytest.mark.parametrize("table", sorted(APPEND_ONLY))
def test_the_owner_is_stopped_by_triggers(log: Log, table: str) -> None:
    for statement in tries(table):
        with pytest.raises(DBAPIError, match="append-only"), log.engine.begin() as connection:
            connection.execute(text(statement))


def test_the_role_of_the_service_is_stopped_by_its_grants(app: Engine, log: Log) -> None:
    switches = [
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "DROP TRIGGER {0}_append_only ON {0}",
        "DROP TABLE {} CASCADE",
        "ALTER TABLE {} OWNER TO CURRENT_USER",
    ]
    for table in sorted(APPEND_ONLY):
        for statement in [*tries(table), *(switch.format(table) for switch in switches)]:
            with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), app.begin() as connection:
                connection.execute(text(statement))
    for statement in ("SET session_replication_role = replica", "UPDATE alembic_version SET version_num = ''"):
        with pytest.raises(ProgrammingError, match="permission denied"), app.begin() as connection:
            connection.execute(text(statement))
    assert len(log.decided()) == 1


def test_what_the_role_may_not_do_is_one_sentence(app: Engine) -> None:
    with pytest.raises(ZhipaiError) as caught, writing(app) as connection:
        connection.execute(text("DELETE FROM decisions"))
    assert caught.value.code == "E6010"


def test_personal_data_may_be_deleted_and_never_changed(app: Engine, log: Log) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), app.begin() as connection:
        connection.execute(text("UPDATE personal_data SET fields = ''"))
    with pytest.raises(DBAPIError, match="never changed"), log.engine.begin() as connection:
        connection.execute(text("UPDATE personal_data SET fields = ''"))
    with app.begin() as connection:
        connection.execute(text("DELETE FROM personal_data"))


@pytest.mark.parametrize("role", ["postgres; DROP TABLE decisions", "1app", "Capital", "", "a" * 64])
def test_a_name_that_is_no_role_is_refused(role: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        grants(role)
    assert caught.value.code == "E6015"


@pytest.mark.parametrize("role", ["nobody_of_that_name", "zhipai"])
def test_a_role_that_grants_do_not_bind_is_refused(log: Log, role: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        grant_app(log.engine, role)
    assert caught.value.code == "E6015"


def test_the_owner_is_no_role_for_the_service(log: Log) -> None:
    owner = "owner_" + uuid.uuid4().hex[:8]
    with log.engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {owner} LOGIN"))
        connection.execute(text(f"ALTER TABLE decisions OWNER TO {owner}"))
    with pytest.raises(ZhipaiError) as caught:
        grant_app(log.engine, owner)
    assert caught.value.code == "E6015" and "主人" in str(caught.value)


def test_the_list_is_what_the_migrations_protect(log: Log, tmp_path: Path) -> None:
    def protected(engine: Engine, query: str) -> set[str]:
        with engine.connect() as connection:
            return set(connection.execute(text(query)).scalars())

    like = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE '%\\_{}'"
    assert protected(log.engine, like.format("append\\_only")) == APPEND_ONLY
    assert protected(log.engine, like.format("never\\_changed")) == DELETABLE

    sqlite = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    upgrade(sqlite)
    named = "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%\\_no\\_{}' ESCAPE '\\'"
    assert protected(sqlite, named.format("delete")) == APPEND_ONLY
    assert protected(sqlite, named.format("update")) == APPEND_ONLY | DELETABLE


def test_a_database_that_is_not_set_up_is_not_granted() -> None:
    with pytest.raises(ZhipaiError) as caught:
        grant_app(make_engine(fresh_database("own_empty")), "app")
    assert caught.value.code == "E6005"
