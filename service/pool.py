"""Propose for many orders on several processors: the same pure function, in processes of their own."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from intake.order import WorkOrder
from service.proposal import Proposal
from service.settings import Settings
from service.snapshot import Snapshot, open_snapshot
from service.triage import propose_many


class Pool(Protocol):
    """Takes orders, gives their proposals (without evidence) in the same order, later."""

    def submit(self, orders: Sequence[WorkOrder], as_of: datetime) -> Future[list[Proposal]]: ...


@dataclass(frozen=True)
class Here:
    """In this process, at once."""

    snapshot: Snapshot

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, as_of: datetime) -> Iterator[Here]:
        yield cls(open_snapshot(settings, as_of))

    def submit(self, orders: Sequence[WorkOrder], as_of: datetime) -> Future[list[Proposal]]:
        future: Future[list[Proposal]] = Future()
        future.set_result(list(propose_many(orders, as_of=as_of, snapshot=self.snapshot, with_evidence=False)))
        return future


@dataclass(frozen=True)
class Processes:
    """In worker processes, each with a snapshot of its own (about 450 MB and 2 s to start)."""

    executor: ProcessPoolExecutor

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, as_of: datetime) -> Iterator[Processes]:
        """As many as the service has. Spawned, not forked: the encoder's threads do not survive a fork."""
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            settings.workers, mp_context=context, initializer=_load, initargs=(settings, as_of)
        ) as pool:
            yield cls(pool)

    def submit(self, orders: Sequence[WorkOrder], as_of: datetime) -> Future[list[Proposal]]:
        return self.executor.submit(_propose, list(orders), as_of)


_snapshot: Snapshot | None = None


def _load(settings: Settings, as_of: datetime) -> None:
    global _snapshot
    _snapshot = open_snapshot(settings, as_of)
    # What was loaded stays; see service.api.app.
    gc.collect()
    gc.freeze()


def _propose(orders: list[WorkOrder], as_of: datetime) -> list[Proposal]:
    if _snapshot is None:
        raise RuntimeError("the worker was not initialised")
    return list(propose_many(orders, as_of=as_of, snapshot=_snapshot, with_evidence=False))
