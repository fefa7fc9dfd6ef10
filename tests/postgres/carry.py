"""A database of its own on the server for what a test would keep in a SQLite file."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import sqlalchemy as sa

from service.db import engine as engine_module
from service.db.migrate import upgrade
from service.db.tables import Base
from tests.postgres.server import fresh_database

#: As the service has it, also where the plugin puts another in its place.
make_engine = engine_module.make_engine


#: A file that stands for a database begins with this; its name follows. So a copy of the file is a copy of the database.
MARK = b"zhipai-test-postgres:"
_known: dict[Path, str] = {}


def address_of(path: Path) -> str:
    """The address that stands for a SQLite file; the rows of a real one, or of the database of a copied mark, are there."""
    name = "t_" + hashlib.sha256(str(path).encode()).hexdigest()[:16]
    content = path.read_bytes() if path.is_file() else b""
    marked = content.removeprefix(MARK).decode() if content.startswith(MARK) else ""
    if path in _known and marked in ("", name):
        return _known[path]
    _known[path] = url = fresh_database(name, template=marked or "template1")
    if content and not marked:
        _carry(path, url)
    # The file of the checkout stays what it is.
    if path.parent.is_dir() and path.is_relative_to(tempfile.gettempdir()):
        path.write_bytes(MARK + name.encode())
    return url


def _carry(path: Path, url: str) -> None:
    """Every row, with triggers and foreign keys asleep, as a restore does; then the numbers go on after the last."""
    file, engine = sa.create_engine(f"sqlite:///{path}"), make_engine(url)
    with file.connect() as here:
        upgrade(engine, here.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
        with engine.begin() as there:
            there.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for table in Base.metadata.sorted_tables:
                _carry_table(here, there, table)
    engine.dispose()
    file.dispose()


def _carry_table(here: sa.Connection, there: sa.Connection, table: sa.Table) -> None:
    there.execute(sa.delete(table))
    rows = [dict(row._mapping) for row in here.execute(sa.select(table))]
    if not rows:
        return
    there.execute(sa.insert(table), rows)
    counted = table.autoincrement_column
    sequence = (
        counted is not None
        and there.execute(
            sa.text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": counted.name}
        ).scalar()
    )
    if sequence:
        last = max(row[counted.name] for row in rows)
        there.execute(sa.text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last})
