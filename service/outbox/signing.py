"""Signatures of webhooks: the symmetric scheme of Standard Webhooks (https://www.standardwebhooks.com), for which most
languages have a library that verifies."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
#: Bytes of a secret (Standard Webhooks: 24 to 64).
LEAST, MOST = 24, 64


def secret_bytes(written: str) -> bytes:
    """The key of a secret written as ``whsec_`` and base64; ValueError for another form or length."""
    try:
        key = base64.b64decode(written.strip().removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("应为 whsec_ 加 base64") from error
    if not LEAST <= len(key) <= MOST:
        raise ValueError(f"解码后应为 {LEAST} 至 {MOST} 字节")
    return key


def signature(key: bytes, *, event_id: str, timestamp: int, body: bytes) -> str:
    """``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``; the timestamp in seconds since 1970 UTC."""
    content = b".".join((event_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def signed_headers(keys: Sequence[bytes], *, event_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """The three headers. With several keys (a rotation under way) there are as many signatures: any one suffices."""
    signed = " ".join(signature(key, event_id=event_id, timestamp=timestamp, body=body) for key in keys)
    return {"webhook-id": event_id, "webhook-timestamp": str(timestamp), "webhook-signature": signed}
