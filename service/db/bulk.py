"""Many rows in one statement, and several statements in one round trip: where the database is a server, each statement
costs a message there and back, and under the lock of the log everybody else waits for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import JSON, Connection, Insert, Table, insert
from sqlalchemy.dialects import postgresql


def add_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that name the same columns; on PostgreSQL by one statement, the same however many they are."""
    columns = tuple(rows[0])
    if connection.dialect.name != "postgresql":
        connection.execute(_insert(table), rows)
        return
    values = {name: [_plain(table, name, row[name]) for row in rows] for name in columns}
    connection.exec_driver_sql(_insert_arrays(table, columns), values)


def add_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert one row."""
    connection.execute(_insert(table), row)


@contextmanager
def one_trip(connection: Connection) -> Iterator[None]:
    """Send the statements of the block together. None of them may give rows, and how many rows one changed is not known;
    what goes wrong is raised by ``connection.commit()``, which belongs at the end of the block."""
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except BaseException:
        # The server passed over the commit, and the pool would hand on a connection that still waits for a rollback.
        connection.invalidate()
        raise


@cache
def _insert(table: Table) -> Insert:
    # Made once: building a statement costs as much as running it. Nobody asks for the number that a row gets.
    return insert(table).inline()


@cache
def _insert_arrays(table: Table, columns: Sequence[str]) -> str:
    # %(name)b: in binary. As text, every byte of a record would take two, and be written and read digit by digit.
    arrays = ", ".join(f"%({name})b::{_type(table, name)}[]" for name in columns)
    return f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"


def _type(table: Table, column: str) -> str:
    return table.c[column].type.compile(postgresql.dialect())


def _plain(table: Table, column: str, value: Any) -> Any:
    return json.dumps(value) if isinstance(table.c[column].type, JSON) and value is not None else value
