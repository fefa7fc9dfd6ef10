"""What follows from a decision on a case: for the queue, for the deadline, and for other systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from rules import RuleEngine, RulePack, WorkCalendar, compute_deadlines
from rules.clocks import Duration
from service import order_life, order_queue
from service.db.tables_queue import CASES

#: What is asked for, in the unit in which it is asked for.
ASKED_DAYS = "extension_workdays"


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on a case as it was recorded."""

    accepted: bool
    actor: str
    role: str
    reason: str
    key: str
    decision_id: str
    at: datetime


def take_effect(
    connection: Connection,
    case: Row[Any],
    decided: Decided,
    *,
    rules: RuleEngine | RulePack,
    calendar: WorkCalendar,
    software: str,
    request_id: str,
) -> None:
    """Put the order back into the queue (return), move its deadline (extension), and write it into what happened to it.

    Inside the caller's unit of work. An order that was never in the queue has nothing to change there.
    """
    row = order_queue.read_row(connection, case.order_id)
    if row is not None and decided.accepted and case.kind == "return":
        step = order_life.Step(case.order_id, decided.actor, decided.role, decided.reason, f"{decided.key}:reopen")
        body = {"case_id": case.case_id, "returned_by": case.unit, "software": software, "request_id": request_id}
        order_life.reopen(connection, step, body=body, at=decided.at)
        return
    if row is not None and decided.accepted and case.kind == "extension":
        due = extended_due(connection, dict(case._mapping), rules, calendar)
        if due is not None:
            order_queue.change(
                connection,
                row,
                {"due_at": order_queue.utc(due)},
                event="case",
                actor=decided.actor,
                at=decided.at,
                decision_id=decided.decision_id,
            )
            return
    order_queue.add_event(
        connection,
        case.order_id,
        "case",
        actor=decided.actor,
        at=decided.at,
        unit=case.unit,
        decision_id=decided.decision_id,
    )


def extended_due(
    connection: Connection, case: Mapping[str, Any], rules: RuleEngine | RulePack, calendar: WorkCalendar
) -> datetime | None:
    """The 办结 deadline with the working days asked for, and those granted to this unit before; None where neither the
    request nor the rules of its day give one."""
    days = case["facts"].get(ASKED_DAYS)
    if case["kind"] != "extension" or not isinstance(days, int) or days <= 0:
        return None
    granted = select(CASES.c.facts).where(
        CASES.c.order_id == case["order_id"],
        CASES.c.unit == case["unit"],
        CASES.c.kind == "extension",
        CASES.c.status == "accepted",
        CASES.c.case_id != case["case_id"],
    )
    before = sum(int(facts.get(ASKED_DAYS, 0)) for facts in connection.execute(granted).scalars())
    given = {name: value for name, value in case["facts"].items() if name not in case["ruling"]["derived"]}
    found = compute_deadlines(
        rules if isinstance(rules, RulePack) else rules.pack,
        kind=str(given.get("kind", "")),
        start=datetime.fromisoformat(str(given["dispatched_at"])),
        as_of=datetime.fromisoformat(case["asked_at"]),
        calendar=calendar,
        facts=given,
        extension=Duration(before + days, "工作日"),
    )
    return next((one.due_at for one in found if one.stage == "resolve" and not one.track), None)


def event_of(case: Row[Any], decided: Decided) -> dict[str, Any]:
    """A CloudEvents 1.0 envelope with ids only: whoever needs more asks for the decision."""
    return {
        "specversion": "1.0",
        "type": "zhipai.case.decided",
        "source": "/v1/cases",
        "id": decided.decision_id,
        "time": decided.at.isoformat(),
        "data": {
            "decision_id": decided.decision_id,
            "case_id": case.case_id,
            "case_kind": case.kind,
            "order_id": case.order_id,
            "unit": case.unit,
            "outcome": "accepted" if decided.accepted else "refused",
        },
    }
