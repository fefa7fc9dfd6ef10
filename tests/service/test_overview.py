"""The numbers of the overview and the orders behind them: each number is the length of the list that it opens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, insert

from service import overview
from service.access import Scope
from service.db.engine import make_engine, reading
from service.db.migrate import upgrade
from service.db.tables import PROPOSALS, WORK_ORDERS
from service.db.tables_cases import REPLIES
from service.db.tables_queue import ORDER_EVENTS, ORDER_QUEUE
from service.order_queue import NO_DUE, utc
from service.overview import Behind

ZONE = "Asia/Shanghai"
NOW = datetime.fromisoformat("2026-05-06T10:30:00+08:00")
CITY = Scope.everything()


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-05-{text}+08:00")


#: number, filed, further events, status, due, unit, district, difficult
ORDERS = [
    ("A", at("06T00:00"), [], "open", at("06T12:00"), "", "临江区", False),
    ("B", at("06T09:59"), [("dispatch", at("06T10:00"))], "dispatched", at("06T10:29"), "城管局", "临江区", True),
    ("C", at("06T10:00"), [], "open", None, "", "白鹭区", True),
    ("D", at("05T23:59"), [("dispatch", at("06T08:00")), ("reopen", at("06T09:00"))], "returned", at("05T12:00"), "", "", False),
    ("E", at("04T09:00"), [("dispatch", at("04T09:05"))], "dispatched", at("07T00:00"), "水务局", "白鹭区", False),
    ("F", at("05T09:00"), [("dispatch", at("05T09:05"))], "dispatched", at("09T23:59"), "城管局", "临江区", False),
    ("G", at("01T09:00"), [("dispatch", at("01T09:05"))], "dispatched", at("10T00:00"), "城管局", "临江区", False),
    ("H", at("01T09:00"), [], "dispatched", datetime.fromisoformat("2026-04-06T10:00:00+08:00"), "老单位", "临江区", False),
    ("I", at("01T09:00"), [], "open", datetime.fromisoformat("2026-03-01T10:00:00+08:00"), "", "临江区", False),
    ("J", at("06T07:00"), [], "refused", at("06T09:00"), "", "临江区", False),
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = make_engine(f"sqlite:///{tmp_path_factory.mktemp('overview') / 'queue.db'}")
    upgrade(made)
    put_orders(made)
    yield made
    made.dispose()


def put_orders(engine: Engine) -> None:
    events = []
    with engine.begin() as connection:
        for number, filed, more, status, due, unit, district, hard in ORDERS:
            said = filed.isoformat()
            connection.execute(insert(WORK_ORDERS).values(order_id=number, original={}, created_at=said))
            connection.execute(
                insert(PROPOSALS).values(
                    proposal_id=f"p-{number}", order_id=number, as_of=said, proposal="{}", created_at=said
                )
            )
            connection.execute(
                insert(ORDER_QUEUE).values(
                    order_id=number, status=status, revision=1, proposal_id=f"p-{number}", district=district,
                    channel="电话", abstained=hard, due_at=utc(due) if due else NO_DUE, unit=unit, actor="",
                    changed_at=utc(filed),
                )
            )  # fmt: skip
            events += [(when, number, kind) for kind, when in (("filed", filed), *more)]
        for when, number, kind in sorted(events):
            connection.execute(
                insert(ORDER_EVENTS).values(order_id=number, kind=kind, actor="x", unit="", created_at=utc(when))
            )


def behind(engine: Engine, *, scope: Scope = CITY, most: int = 50, **asked: object) -> list[str]:
    """The numbers of the orders behind a number, page by page."""
    found: list[str] = []
    after = ""
    with reading(engine) as connection:
        while True:
            wanted = Behind(**asked, after=after)  # type: ignore[arg-type]
            rows, after = overview.orders_behind(connection, wanted, now=NOW, scope=scope, zone=ZONE, most=most)
            found += [row.order_id for row in rows]
            if not after:
                break
        assert overview.count_behind(connection, wanted, now=NOW, scope=scope, zone=ZONE) == len(found)
    return found


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"event": "filed"}, "ABCJ"),
        ({"event": "filed", "hour": 0}, "A"),
        ({"event": "filed", "hour": 9}, "B"),
        ({"event": "filed", "hour": 10}, "C"),
        ({"event": "filed", "day": date(2026, 5, 5)}, "DF"),
        ({"event": "filed", "abstained": True}, "BC"),
        ({"event": "filed", "district": "白鹭区"}, "C"),
        ({"event": "filed", "day": date(2026, 5, 5), "district": overview.UNPLACED}, "D"),
        ({"event": "dispatch"}, "BD"),
        ({"event": "reopen"}, "D"),
        ({"status": "waiting"}, "ACDI"),
        ({"status": "returned"}, "D"),
        ({"due": "overdue"}, "BDI"),
        ({"due": "overdue", "status": "waiting"}, "DI"),
        ({"due": "today"}, "A"),
        ({"due": "soon"}, "EF"),
        ({"due": "soon", "unit": "城管局"}, "F"),
        ({"order_ids": ("A", "J", "none")}, "AJ"),
    ],
    ids=str,
)
def test_orders_behind_a_number(engine: Engine, asked: dict, numbers: str) -> None:
    assert sorted(behind(engine, **asked)) == list(numbers)
    assert behind(engine, **asked, most=1) == behind(engine, **asked), "逐页与一页相同，次序也相同"


def test_by_hour_counts_what_the_lists_hold(engine: Engine) -> None:
    with reading(engine) as connection:
        hours = overview.by_hour(connection, now=NOW, scope=CITY, zone=ZONE)
    assert [one["hour"] for one in hours] == list(range(24))
    for one in hours:
        for event in overview.COUNTED:
            assert one[event] == len(behind(engine, event=event, hour=one["hour"])), one
        assert one["abstained"] == len(behind(engine, event="filed", hour=one["hour"], abstained=True))
        yesterday = behind(engine, event="filed", hour=one["hour"], day=NOW.date() - timedelta(days=1))
        assert one["yesterday"] == len(yesterday)
    assert sum(one["filed"] for one in hours) == 4 and sum(one["yesterday"] for one in hours) == 2


def test_by_unit_counts_what_the_lists_hold(engine: Engine) -> None:
    with reading(engine) as connection:
        units = overview.by_unit(connection, now=NOW, scope=CITY, zone=ZONE)
    assert [(one["unit"], one["overdue"], one["today"], one["soon"]) for one in units] == [
        ("", 2, 1, 0),
        ("城管局", 1, 0, 1),
        ("水务局", 0, 0, 1),
    ], "早已过期的已派工单不列，等着派的一直列"
    for one in units:
        where = {"unit": one["unit"]} if one["unit"] else {"status": "waiting"}
        assert all(one[due] == len(behind(engine, due=due, **where)) for due in overview.DUE)


def test_by_district(engine: Engine) -> None:
    with reading(engine) as connection:
        found = overview.by_district(connection, now=NOW, scope=CITY, zone=ZONE)
    assert found == [("临江区", 3, 1), ("白鹭区", 1, 1)]


def test_a_scope_sees_its_own(engine: Engine) -> None:
    scope = Scope.of(districts=["白鹭区"])
    assert sorted(behind(engine, scope=scope, status="waiting")) == ["C", "D"], "本区的，和地点还不明的"
    with reading(engine) as connection:
        hours = overview.by_hour(connection, now=NOW, scope=scope, zone=ZONE)
        units = overview.by_unit(connection, now=NOW, scope=scope, zone=ZONE)
        districts = overview.by_district(connection, now=NOW, scope=scope, zone=ZONE)
    assert sum(one["filed"] for one in hours) == 1
    assert [one["unit"] for one in units] == ["", "水务局"]
    assert districts == [("白鹭区", 1, 1)]


def test_hours_of_a_zone_that_does_not_keep_whole_hours(engine: Engine) -> None:
    with reading(engine) as connection:
        now = NOW.astimezone(ZoneInfo("Asia/Kathmandu"))
        hours = overview.by_hour(connection, now=now, scope=CITY, zone="Asia/Kathmandu")
    # UTC+5:45: 10:00 in Beijing is 7:45 there, and midnight in Beijing still the evening before.
    assert hours[7]["filed"] == 2 and hours[21]["yesterday"] == 2


def test_an_empty_log_has_no_numbers(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    upgrade(engine)
    with reading(engine) as connection:
        assert not any(one["filed"] for one in overview.by_hour(connection, now=NOW, scope=CITY, zone=ZONE))
        assert overview.by_unit(connection, now=NOW, scope=CITY, zone=ZONE) == []
    assert behind(engine, event="filed") == []
    engine.dispose()


def test_an_order_that_its_unit_replied_to_is_no_longer_due(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'queue.db'}")
    upgrade(engine)
    put_orders(engine)
    assert set(behind(engine, due="overdue")) == set("BDI")
    with engine.begin() as connection:
        reply = {"actor": "x", "created_at": NOW.isoformat()}
        # The reply of a unit that the order was taken from does not count for the one that has it now.
        connection.execute(insert(REPLIES).values(reply_id="r-1", order_id="F", unit="水务局", **reply))
        connection.execute(insert(REPLIES).values(reply_id="r-2", order_id="B", unit="城管局", **reply))
    assert set(behind(engine, due="overdue")) == set("DI")
    assert "F" in behind(engine, due="soon")
    engine.dispose()
