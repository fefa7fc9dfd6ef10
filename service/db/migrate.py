"""Alembic, called as a library: no alembic.ini, no command to remember."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from intake.errors import ZhipaiError
from service.db.engine import database_error, hold


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def head_revision() -> str:
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current_revision(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() or ""
    except DBAPIError as error:
        raise database_error(error) from error


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database to the newest revision in one transaction. Safe to call again; E6004 if a row lost its anchor."""
    config = _config()
    try:
        with engine.connect().execution_options(writing=True) as connection, _tables_may_be_rebuilt(connection):
            hold(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise ZhipaiError("E6004")
            connection.commit()
    except DBAPIError as error:
        raise database_error(error) from error


@contextmanager
def _tables_may_be_rebuilt(connection: Connection) -> Iterator[None]:
    """SQLite changes a column by building the table anew, which foreign keys that point to it would forbid.

    They can be switched off only outside a transaction, so for the whole upgrade, which checks them at its end.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()
