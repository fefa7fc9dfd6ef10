"""Live updates: one stream of server-sent events for each open page, fed from the database, so that several worker
processes (and whoever uses the API) are seen alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import CancelScope, to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from service import clock, order_queue, presence
from service.access.names import person, read_names
from service.db.engine import reading
from service.pages.workbench import Dispatcher, visible
from service.runtime import Runtime

router = APIRouter(include_in_schema=False)
#: Seconds between two looks at the database.
EVERY = 1.0
#: Looks between two signs that this window still shows its order; well within :data:`service.presence.GONE`.
SIGN = 15
#: Looks after which the stream ends and the browser asks anew: a worker that is told to stop is not held for ever.
LOOKS = 50


@router.get("/workbench/events")
async def events(
    request: Request,
    actor: Dispatcher,
    window: Annotated[str, Query(min_length=8, max_length=40, pattern="^[A-Za-z0-9-]+$")],
    order: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[int, Query(ge=0)] = 0,
) -> StreamingResponse:
    """``queue``: orders that changed after an event; ``presence``: who else has ``order`` open."""
    state: Runtime = request.app.state.runtime
    seen = request.headers.get("last-event-id", "")
    start = int(seen) if seen.isdigit() else after
    if order:
        await to_thread.run_sync(_check, state, actor, order)
    stream = _stream(state, actor.name, window=window, order_id=order, after=start)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _check(state: Runtime, actor: Any, order_id: str) -> None:
    with reading(state.engine) as connection:
        visible(connection, actor, order_id)


async def _stream(state: Runtime, actor: str, *, window: str, order_id: str, after: int) -> AsyncIterator[str]:
    who: list[str] | None = None
    yield "retry: 1000\n\n"
    try:
        for look in range(LOOKS):
            if order_id and look % SIGN == 0:
                await to_thread.run_sync(_arrive, state, order_id, window, actor)
            found, others = await to_thread.run_sync(_look, state, order_id, window, after)
            if found:
                after = found[-1]["sequence"]
                yield _event("queue", {"changes": await to_thread.run_sync(_changes, state, found)}, number=after)
            if others != who:
                who = others
                yield _event(
                    "presence", {"order": order_id, "others": await to_thread.run_sync(_people, state, others)}
                )
            await asyncio.sleep(EVERY)
    finally:
        if order_id:
            # The browser has gone, and this task with it: the row is still to be taken away.
            with CancelScope(shield=True):
                await to_thread.run_sync(_leave, state, order_id, window)


def _look(state: Runtime, order_id: str, window: str, after: int) -> tuple[list[dict[str, Any]], list[str]]:
    with reading(state.engine) as connection:
        found = order_queue.events_after(connection, after)
    now = clock.now(state.settings.time_zone)
    return found, presence.others(state.engine, order_id, window=window, at=now) if order_id else []


def _arrive(state: Runtime, order_id: str, window: str, actor: str) -> None:
    presence.arrive(state.engine, order_id, window=window, actor=actor, at=clock.now(state.settings.time_zone))


def _leave(state: Runtime, order_id: str, window: str) -> None:
    presence.leave(state.engine, order_id, window=window)


def _people(state: Runtime, actors: list[str]) -> list[str]:
    if not actors:
        return []
    with reading(state.engine) as connection:
        names = read_names(connection)
    return [person(actor, names).said for actor in actors]


def _changes(state: Runtime, found: list[dict[str, Any]]) -> list[dict[str, str]]:
    people = _people(state, [one["actor"] for one in found])
    return [_change(one, who) for one, who in zip(found, people, strict=True)]


def _change(event: dict[str, Any], who: str) -> dict[str, str]:
    name = order_queue.EVENTS.get(event["kind"], event["kind"])
    said = f"{who}：{name}" + (f"，{event['unit']}" if event["unit"] and event["kind"] == "dispatch" else "")
    return {"order": event["order_id"], "kind": event["kind"], "said": said}


def _event(name: str, data: dict[str, Any], *, number: int | None = None) -> str:
    identity = f"id: {number}\n" if number is not None else ""
    return f"{identity}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
