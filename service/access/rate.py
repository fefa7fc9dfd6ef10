"""How often somebody may ask: a token bucket for each key, session or address."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from intake.errors import ZhipaiError, register

register("E6524", "请求太频繁", "请求太频繁，请 {seconds} 秒后再试。", status=429)

#: Buckets that are kept. The one that was not asked for longest goes first; it would be full again anyway.
MOST = 20_000


class Buckets:
    """Buckets of ``per_minute`` tokens that fill up evenly. They live in the memory of one process: with several workers
    somebody may ask up to that many times as often.

    ``now`` gives seconds that never step back.
    """

    def __init__(self, per_minute: int, *, now: Callable[[], float] = time.monotonic):
        self.per_minute = per_minute
        self._now = now
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, subject: str) -> None:
        """Take one token; E6524 with the seconds to wait if there is none."""
        now = self._now()
        with self._lock:
            left, then = self._left.pop(subject, (float(self.per_minute), now))
            left = min(self.per_minute, left + (now - then) * self.per_minute / 60)
            allowed = left >= 1
            self._left[subject] = (left - 1 if allowed else left, now)
            if len(self._left) > MOST:
                self._left.popitem(last=False)
        if not allowed:
            raise ZhipaiError("E6524", {"seconds": max(1, math.ceil((1 - left) * 60 / self.per_minute))})
