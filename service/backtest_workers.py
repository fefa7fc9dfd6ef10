"""Count the orders of a backtest in parts, in this process or in several; the parts come back in their order."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice

from intake.unit import UnitDirectory
from rules.backtest import Case, Comparison, Tally
from service.backtest_facts import FactCache, Item, content_key, derive
from service.backtest_sources import Entry
from service.backtest_state import Plan, Speed

#: Orders that go to a worker at a time; part of the format of kept facts, not of the outcome.
CHUNK = 200
#: Up to this many orders, starting worker processes costs more than it saves.
SMALL = 400
UNKNOWN_UNIT, UNKNOWN_DISTRICT, UNKNOWN_MONTH = "（单位未填）", "（区未填）", "（受理时间未填）"

Counted = tuple[list[Entry], Tally, Speed]


def counted(plan: Plan, directory: UnitDirectory | None, entries: Iterator[Entry]) -> Iterator[Counted]:
    """The parts in their order, each with its counts. A bounded number is under way."""
    first = list(islice(entries, SMALL))
    chunks = [first[start : start + CHUNK] for start in range(0, len(first), CHUNK)]
    more = list(islice(entries, CHUNK))
    if not more or plan.workers <= 1:
        counter = _Counter(plan, directory)
        for chunk in chunks:
            yield (chunk, *counter.count(items_of(chunk)))
        while more:
            yield (more, *counter.count(items_of(more)))
            more = list(islice(entries, CHUNK))
        return
    waiting: deque[tuple[list[Entry], Future[tuple[Tally, Speed]]]] = deque()
    with _processes(plan, directory) as pool:
        while chunks or more:
            chunk = chunks.pop(0) if chunks else more
            if chunk is more:
                more = list(islice(entries, CHUNK))
            waiting.append((chunk, pool.submit(_count, items_of(chunk))))
            if len(waiting) > 2 * plan.workers:
                done, future = waiting.popleft()
                yield (done, *future.result())
        while waiting:
            done, future = waiting.popleft()
            yield (done, *future.result())


def items_of(chunk: Sequence[Entry]) -> list[Item]:
    return [entry for entry in chunk if isinstance(entry, Item)]


class _Counter:
    """Derives facts and counts, in whichever process."""

    def __init__(self, plan: Plan, directory: UnitDirectory | None):
        self._gazetteer, self._directory = plan.gazetteer, directory
        self._context = f"{plan.gazetteer_id} {directory.id if directory else ''}"
        self._cache = FactCache(plan.cache)
        self._comparison = Comparison(plan.new, plan.old, gates=plan.gates, truths=plan.truths)
        self._packs = 1 + (plan.old is not None)
        self._districts = {unit.name: unit.district for unit in directory.units} if directory else {}

    def count(self, items: list[Item]) -> tuple[Tally, Speed]:
        started = time.process_time()
        key = content_key(items, self._context) if self._cache.folder else ""
        facts = self._cache.load(key, len(items))
        cached = facts is not None
        if facts is None:
            facts = [derive(item, self._gazetteer, self._directory) for item in items]
            self._cache.save(key, facts)
        between = time.process_time()
        cases = (
            (
                item.number,
                Case(
                    facts=row,
                    as_of=item.as_of,
                    unit=item.order.unit or UNKNOWN_UNIT,
                    district=item.order.district or self._districts.get(item.order.unit, "") or UNKNOWN_DISTRICT,
                    month=f"{item.order.received_at:%Y-%m}" if item.order.received_at else UNKNOWN_MONTH,
                    logged=item.logged,
                    flags=item.flags,
                ),
            )
            for item, row in zip(items, facts, strict=True)
        )
        tally = self._comparison.count(cases)
        speed = Speed(
            deriving=between - started,
            derived=0 if cached else len(items),
            counting=time.process_time() - between,
            evaluations=len(items) * self._packs,
            cached=len(items) if cached else 0,
        )
        return tally, speed


_counter: _Counter | None = None


@contextmanager
def _processes(plan: Plan, directory: UnitDirectory | None) -> Iterator[ProcessPoolExecutor]:
    """Spawned, as :mod:`service.pool` does. What is under way is given up when the caller is interrupted."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(plan.workers, mp_context=context, initializer=_start, initargs=(plan, directory))
    try:
        with _deaf():
            pool.submit(_listening)
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started in here takes no notice of Ctrl+C, which reaches the whole group: the parent saves where it
    stands and stops the workers itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _listening() -> None:
    """The first task: processes start when there is one."""


def _start(plan: Plan, directory: UnitDirectory | None) -> None:
    global _counter
    _counter = _Counter(plan, directory)


def _count(items: list[Item]) -> tuple[Tally, Speed]:
    if _counter is None:
        raise RuntimeError("the worker was not initialised")
    return _counter.count(items)
