"""Live updates: what one process writes another one's stream tells; who looks at an order is seen and goes away."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

from service import order_life, presence
from service.db.engine import make_engine
from service.order_life import Step
from service.pages import workbench_live
from tests.service.pages.conftest import NOW


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench_live, "EVERY", 0.01)


def state(engine: Engine) -> SimpleNamespace:
    """What a stream needs of a process: its own engine on the same database."""
    return SimpleNamespace(engine=make_engine(str(engine.url)), settings=SimpleNamespace(time_zone="Asia/Shanghai"))


async def next_event(stream, name: str) -> dict:
    async for part in stream:
        fields = dict(line.split(": ", 1) for line in part.strip().splitlines())
        if fields.get("event") == name:
            return json.loads(fields["data"])
    raise AssertionError("the stream ended")


def test_a_decision_of_another_process_is_told(engine: Engine, filed) -> None:
    filed(order_id="o")

    async def watch() -> dict:
        stream = workbench_live._stream(state(engine), "li", window="window-li", order_id="o", after=1)
        assert (await next_event(stream, "presence"))["others"] == []
        order_life.refuse(
            engine,
            Step("o", "zhang", "", "已进入诉讼程序", "key-00001"),
            disposition={},
            software="",
            request_id="",
            at=NOW,
        )
        found = await next_event(stream, "queue")
        await stream.aclose()
        return found

    (change,) = asyncio.run(watch())["changes"]
    assert (change["order"], change["kind"]) == ("o", "refusal") and "zhang" in change["said"]


def test_two_windows_see_one_another_and_a_closed_one_is_gone(engine: Engine, filed) -> None:
    filed(order_id="o")

    async def watch() -> list[list[str]]:
        li = workbench_live._stream(state(engine), "li", window="window-li", order_id="o", after=1)
        seen = [(await next_event(li, "presence"))["others"]]
        zhang = workbench_live._stream(state(engine), "zhang", window="window-zhang", order_id="o", after=1)
        await anext(zhang), await anext(zhang)
        seen.append((await next_event(li, "presence"))["others"])
        await zhang.aclose()
        seen.append((await next_event(li, "presence"))["others"])
        await li.aclose()
        return seen

    assert asyncio.run(watch()) == [[], ["zhang"], []]


def test_a_window_that_was_cut_off_is_forgotten(engine: Engine) -> None:
    presence.arrive(engine, "o", window="w-1", actor="zhang", at=NOW)
    presence.arrive(engine, "o", window="w-2", actor="zhang", at=NOW)
    assert presence.others(engine, "o", window="w-3", at=NOW + timedelta(seconds=44)) == ["zhang"]
    assert presence.others(engine, "o", window="w-3", at=NOW + timedelta(seconds=46)) == []
    presence.arrive(engine, "o", window="w-1", actor="zhang", at=NOW + timedelta(seconds=50))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM order_presence").scalar() == 1
