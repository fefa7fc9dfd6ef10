"""Independent pieces of a training on several cores, in the order they were asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

T = TypeVar("T")
#: Orders from which on starting processes pays: it takes seconds, and so do the pieces of a smaller training.
LEAST = 2000


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(work: Callable[..., T], pieces: Iterable[tuple[Any, ...]], *, orders: int) -> Iterator[T]:
    """``work(*piece)`` for each piece, on as many cores as this process may use; one after the other for few orders.

    Processes and not threads: liblinear draws from one random generator for the whole process, so that two trainings
    at once would give other bytes each time. Each piece computes on one thread, for the same reason.
    """
    cores = usable_cores()
    if orders < LEAST or cores == 1:
        for piece in pieces:
            yield _alone(work, piece)
        return
    from joblib import Parallel, delayed  # type: ignore[import-untyped]

    yield from Parallel(n_jobs=cores, return_as="generator")(delayed(_alone)(work, piece) for piece in pieces)


def _alone(work: Callable[..., T], piece: tuple[Any, ...]) -> T:
    # Sums over several threads differ in their last bits.
    with threadpool_limits(1):
        return work(*piece)
