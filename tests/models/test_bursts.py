"""One matter in one place within hours raises a signal; a busy day, repeats and other places do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from intake.gazetteer import Place
from models.bursts import Bursts, BurstSettings, Event, replay
from models.duplicates import Side

START = datetime(2026, 5, 1, tzinfo=UTC)
WATER = ("家里一滴水都没有", "停水半天了孩子没法洗澡", "水龙头打开是空的", "自来水断了谁来管", "为什么不通知就停供")


def direction(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=64).astype(np.float32)
    return vector / np.linalg.norm(vector)


#: Every telling of the water matter lies near this direction.
WATER_DIRECTION = direction(10**6)


def order(number: str, hours: float, *, text: str, place: str, function: str, vector: np.ndarray, district: str = "", callers: frozenset[str] = frozenset()) -> Event:  # fmt: skip
    side = Side(
        number,
        text,
        vector,
        Place(district=district, mention=place),
        START + timedelta(hours=hours),
        callers=callers,
    )
    return Event(side, function)


def usual(days: int = 4, an_hour: int = 4) -> list[Event]:
    """Orders of all kinds from many places."""
    return [
        order(f"u{n}", n / an_hour, text=f"第{n}件别的事情", place=f"平安路{n}号", function=f"职能{n % 9}", vector=direction(n))
        for n in range(days * 24 * an_hour)
    ]  # fmt: skip


def water(at: float, texts: tuple[str, ...] = WATER, **others: object) -> list[Event]:
    shared = {"place": "锦绣家园", "function": "供水", "vector": WATER_DIRECTION} | others
    return [
        order(f"w{n}-{at}", at + n / 4, text=text, **shared)  # type: ignore[arg-type]
        for n, text in enumerate(texts)
    ]


def test_neighbours_without_water_are_a_burst() -> None:
    (burst,) = replay([*usual(), *water(90)])
    assert burst.order_ids == tuple(f"w{n}-90" for n in range(5))
    assert (burst.function, burst.place, burst.tellings) == ("供水", "锦绣家园", 5)
    assert burst.first <= burst.raised_at <= burst.last
    assert burst.chance < 0.01


def test_the_order_that_makes_it_one_says_so() -> None:
    watch = Bursts()
    said = [watch.add(event) is not None for event in sorted([*usual(), *water(90)], key=lambda e: e.side.received_at)]
    assert sum(said) == 1


def test_one_caller_who_calls_again_and_again_is_none() -> None:
    assert replay([*usual(), *water(90, (WATER[0],) * 5)]) == []
    assert replay([*usual(), *water(90, callers=frozenset("a"))]) == []


def test_spread_over_days_it_is_none() -> None:
    assert replay([*usual(), *(event for day in range(4) for event in water(10 + 24 * day, (WATER[day],)))]) == []


def test_in_different_places_or_districts_it_is_none() -> None:
    places = ("东风小区", "红星公寓", "西门街", "望江楼", "南桥村")
    scattered = [event for n, place in enumerate(places) for event in water(90 + n / 4, (WATER[n],), place=place)]
    assert replay([*usual(), *scattered]) == []
    districts = ("甲区", "乙区", "丙区", "丁区", "戊区")
    scattered = [event for n, name in enumerate(districts) for event in water(90 + n / 4, (WATER[n],), district=name)]
    assert replay([*usual(), *scattered]) == []


def test_another_matter_of_the_same_unit_in_the_place_is_none() -> None:
    others = [event for n in range(5) for event in water(90 + n / 4, (WATER[n],), vector=direction(-n - 1 + 10**7))]
    assert replay([*usual(), *others]) == []


def test_what_always_comes_from_there_is_none() -> None:
    always = [event for day in range(4) for event in water(1 + 24 * day) + water(9 + 24 * day)]
    raised = replay([*usual(), *always])
    assert all(burst.first < START + timedelta(hours=24) for burst in raised)


def test_without_a_past_nothing_is_unusual() -> None:
    assert replay(water(0)) == []


def test_a_busy_day_is_not_a_burst_of_everything() -> None:
    busy = [
        order(
            f"b{n}", 90 + n / 100, text=f"事情{n}", place=f"平安路{n}号", function=f"职能{n % 9}", vector=direction(n)
        )
        for n in range(300)
    ]
    assert replay([*usual(), *busy]) == []


def test_what_ended_is_forgotten() -> None:
    watch = Bursts()
    for event in sorted([*usual(), *water(90)], key=lambda event: event.side.received_at):
        watch.add(event)
    watch.forget(START + timedelta(hours=80))
    assert len(watch.found()) == 1
    watch.forget(START + timedelta(hours=200))
    assert watch.found() == []


def test_settings_decide() -> None:
    assert replay([*usual(), *water(90)], BurstSettings(least=6)) == []
