"""Commitments (承诺值): what the log holds in place of personal data.

A commitment is HMAC-SHA-256 under a random salt of 256 bits over who the fields belong to, their paths and values.
*Hiding*: without the salt the value of a pseudo-random function tells nothing of its input, however few inputs are
possible — a telephone number under a plain hash is found by trying all of them in minutes. Deleting the salt therefore
erases as surely as deleting the fields. *Binding*: nobody finds other fields that open it, as SHA-256 has no collisions.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intake.canonical import canonical_json

ALGORITHM = "hmac-sha256"
SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sealed:
    """Fields by JSON pointer, the salt that goes with them, and what may stand in the log."""

    fields: Mapping[str, Any]
    salt: bytes
    commitment: str


def seal(fields: Mapping[str, Any], *, owner: str) -> Sealed:
    """Commit to the fields of an order or a proposal under a new salt."""
    salt = secrets.token_bytes(SALT_BYTES)
    return Sealed(dict(fields), salt, commit(fields, owner=owner, salt=salt))


def commit(fields: Mapping[str, Any], *, owner: str, salt: bytes) -> str:
    """``hmac-sha256:`` and 64 hex digits; the message is canonical JSON (RFC 8785), so no two inputs share one."""
    message = canonical_json({"owner": owner, "fields": dict(fields)})
    return f"{ALGORITHM}:{hmac.digest(salt, message, 'sha256').hex()}"


def opens(commitment: str, fields: Mapping[str, Any], *, owner: str, salt: bytes) -> bool:
    """Whether these are the fields that were committed to."""
    return hmac.compare_digest(commitment, commit(fields, owner=owner, salt=salt))
