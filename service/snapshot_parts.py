"""What a proposal is computed from, kept so that it can be found again by its id when a decision is replayed.

A model stands in the registry, published rules and the versions of entries in the database. What stands nowhere else is
kept here when it is first used: rules of a folder that were never published, the calendar, the directory, the gazetteer.
"""

from __future__ import annotations

import json
import platform
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from sqlalchemy import Connection, Engine, select, text

from intake.errors import ZhipaiError
from rules.bundle import make_bundle
from service.db.engine import reading, writing
from service.db.tables_privacy import SNAPSHOT_PARTS
from service.logging import get_logger
from service.packs import overrides_of
from service.settings import Settings
from service.snapshot import Snapshot
from service.version import VERSION

RULES, CALENDAR, DIRECTORY, GAZETTEER = "rules", "calendar", "directory", "gazetteer"
#: Libraries whose version may change the last digits of a probability, or what a text is cut into.
LIBRARIES = (
    "chinesecalendar", "faiss-cpu", "jieba", "numpy", "onnxruntime", "opencc-python-reimplemented", "scikit-learn", "scipy"
)  # fmt: skip
_INSERT = text(
    "INSERT INTO snapshot_parts (kind, part_id, content, created_at) VALUES (:kind, :part_id, :content, :created_at)"
    " ON CONFLICT DO NOTHING"
)


def keep(engine: Engine, snapshot: Snapshot, *, at: datetime) -> dict[str, Any]:
    """Keep the parts of a snapshot that stand nowhere else, and say where a proposal is computed.

    Cheap after the first time that a process sees a snapshot. One that was not loaded by settings has nothing to keep.

    Returns
    -------
    dict
        The ``context`` of a proposal: software, libraries, encoder, gazetteer, rule engine.
    """
    gazetteer = gazetteer_id(snapshot.settings) if snapshot.settings else ""
    if snapshot.settings is not None:
        _keep_parts(snapshot.settings, engine, snapshot, gazetteer, at)
    return context_of(snapshot.encoder.id, gazetteer) | {"rule_engine": snapshot.rules.kind}


def context_of(encoder: str, gazetteer: str) -> dict[str, Any]:
    """What besides the snapshot ids may change a proposal: software, libraries, encoder and gazetteer."""
    return _machine() | {"encoder": encoder, "gazetteer": gazetteer}


@cache
def _machine() -> dict[str, Any]:
    return {
        "software": f"zhipai {VERSION}",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


#: Database and ids of the snapshots whose parts this process knows to be kept.
_KEPT: set[tuple[str, ...]] = set()


def _keep_parts(settings: Settings, engine: Engine, snapshot: Snapshot, gazetteer: str, at: datetime) -> None:
    ids = snapshot.ids
    key = str(engine.url), ids.rules, ids.calendar, ids.directory, gazetteer
    if key in _KEPT:
        return
    parts = {CALENDAR: ids.calendar, DIRECTORY: ids.directory, GAZETTEER: gazetteer}
    if snapshot.publication is None:
        parts[RULES] = ids.rules
    with reading(engine) as connection:
        missing = {kind: part for kind, part in parts.items() if part and not _stands(connection, kind, part)}
    contents = {kind: _content(settings, snapshot, kind) for kind in missing}
    with writing(engine) as connection:
        for kind, content in contents.items():
            if content is not None:
                row = {"kind": kind, "part_id": missing[kind], "content": content, "created_at": at.isoformat()}
                connection.execute(_INSERT, row)
        connection.commit()
    _KEPT.add(key)


def _stands(connection: Connection, kind: str, part_id: str) -> bool:
    table = SNAPSHOT_PARTS.c
    query = select(table.part_id).where(table.kind == kind, table.part_id == part_id)
    return connection.execute(query).first() is not None


def _content(settings: Settings, snapshot: Snapshot, kind: str) -> bytes | None:
    if kind == CALENDAR:
        return json.dumps(snapshot.calendar.to_data(), ensure_ascii=False).encode()
    if kind == DIRECTORY:
        return snapshot.directory.to_json().encode()
    if kind == GAZETTEER:
        return _gazetteer(settings)[1]
    try:
        return make_bundle(snapshot.rules.pack, overrides=overrides_of(settings)).content
    except (ZhipaiError, OSError) as error:
        # The folder was changed since it was loaded: its former text is gone, and a proposal must not wait for that.
        get_logger().warning("rules_not_kept", rules=snapshot.ids.rules, problem=type(error).__name__)
        return None


def _gazetteer(settings: Settings) -> tuple[str, bytes]:
    """The id and content of the gazetteer in use; empty where there is none."""
    path = settings.city / "gazetteer.yaml"
    if not path.is_file():
        return "", b""
    stat = path.stat()
    return _read_gazetteer(str(path), stat.st_size, stat.st_mtime_ns)


@cache
def _read_gazetteer(path: str, _size: int, _changed: int) -> tuple[str, bytes]:
    with open(path, "rb") as file:  # noqa: PTH123 - the key of the cache is text
        content = file.read()
    return f"gazetteer-{sha256(content).hexdigest()[:16]}", content


def gazetteer_id(settings: Settings) -> str:
    """The id of the gazetteer in use; empty where there is none."""
    return _gazetteer(settings)[0]


def kept(engine: Engine, kind: str, part_id: str) -> bytes | None:
    """The content of a part that was kept, None if it was not."""
    table = SNAPSHOT_PARTS.c
    with reading(engine) as connection:
        query = select(table.content).where(table.kind == kind, table.part_id == part_id)
        found: bytes | None = connection.execute(query).scalar()
    return found
