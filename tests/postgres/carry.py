"""A database of its own on the server for what a test would keep in a SQLite file."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from service.db import engine as engine_module
from service.db.migrate import upgrade
from service.db.tables import Base
from tests.postgres.server import fresh_database

#: As the service has it, also where the plugin puts another in its place.
make_engine = engine_module.make_engine


@cache
def address_of(path: Path) -> str:
    """The address that stands for a SQLite file; rows that the file holds already are carried over."""
    url = fresh_database("t_" + hashlib.sha256(str(path).encode()).hexdigest()[:16])
    if not path.is_file():
        return url
    file = sa.create_engine(f"sqlite:///{path}")
    engine = make_engine(url)
    with file.connect() as here:
        upgrade(engine, here.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
        _carry(here, engine)
    engine.dispose()
    file.dispose()
    return url


def _carry(here: sa.Connection, engine: sa.Engine) -> None:
    """Every row, with triggers and foreign keys asleep, as a restore does; then the numbers go on after the last."""
    with engine.begin() as there:
        there.exec_driver_sql("SET session_replication_role = replica")
        for table in Base.metadata.sorted_tables:
            there.execute(sa.delete(table))
            rows = [dict(row._mapping) for row in here.execute(sa.select(table))]
            if rows:
                there.execute(sa.insert(table), rows)
            counted = table.autoincrement_column
            if counted is not None and counted.autoincrement is not False and rows:
                last = max(row[counted.name] for row in rows)
                sequence = there.execute(
                    sa.text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": table.name, "c": counted.name}
                ).scalar()
                if sequence:
                    there.execute(sa.text("SELECT setval(:s, :n)"), {"s": sequence, "n": last})
