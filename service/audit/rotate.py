"""Changing the key that signs checkpoints: a decision like any other, so the log says who did it and when."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime

from sqlalchemy import Engine

from service.audit.keys import KeyStore
from service.audit.note import PublicKey
from service.audit.tree import identity_of
from service.db.engine import reading, writing
from service.log import append_record
from service.settings import Settings
from service.version import VERSION


def rotate_key(
    engine: Engine, settings: Settings, *, actor: str, at: datetime, role: str = ""
) -> tuple[PublicKey | None, PublicKey]:
    """Put a new key in use and record it (kind ``log_key``): the record is written first, or the old key stays.

    Returns
    -------
    (PublicKey or None, PublicKey)
        The old key and the new one.
    """
    with reading(engine) as connection:
        origin = identity_of(connection).origin

    def record(old: PublicKey | None, new: PublicKey) -> None:
        with writing(engine) as connection:
            append_record(
                connection,
                kind="log_key",
                body={
                    "actor": actor,
                    "role": role,
                    "old_key": old.line if old else "",
                    "new_key": new.line,
                    "software": f"zhipai {VERSION}",
                },
                key=f"log-key-{uuid.uuid4().hex}",
                digest=hashlib.sha256(new.line.encode()).hexdigest(),
                at=at,
            )
            connection.commit()

    return KeyStore(settings.key_folder).rotate(origin, at=at, record=record)
