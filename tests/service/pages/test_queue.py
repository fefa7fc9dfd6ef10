"""The queue: order, filters, pages, scope, and that of two only one goes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from intake.errors import ZhipaiError
from service import order_queue
from service.access import Scope
from service.db.engine import reading, writing
from service.order_queue import NO_DUE, QueueFilter
from tests.service.pages.conftest import NOW, SMOKE

CITY = Scope.everything()


def page(engine: Engine, asked: QueueFilter = QueueFilter(), *, scope: Scope = CITY, most: int = 30) -> list[str]:  # noqa: B008
    with reading(engine) as connection:
        return [row.order_id for row in order_queue.read_page(connection, asked, scope=scope, most=most)]


def test_due_soon_comes_first_and_unknown_last(engine: Engine, filed) -> None:
    filed(order_id="late", at=NOW + timedelta(days=7), district="临江区", channel="电话")
    filed(order_id="soon", at=NOW, district="临江区", channel="网站")
    filed(order_id="unknown", at=NOW + timedelta(days=400))
    assert page(engine) == ["soon", "late", "unknown"]
    with reading(engine) as connection:
        row = order_queue.require_row(connection, "unknown")
    assert (row.due_at, row.due) == (NO_DUE, ""), "日历之外的到期不猜"
    assert page(engine, QueueFilter(channel="网站")) == ["soon"]
    assert page(engine, QueueFilter(district="临江区")) == ["soon", "late", "unknown"], "文字里写明的区也算"
    assert page(engine, QueueFilter(district="白鹭区")) == []


def test_pages_follow_one_another_without_gap_or_repeat(engine: Engine, filed) -> None:
    for number in range(7):
        filed(order_id=f"n{number}", at=NOW + timedelta(days=number % 3))
    seen: list[str] = []
    after = ""
    while True:
        with reading(engine) as connection:
            rows = order_queue.read_page(connection, QueueFilter(after=after), scope=CITY, most=3)
        if not rows:
            break
        seen += [row.order_id for row in rows]
        after = rows[-1].place
    assert seen == page(engine) and len(set(seen)) == 7


def test_a_district_sees_its_own_orders_and_those_without_a_place(engine: Engine, filed) -> None:
    filed(order_id="ours", text="临江区滨河路的路灯坏了三天没人修")
    filed(order_id="theirs", text="白鹭区湖滨路的路灯坏了三天没人修")
    filed(order_id="nowhere", text="路灯坏了三天没人修")
    assert set(page(engine, scope=Scope.of(districts=["临江区"]))) == {"ours", "nowhere"}
    with reading(engine) as connection:
        assert order_queue.counts(connection, scope=Scope.of(districts=["临江区"]))["all"] == 2
        assert order_queue.choices(connection, scope=CITY)["district"] == ["临江区", "白鹭区"]


def test_the_line_shows_the_masked_beginning(engine: Engine, filed) -> None:
    filed(order_id="p", text="13800001111来电，" + SMOKE)
    with reading(engine) as connection:
        row = order_queue.require_row(connection, "p")
    assert "13800001111" not in row.text and row.text.startswith("<手机号>来电")


def test_a_row_that_changed_meanwhile_is_not_overwritten(engine: Engine, filed) -> None:
    filed(order_id="o")
    with reading(engine) as connection:
        seen = order_queue.require_row(connection, "o")
    change = {"event": "dispatch", "at": NOW}
    with writing(engine) as connection:
        order_queue.change(connection, seen, {"status": "dispatched", "unit": "甲局"}, actor="zhang", **change)
        connection.commit()
    with pytest.raises(ZhipaiError) as caught, writing(engine) as connection:
        order_queue.change(connection, seen, {"status": "dispatched", "unit": "乙局"}, actor="li", **change)
    assert caught.value.code == "E7952"
    with reading(engine) as connection:
        now = order_queue.require_row(connection, "o")
        assert (now.unit, now.actor, now.revision) == ("甲局", "zhang", 2)
        with pytest.raises(ZhipaiError) as second:
            order_queue.check_waiting(connection, now, revision=1, at=NOW)
    assert second.value.code == "E7951" and "zhang" in second.value.message and "甲局" in second.value.message


def test_next_order_is_the_following_one_and_then_the_first(engine: Engine, filed) -> None:
    for number in range(3):
        filed(order_id=f"n{number}", at=NOW + timedelta(days=number))
    with reading(engine) as connection:
        rows = {name: order_queue.require_row(connection, name) for name in ("n0", "n1", "n2")}
        follow = [order_queue.following(connection, QueueFilter(), rows[name], scope=CITY) for name in rows]
        assert [one.order_id if one else "" for one in follow] == ["n1", "n2", "n0"]
        alone = order_queue.following(connection, QueueFilter(district="无此区"), rows["n0"], scope=CITY)
    assert alone is None


def test_filing_the_same_order_again_is_a_repeat(engine: Engine, filed) -> None:
    first = filed(order_id="o")
    again = filed(order_id="o", at=NOW + timedelta(hours=1))
    assert again.proposal_id != first.proposal_id
    with reading(engine) as connection:
        row = order_queue.require_row(connection, "o")
        assert (row.proposal_id, row.revision) == (first.proposal_id, 1)
        assert [event["kind"] for event in order_queue.events_of(connection, "o")] == ["filed"]
        assert replace(row, status="refused").waiting is False
