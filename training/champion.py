"""Which model is in force, read from MLflow's own tables.

Importing mlflow takes about 2 s and 150 MB in every process, so serving does not: it asks this one question.
``tests/training/test_registry.py`` holds the answer to be the one that ``MlflowClient`` gives.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError, register

register(
    "E5101",
    "模型库读不出",
    "模型库“{store}”读不出来（{problem}）。请检查磁盘和权限，或从备份恢复 mlflow.db。",
    exit_code=3,
)

DATABASE = "mlflow.db"
MODEL = "unit-ranker"
CHAMPION = "champion"
#: Tags of a version. ``PATH`` is relative to the store, so that a store may be moved, and is set last of all.
MODEL_ID, PATH = "zhipai.model_id", "zhipai.path"
#: Tag with the name of the orders that a version was trained on.
SOURCE = "source"

_TABLES = "SELECT count(*) FROM sqlite_master WHERE name IN ('registered_model_aliases', 'model_version_tags')"
_QUERY = """
    SELECT alias.version, identity.value, place.value
    FROM registered_model_aliases AS alias
    JOIN model_version_tags AS identity
      ON identity.name = alias.name AND identity.version = alias.version AND identity.key = :identity
    JOIN model_version_tags AS place
      ON place.name = alias.name AND place.version = alias.version AND place.key = :place
    WHERE alias.name = :model AND alias.alias = :alias
"""
_TAG = "SELECT value FROM model_version_tags WHERE name = :model AND version = :version AND key = :key"
_BY_MODEL = """
    SELECT identity.version, place.value
    FROM model_version_tags AS identity
    JOIN model_version_tags AS place
      ON place.name = identity.name AND place.version = identity.version AND place.key = :place
    WHERE identity.name = :model AND identity.key = :identity AND identity.value = :wanted
    ORDER BY CAST(identity.version AS INTEGER) DESC
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A registered model: its number, the folder of its artifact, its content hash, and the aliases that name it."""

    version: str
    path: Path
    model_id: str
    aliases: tuple[str, ...] = ()


def champion(store: Path, *, alias: str = CHAMPION) -> Version | None:
    """The version that an alias names, or None when there is no store or no such alias.

    Asks and changes nothing. The file is opened for writing all the same where permissions allow: after a process was
    killed within a transaction SQLite has to roll that back before anyone can read.

    Raises
    ------
    ZhipaiError
        E5101 when the database is there and cannot be read.
    """
    names = {"identity": MODEL_ID, "place": PATH, "model": MODEL, "alias": alias}
    rows = _ask(store, _QUERY, names)
    return Version(str(rows[0][0]), store / rows[0][2], rows[0][1], (alias,)) if rows else None


def source_of(store: Path, version: Version) -> str:
    """The name of the orders that a version was trained on, empty where it was not said; E5101."""
    rows = _ask(store, _TAG, {"model": MODEL, "version": version.version, "key": SOURCE})
    return str(rows[0][0]) if rows else ""


def versions_of(store: Path, model_id: str) -> list[Version]:
    """The registered versions that hold a model, whether in force or not, the newest first; E5101 as above."""
    names = {"identity": MODEL_ID, "place": PATH, "model": MODEL, "wanted": model_id}
    return [Version(str(number), store / place, model_id) for number, place in _ask(store, _BY_MODEL, names)]


def _ask(store: Path, query: str, names: dict[str, str]) -> list[tuple[Any, ...]]:
    """The rows of a query, none where there is no store."""
    database = store / DATABASE
    if not database.is_file():
        return []
    try:
        uri = f"{database.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=10)) as connection:
            if connection.execute(_TABLES).fetchone() != (2,):
                # The database is being made by a first training this moment.
                return []
            connection.execute("PRAGMA query_only = 1")
            return connection.execute(query, names).fetchall()
    except sqlite3.Error as error:
        raise ZhipaiError("E5101", {"store": store.name, "problem": type(error).__name__}) from error
