"""What a deletion leaves behind in the files of a database, and how it is cleaned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from service.db.engine import sqlite_file

#: Bytes that are read at a time when a file is searched.
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """``journal``: nothing of it is left in the write-ahead log. ``rewritten``: the file or table was written anew."""

    journal: bool
    rewritten: bool


def scrub(engine: Engine, *, rewrite: bool = False) -> Scrubbed:
    """Clean the places where deleted rows stood.

    SQLite: every connection has ``secure_delete``, so the pages themselves hold zeros already; what is left stands in
    the write-ahead log, which is emptied here (``journal`` False: somebody is reading, the next erasure or the last
    process to close empties it). ``rewrite`` is a ``VACUUM``. PostgreSQL: ``VACUUM`` frees the dead rows, ``rewrite``
    (``VACUUM FULL``, which locks the table) gives their space back; its log and its backups are not ours to clean.
    """
    if engine.dialect.name != "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"VACUUM {'(FULL) ' if rewrite else ''}personal_data")
        return Scrubbed(journal=True, rewritten=rewrite)
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        if rewrite:
            cursor.execute("VACUUM")
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        cursor.close()
    finally:
        raw.close()
    return Scrubbed(journal=not busy, rewritten=rewrite)


def database_files(url: str) -> list[Path]:
    """The file of a SQLite database with its journals; none for another database."""
    file = sqlite_file(url)
    if file is None:
        return []
    return [
        path
        for path in (file, *(file.with_name(f"{file.name}{tail}") for tail in ("-wal", "-shm", "-journal")))
        if path.is_file()
    ]


def residue(files: Iterable[Path], value: str) -> list[tuple[str, int]]:
    """File name and place of every occurrence of a value, as UTF-8 and as JSON escapes it."""
    forms = {value.encode(), value.encode("ascii", "backslashreplace"), value.encode("utf-16-le")}
    return [(path.name, place) for path in files for form in forms for place in _places(path, form)]


def _places(path: Path, form: bytes) -> Iterable[int]:
    start, rest = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            data = rest + chunk
            place = data.find(form)
            while place >= 0:
                yield start - len(rest) + place
                place = data.find(form, place + 1)
            start += len(chunk)
            rest = data[len(data) - len(form) + 1 :] if len(form) > 1 else b""
