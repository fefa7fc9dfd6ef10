"""Erasing: shown first, whole or not at all, no trace of the value in any file, and the log goes on being provable."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from intake.errors import ZhipaiError
from intake.order import WorkOrder
from service import clock
from service.db.engine import reading
from service.decisions import read_decision
from service.orders import store_proposal
from service.privacy.erase import Eraser, Selection, erase, preview
from service.privacy.residue import database_files, residue
from service.privacy.store import opened
from service.similar import Window
from service.triage import propose

from .conftest import PHONE, START, TEXT, TITLE

ERASER = Eraser("bz-1", "来电人要求删除", "admin")


def run(engine, selection: Selection, **options):
    return erase(engine, selection, options.pop("eraser", ERASER), software="test", at=clock.now(), **options)


def test_preview_says_what_goes_and_writes_nothing(engine, file) -> None:
    decision, _ = file("o-1"), file("o-2", decided=False)
    seen = preview(engine, Selection(("o-1", "o-2")))
    assert (seen.orders, seen.filed, seen.shown, seen.proposals) == (2, 2, 0, 2)
    assert (seen.decisions, seen.undecided, seen.logged_text) == (1, 1, 0)
    assert seen.decision_ids == (decision["decision_id"],)
    assert preview(engine, Selection(("o-1",), with_text=True)).shown == 1
    with reading(engine) as connection:
        assert set(opened(connection, "filed", ["o-1", "o-2"])) == {"o-1", "o-2"}


def test_erasure_is_a_decision_without_the_data(engine, file) -> None:
    file("o-1")
    done = run(engine, Selection(("o-1",), with_text=True), eraser=Eraser("bz-1", f"本人来电 {PHONE} 要求", "admin"))
    record = read_decision(engine, done.decision_ids[0])
    assert (done.orders, done.filed, done.shown) == (1, 1, 1)
    for value in (PHONE, "欧阳", "烧烤"):
        assert value not in record.decode()
    assert b'"kind":"erasure"' in record and b'"orders":["o-1"]' in record
    with reading(engine) as connection:
        assert not opened(connection, "filed", ["o-1"])
        assert connection.execute(text("SELECT count(*) FROM work_orders WHERE order_id = 'o-1'")).scalar() == 1


def test_only_the_orders_before_a_day_go(engine, file) -> None:
    file("o-old", at=START)
    file("o-new", at=START + timedelta(days=300))
    assert run(engine, Selection(before=START + timedelta(days=100))).orders == 1
    with reading(engine) as connection:
        assert set(opened(connection, "filed", ["o-old", "o-new"])) == {"o-new"}


def test_masked_text_goes_on_request_only(engine, file) -> None:
    record = file("o-1")
    run(engine, Selection(("o-1",)))
    with reading(engine) as connection:
        assert opened(connection, "shown", [record["proposal_id"]])
    run(engine, Selection(("o-1",), with_text=True))
    with reading(engine) as connection:
        assert not opened(connection, "shown", [record["proposal_id"]])


@pytest.mark.parametrize(
    ("selection", "eraser", "code"),
    [
        (Selection(("o-none",)), ERASER, "E6554"),
        (Selection(("o-1",)), Eraser("bz-1", ""), "E6556"),
        (Selection(), ERASER, "E6557"),
        (Selection(("o-1",), before=START), ERASER, "E6557"),
        (Selection(before=START - timedelta(days=1)), ERASER, "E6555"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_goes(engine, file, selection, eraser, code) -> None:
    file("o-1")
    with pytest.raises(ZhipaiError) as caught:
        run(engine, selection, eraser=eraser)
    assert caught.value.code == code
    with reading(engine) as connection:
        assert opened(connection, "filed", ["o-1"])


def test_an_erasure_that_cannot_be_recorded_erases_nothing(engine, file, monkeypatch) -> None:
    file("o-1")

    def broken(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.privacy.erase.append_record", broken)
    with pytest.raises(OSError):
        run(engine, Selection(("o-1",)))
    with reading(engine) as connection:
        assert opened(connection, "filed", ["o-1"])


def test_number_of_an_erased_order_cannot_be_filed_again(engine, file, snapshot) -> None:
    file("o-1")
    run(engine, Selection(("o-1",)))
    order = WorkOrder(text=TEXT, order_id="o-1")
    proposal = propose(order, as_of=clock.now(), snapshot=snapshot)
    with pytest.raises(ZhipaiError) as caught:
        store_proposal(engine, order, proposal, at=clock.now())
    assert caught.value.code == "E6550"


def test_personal_data_may_be_deleted_and_never_changed(engine, file) -> None:
    file("o-1")
    with pytest.raises(DBAPIError, match="never changed"), engine.begin() as connection:
        connection.execute(text("UPDATE personal_data SET fields = '{}'"))


@pytest.mark.parametrize("rewrite", [False, True])
def test_no_byte_of_an_erased_value_is_left_in_any_file(config, engine, file, rewrite: bool) -> None:
    """Among many others, so that pages were split and moved; nothing else in the file may be lost."""
    marked = [f"{TEXT}编号甲{number:03}乙" for number in range(60)]
    for number, content in enumerate(marked):
        file(f"o-{number:03}", text=content, decided=number % 3 == 0)
    gone = range(0, 60, 7)
    assert residue(database_files(config.url), "编号甲007乙"), "删除之前应当找得到，否则这个测试什么也没有查"
    done = run(engine, Selection(tuple(f"o-{number:03}" for number in gone), with_text=True), rewrite=rewrite)
    assert done.scrubbed.journal
    files = [*database_files(config.url), *config.home.glob("*.log")]
    for number in gone:
        assert residue(files, f"编号甲{number:03}乙") == []
    kept = [number for number in range(60) if number not in gone]
    assert all(residue(files, f"编号甲{number:03}乙") for number in kept)
    with closing(sqlite3.connect(config.sqlite_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_reader_in_the_way_is_told_and_the_next_erasure_cleans_up(config, engine, file) -> None:
    file("o-1", text=f"{TEXT}编号甲一乙")
    file("o-2")
    with closing(sqlite3.connect(config.sqlite_path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM decisions").fetchone()
        assert not run(engine, Selection(("o-1",), with_text=True)).scrubbed.journal
        assert residue(database_files(config.url), "编号甲一乙")
        other.execute("ROLLBACK")
    assert run(engine, Selection(("o-2",), with_text=True)).scrubbed.journal
    assert residue(database_files(config.url), "编号甲一乙") == []
    assert residue(database_files(config.url), TITLE[:4]) == []


def test_a_running_window_forgets_what_was_erased(engine, file, snapshot) -> None:
    """Also more erased orders than it reads at a time: it must not read them over and over."""
    for number in range(4):
        file(f"o-{number}", at=clock.now(), decided=False)
    window = Window(engine, snapshot=lambda: snapshot, now=clock.now, days=10)
    while window.catch_up(2):
        pass
    assert len(window) == 4
    run(engine, Selection(("o-0", "o-1", "o-2")))
    assert window.catch_up(2) == 0
    assert len(window) == 1 and window.excerpts(["o-0"]) == []
    fresh = Window(engine, snapshot=lambda: snapshot, now=clock.now, days=10)
    assert fresh.catch_up(2) == 0 and len(fresh) == 1
