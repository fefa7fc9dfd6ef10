"""The dispatch desk: orders come in, are dispatched, refused, merged, taken back, and some are left for later."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from service import order_life, order_queue
from service.db.engine import reading
from service.decisions import DecisionRequest, decide
from service.demo import requests, words
from service.demo.material import Filing
from service.demo.world import REQUEST, SOFTWARE, World
from service.filing import file_order

#: One order in so many of the last days is left waiting, and besides so many of those that the software calls 疑难;
#: of the days before only one in :data:`FORGOTTEN`, which is overdue by now.
LEFT_EVERY, LEFT_ABSTAINED, FORGOTTEN = 25, 0.08, 125
LAST_DAYS = timedelta(days=9)
#: How often a first unit that is right is overruled all the same, and one that is wrong is believed.
OPINION, BELIEVED = 0.03, 0.12
#: How often a dispatch is taken back at once.
SLIP = 0.012


def file_all(world: World, filings: tuple[Filing, ...]) -> None:
    """Put every order on the agenda."""
    for one in filings:
        world.plan(one.at, lambda at, one=one: file_one(world, one, at))  # type: ignore[misc]


def file_one(world: World, filing: Filing, at: datetime) -> None:
    """File an order, and plan who looks at it when."""
    found = file_order(world.engine, filing.order, snapshot=world.snapshot, actor="热线平台", at=at)
    world.done["filed"] += 1
    recent, hard = world.end - at < LAST_DAYS, found.proposal.abstained and world.draw.random() < LEFT_ABSTAINED
    if (recent and hard) or world.done["filed"] % (LEFT_EVERY if recent else FORGOTTEN) == 7:
        world.done["left"] += 1
        return
    world.plan(world.soon(at, 2, 45), lambda then: look(world, filing, then))


def look(world: World, filing: Filing, at: datetime) -> None:
    """A dispatcher has the order before him: merge, refuse or dispatch."""
    who = world.draw.choice(words.DISPATCHERS)
    with reading(world.engine) as connection:
        row = order_queue.require_row(connection, filing.order.order_id)
        shown = order_queue.shown_proposal(connection, row)
        before = order_queue.read_row(connection, filing.repeats) if filing.repeats else None
    if before is not None and before.status not in (order_queue.REFUSED, order_queue.MERGED):
        reason = world.draw.choice(words.MERGES)
        step = order_life.Step(row.order_id, who, "dispatcher", reason, world.key(), row.revision)
        order_life.merge(world.engine, step, into=before.order_id, software=SOFTWARE, request_id=REQUEST, at=at)
        world.done["merge"] += 1
        return
    if filing.declined:
        _refuse(world, row, shown, who, at)
        return
    _dispatch(world, filing, row, shown, who, at)


def _refuse(world: World, row: order_queue.Row, shown: dict[str, Any], who: str, at: datetime) -> None:
    """By the rule that hit, if one did."""
    disposition = {"rule_id": "", "action": "不予受理", "tell": "", "clause": ""}
    for verdict in shown["verdicts"]:
        if verdict["gate"] == "acceptance" and verdict["state"] == "hit" and verdict["disposition"]:
            clause = f"{verdict['clause']['document']}{verdict['clause']['article']}"
            disposition = {"rule_id": verdict["rule_id"], **verdict["disposition"], "clause": clause}
            break
    step = order_life.Step(
        row.order_id, who, "dispatcher", world.draw.choice(words.REFUSALS), world.key(), row.revision
    )
    order_life.refuse(world.engine, step, disposition=disposition, software=SOFTWARE, request_id=REQUEST, at=at)
    world.done["refusal"] += 1


def _dispatch(
    world: World, filing: Filing, row: order_queue.Row, shown: dict[str, Any], who: str, at: datetime
) -> None:
    units = [one["unit"] for one in shown["units"]]
    first, unit = (units[0] if units else ""), filing.truth
    slips = world.draw.random() < SLIP
    if first == filing.truth and len(units) > 1 and (slips or world.draw.random() < OPINION):
        unit = units[1]
        reason = world.draw.choice(words.OPINIONS).format(unit=unit)
    elif first and first != filing.truth and world.draw.random() < BELIEVED:
        unit, reason = first, ""
    else:
        reason = world.draw.choice(words.OVERRIDES).format(unit=unit)
    accepts = unit == first
    request = DecisionRequest(
        row.proposal_id,
        "accept" if accepts else "override",
        unit,
        who,
        "" if accepts else reason,
        world.key(),
        "dispatcher",
    )
    done = decide(
        world.engine,
        request,
        directory=lambda: world.snapshot.directory,
        software=SOFTWARE,
        request_id=REQUEST,
        at=at,
        revision=row.revision,
    )
    world.done[request.action] += 1
    if slips:
        decision_id = done.record["decision_id"]
        world.plan(at + timedelta(minutes=2), lambda then: _undo(world, filing, decision_id, who, then))
        return
    requests.follow(world, filing, unit, at, again=lambda then: look(world, filing, then))


def _undo(world: World, filing: Filing, decision_id: str, who: str, at: datetime) -> None:
    step = order_life.Step(filing.order.order_id, who, "dispatcher", world.draw.choice(words.UNDOS), world.key())
    order_life.undo(world.engine, step, decision_id=decision_id, software=SOFTWARE, request_id=REQUEST, at=at)
    world.done["undo"] += 1
    world.plan(at + timedelta(minutes=1), lambda then: look(world, filing, then))
