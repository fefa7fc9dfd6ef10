"""The record of a change of permission: written in the same transaction, or the change did not happen."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from intake.canonical import canonical_json
from service.access.actor import Actor
from service.log import append_record
from service.version import VERSION

#: What is recorded of an account or a key, before and after. No hash, no token, no secret.
SHOWN = (
    "display",
    "title",
    "roles",
    "actions",
    "districts",
    "units",
    "closed",
    "subject",
    "expires_at",
    "revoked_at",
)


def record_change(
    connection: Connection,
    *,
    actor: Actor,
    permission: str,
    what: str,
    subject: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    reason: str,
    at: datetime,
    request_id: str = "",
) -> str:
    """Append a record of kind ``access`` and return its decision id.

    ``permission``: the action under which it was done; ``what``: ``create_account``, ``change_account`` …; ``subject``:
    the account, or ``key:<id>``.
    """
    body = {
        "actor": actor.name,
        "role": actor.role_for(permission),
        "action": what,
        "subject": subject,
        "before": _shown(before),
        "after": _shown(after),
        "reason": reason,
        "as_of": at.isoformat(),
        "software": f"zhipai {VERSION}",
        "request_id": request_id,
    }
    digest = hashlib.sha256(canonical_json(body)).hexdigest()
    decision_id, _ = append_record(
        connection, kind="access", body=body, key=f"access-{uuid.uuid4().hex}", digest=digest, at=at
    )
    return decision_id


def _shown(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {key: row[key] for key in SHOWN if key in row}
