"""Canonical JSON (RFC 8785), as :func:`rfc8785.dumps` writes it, by the C encoder of the standard library where it can.

A proposal is written three times before it is answered and stored; in pure Python that was a tenth of the whole call.
"""

from __future__ import annotations

import json
from typing import Any

import rfc8785

#: Between these, Python and ECMAScript write a number that is not whole in the same digits.
LEAST, MOST = 1e-4, 1e16
#: Whole numbers that a double holds exactly.
WHOLE = 2**53
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False).encode


class _Unusual(Exception):
    """A value that the two might write differently."""


def canonical_json(value: Any) -> bytes:
    """Canonical JSON of a JSON value: the same bytes as :func:`rfc8785.dumps`, and the same errors.

    Raises
    ------
    rfc8785.CanonicalizationError
        For what has no canonical form: NaN, an integer that a double does not hold, half a surrogate pair.
    """
    try:
        return _encode(_ready(value)).encode()
    except (_Unusual, UnicodeEncodeError, RecursionError):
        return rfc8785.dumps(value)


def _ready(value: Any) -> Any:
    """The value with whole floats as integers; :class:`_Unusual` for what the library should write itself."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        for key in value:
            # Keys are sorted by UTF-16 units: below the surrogates that is the order of their characters.
            if type(key) is not str or not (key.isascii() or max(key) < "\ud800"):
                raise _Unusual
        return {key: _ready(one) for key, one in value.items()}
    if kind is list or kind is tuple:
        return [_ready(one) for one in value]
    if kind is int:
        if -WHOLE < value < WHOLE:
            return value
    elif kind is float:
        if LEAST <= abs(value) < MOST and not value.is_integer():
            return value
        if value.is_integer() and abs(value) < WHOLE:
            return int(value)
    raise _Unusual
