"""Forms whose fields are not known beforehand, and what they need besides."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from starlette.datastructures import FormData

#: Fields of one form.
MOST_FIELDS = 600


async def _form(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=MOST_FIELDS)


#: Every field of a form without files.
Fields = Annotated[FormData, Depends(_form)]


def new_key() -> str:
    """One for each time a form is shown: sent twice, it counts once."""
    return uuid.uuid4().hex


def word(form: FormData, name: str) -> str:
    """A text field; empty where it is not there or is a file."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def in_zone(zone: str) -> Callable[[str], datetime]:
    """For templates: an instant as stored (UTC) in the zone of the installation."""
    place = ZoneInfo(zone)
    return lambda text: datetime.fromisoformat(text).astimezone(place)


def part(text: str) -> str:
    """A number as a part of an address: orders and entries come numbered by other systems."""
    return quote(text, safe="")
