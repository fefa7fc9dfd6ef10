"""The one place that reads the clock. Everything else takes ``as_of`` as an argument (architecture, promise 1)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def now(zone: str = "Asia/Shanghai") -> datetime:
    """The present instant, aware, in the zone of the city."""
    return datetime.now(ZoneInfo(zone))
