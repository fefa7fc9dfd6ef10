"""One round of deliveries to one target, and when a delivery in vain is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from sqlalchemy import Engine

from intake.canonical import canonical_json
from service.audit_facts import microseconds
from service.outbox.sending import Answer, send
from service.outbox.signing import signed_headers
from service.outbox.store import SECOND, Due, Outcome, due, mark
from service.outbox.targets import OutboxTarget
from service.version import VERSION

#: Events in a round. What was sent and not yet marked when a process is killed is sent again: at most so many.
ROUND = 20


@dataclass(frozen=True, slots=True)
class Round:
    """``full``: there may be more to send at once. ``whole``: the receiver is in trouble, whatever the event."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0
    full: bool = False
    whole: bool = False


def deliver_round(
    engine: Engine,
    target: OutboxTarget,
    *,
    now: Callable[[], datetime],
    chance: Random,
    may_send: Callable[[], bool] = lambda: True,
    limit: int = ROUND,
) -> Round:
    """Send what is due, one after the other, and mark it.

    Parameters
    ----------
    now : callable
        The clock of the service.
    chance : Random
        Of the jitter; tests seed it.
    may_send : callable
        Asked before each event: whether this process still delivers.
    limit : int
        Events at most. While a receiver is in trouble one is enough to see whether it answers.
    """
    waiting = due(engine, target, at=now(), limit=limit)
    outcomes: list[Outcome] = []
    whole = False
    for one in waiting:
        if not may_send():
            break
        answer = send(target, *request_of(one, target, at=now()))
        outcomes.append(outcome_of(one, answer, target, at=now(), chance=chance))
        # The next event would fare no better.
        if whole := answer.whole:
            break
    if outcomes:
        mark(engine, target, outcomes, at=now())
    states = [outcome.state for outcome in outcomes]
    delivered = states.count("delivered")
    return Round(
        delivered=delivered,
        failed=len(states) - delivered,
        dead=states.count("dead"),
        full=len(waiting) == limit and len(outcomes) == limit,
        whole=whole,
    )


def envelope(one: Due) -> dict[str, Any]:
    """The event as it goes out (CloudEvents 1.0, structured): the same bytes at every attempt, and no text of an order.

    ``sequence`` is the extension of that name: text, the order in which decisions were made.
    """
    return {
        **one.event,
        "id": one.decision_id,
        "datacontenttype": "application/json",
        "sequence": f"{one.sequence:012d}",
        **({"subject": one.order_id} if one.order_id else {}),
    }


def request_of(one: Due, target: OutboxTarget, *, at: datetime) -> tuple[bytes, dict[str, str]]:
    """Body and headers of one attempt."""
    body = canonical_json(envelope(one))
    signed = signed_headers(target.keys, event_id=one.decision_id, timestamp=int(at.timestamp()), body=body)
    return body, {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "User-Agent": f"zhipai/{VERSION}",
        **signed,
    }


def outcome_of(one: Due, answer: Answer, target: OutboxTarget, *, at: datetime, chance: Random) -> Outcome:
    """Delivered, to be tried again, or dead."""
    attempts, now = one.attempts + 1, microseconds(at)
    if answer.delivered:
        return Outcome(one.sequence, "delivered", attempts, now, "")
    if attempts >= target.attempts:
        return Outcome(one.sequence, "dead", attempts, now, answer.problem)
    seconds = max(back_off(target, attempts, chance), min(answer.wait, target.most))
    return Outcome(one.sequence, "waiting", attempts, now + int(seconds * SECOND), answer.problem)


def back_off(target: OutboxTarget, attempts: int, chance: Random) -> float:
    """Seconds to the next attempt: doubled each time up to ``most``, of which a random half to the whole."""
    return float(min(target.most, target.first * 2.0 ** min(attempts - 1, 30))) * chance.uniform(0.5, 1.0)
