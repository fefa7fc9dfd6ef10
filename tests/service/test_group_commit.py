"""Decisions that arrive at the same time share a transaction: each gets its own answer, none spoils another."""

from __future__ import annotations

import gc
import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, insert, text

from intake.errors import ZhipaiError
from intake.unit import Unit, UnitDirectory
from service import decisions
from service.audit.verify import verify_log
from service.db.engine import make_engine, reading, writing
from service.db.migrate import upgrade
from service.db.tables import PROPOSALS, WORK_ORDERS
from service.db.tables_queue import ORDER_QUEUE
from service.decisions import Asked, DecisionRequest, decide, record_decisions
from service.log import Recorded

AT = datetime(2026, 5, 6, 9, 30, tzinfo=UTC)
UNIT = "城市管理局"
DIRECTORY = UnitDirectory([Unit(name=UNIT)])
WITH = {"software": "t", "request_id": "r", "at": AT}
MANY = 24


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database with as many proposals, of orders that wait in the queue."""
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}", busy_seconds=30)
    upgrade(engine)
    proposal = {"as_of": AT.isoformat(), "units": [{"unit": UNIT}], "snapshot": {}, "order": {"masked_paths": []}}
    with writing(engine) as connection:
        for n in range(MANY):
            connection.execute(insert(WORK_ORDERS).values(order_id=f"o-{n}", original={}, created_at=AT.isoformat()))
            connection.execute(
                insert(PROPOSALS).values(
                    proposal_id=f"p-{n}", order_id=f"o-{n}", as_of=AT.isoformat(), proposal=json.dumps(proposal),
                    created_at=AT.isoformat(),
                )
            )  # fmt: skip
            connection.execute(
                insert(ORDER_QUEUE).values(
                    order_id=f"o-{n}", status="open", revision=1, proposal_id=f"p-{n}", district="", channel="",
                    abstained=False, due_at="9999", unit="", actor="", changed_at="",
                )
            )  # fmt: skip
        connection.commit()
    yield engine
    engine.dispose()


def asks(n: int, **changes: object) -> DecisionRequest:
    return replace(DecisionRequest(f"p-{n}", "accept", UNIT, "pd-1", "", f"key-{n:05}"), **changes)


class Callers:
    """Threads that decide; what each got."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.got: dict[str, Recorded | Exception] = {}
        self.threads: list[threading.Thread] = []

    def start(self, name: str, request: DecisionRequest, directory: Callable[[], UnitDirectory] = lambda: DIRECTORY):
        def call() -> None:
            try:
                self.got[name] = decide(self.engine, request, directory=directory, **WITH)
            except Exception as error:  # noqa: BLE001 - told to the test
                self.got[name] = error

        self.threads.append(threading.Thread(target=call))
        self.threads[-1].start()

    def together(self, requests: dict[str, DecisionRequest], *, directory: dict[str, Callable[[], UnitDirectory]]):
        """One is at work; the others arrive meanwhile, in their order; then it goes on. What each got."""
        at_work, go_on = threading.Event(), threading.Event()

        def slow() -> UnitDirectory:
            at_work.set()
            assert go_on.wait(60)
            return DIRECTORY

        self.start("first", asks(MANY - 1), slow)
        assert at_work.wait(60)
        waiting = decisions._groups[self.engine]._waiting
        for number, (name, request) in enumerate(requests.items(), start=1):
            self.start(name, request, directory.get(name, lambda: DIRECTORY))
            while len(waiting) < number:
                time.sleep(0.001)
        go_on.set()
        return self.join()

    def join(self) -> dict[str, Recorded | Exception]:
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive()
        return self.got


@pytest.fixture
def commits(engine: Engine) -> list[int]:
    """One for every commit from now on."""
    made: list[int] = []
    event.listen(engine, "commit", lambda _connection: made.append(1))
    return made


def recorded(engine: Engine) -> list[str]:
    """The keys in the order of the log, which is whole and without a gap; every part of a decision is there."""
    report = verify_log(engine, keys=[])
    assert report.whole, report
    with reading(engine) as connection:
        rows = connection.execute(text("SELECT sequence, idempotency_key, decision_id FROM decisions ORDER BY 1")).all()
        assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
        found = sorted(row.decision_id for row in rows)
        for query in ("routings", "outbox", "order_events", "order_queue WHERE status = 'dispatched'"):
            assert sorted(connection.execute(text(f"SELECT decision_id FROM {query}")).scalars()) == found, query
    return [row.idempotency_key for row in rows]


def test_one_alone_goes_at_once_in_a_commit_of_its_own(engine: Engine, commits: list[int]) -> None:
    for n in range(3):
        assert not decide(engine, asks(n), directory=lambda: DIRECTORY, **WITH).repeated
    assert len(commits) == 3 and recorded(engine) == ["key-00000", "key-00001", "key-00002"]


def test_those_who_come_meanwhile_share_a_commit(engine: Engine, commits: list[int]) -> None:
    got = Callers(engine).together({str(n): asks(n) for n in range(MANY - 1)}, directory={})
    assert len(commits) == 2, "先来的自己提交一次，其余的合在一次里"
    keys = {name: json.loads(one.content)["proposal_id"] for name, one in got.items() if isinstance(one, Recorded)}
    assert keys == {"first": f"p-{MANY - 1}"} | {str(n): f"p-{n}" for n in range(MANY - 1)}, "各得各的答复"
    assert recorded(engine) == [f"key-{MANY - 1:05}", *(f"key-{n:05}" for n in range(MANY - 1))], "先到的在前"


def test_many_threads_at_once_leave_no_gap(engine: Engine) -> None:
    callers = Callers(engine)
    for n in range(MANY):
        callers.start(str(n), asks(n))
    assert all(isinstance(one, Recorded) and not one.repeated for one in callers.join().values())
    assert sorted(recorded(engine)) == [f"key-{n:05}" for n in range(MANY)]


def test_a_refused_one_spoils_nobody_else(engine: Engine, commits: list[int]) -> None:
    got = Callers(engine).together(
        {
            "good": asks(0),
            "other unit": asks(1, unit="市公安局"),
            "no reason": asks(2, action="override"),
            "no proposal": asks(3, proposal_id="p-none"),
            "not in force": asks(4, action="override", unit="某局", reason="试试看"),
            "same order": asks(0, idempotency_key="key-again"),
            "repeated": asks(0),
            "other request": asks(5, idempotency_key="key-00000"),
            "also good": asks(6),
        },
        directory={},
    )
    codes = {name: one.code for name, one in got.items() if isinstance(one, ZhipaiError)}
    assert codes == {
        "other unit": "E6402", "no reason": "E6401", "no proposal": "E6301", "not in force": "E1101",
        "same order": "E7951", "other request": "E6403",
    }  # fmt: skip
    good, repeated = got["good"], got["repeated"]
    assert isinstance(good, Recorded) and isinstance(repeated, Recorded)
    assert repeated.repeated and repeated.content == good.content
    assert recorded(engine) == [f"key-{MANY - 1:05}", "key-00000", "key-00006"] and len(commits) == 2


def test_a_key_that_comes_twice_at_once_stands_for_the_one_that_was_not_refused(engine: Engine) -> None:
    asked = [Asked(request, lambda: DIRECTORY, **WITH) for request in (asks(0, action="override"), asks(0))]
    with writing(engine) as connection:
        refused, done = record_decisions(connection, asked)
    assert isinstance(refused, ZhipaiError) and refused.code == "E6401"
    assert isinstance(done, Recorded) and not done.repeated
    assert recorded(engine) == ["key-00000"]


def test_a_key_that_comes_twice_at_once_is_written_in_the_same_transaction(engine: Engine, commits: list[int]) -> None:
    asked = [Asked(request, lambda: DIRECTORY, **WITH) for request in (asks(0), asks(1), asks(0), asks(1))]
    with writing(engine) as connection:
        outcomes = record_decisions(connection, asked)
    assert [one.repeated for one in outcomes if isinstance(one, Recorded)] == [False, False, True, True]
    assert len(commits) == 1 and recorded(engine) == ["key-00000", "key-00001"]


def test_an_unforeseen_failure_is_told_to_whoever_brought_it(engine: Engine) -> None:
    def broken() -> UnitDirectory:
        raise OSError(28, "No space left on device")

    requests = {"good": asks(0), "bad": asks(1), "also good": asks(2)}
    got = Callers(engine).together(requests, directory={"bad": broken})
    assert isinstance(got["bad"], OSError)
    assert recorded(engine) == [f"key-{MANY - 1:05}", "key-00000", "key-00002"]


def test_a_database_cut_off_is_told_to_the_whole_group_and_nothing_is_written(engine: Engine, monkeypatch) -> None:
    written = decisions.append_drafts

    def write_and_cut(connection, place, drafts):
        contents = written(connection, place, drafts)
        if len(drafts) > 1:
            connection.connection.dbapi_connection.close()
        return contents

    monkeypatch.setattr(decisions, "append_drafts", write_and_cut)
    requests = {str(n): asks(n) for n in range(5)}
    got = Callers(engine).together(requests, directory={})
    errors = [got[name] for name in requests]
    assert [one.code for one in errors if isinstance(one, ZhipaiError)] == ["E6011"] * 5
    assert len({id(one) for one in errors}) == 5, "每人一个，不共用"
    monkeypatch.undo()
    assert recorded(engine) == [f"key-{MANY - 1:05}"]
    for n in range(5):
        assert not decide(engine, asks(n), directory=lambda: DIRECTORY, **WITH).repeated
    assert len(recorded(engine)) == 6


def test_an_engine_that_nobody_holds_is_let_go(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'b.db'}")
    upgrade(engine)
    with pytest.raises(ZhipaiError, match="E6301"):
        decide(engine, asks(0), directory=lambda: DIRECTORY, **WITH)
    assert engine in decisions._groups
    held = weakref.ref(engine)
    engine.dispose()
    del engine
    gc.collect()
    assert held() is None
