"""Records put into the log as the service puts them, without a model: for tests of what reads the log."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert

from service.db.engine import writing
from service.db.tables import OUTBOX, PROPOSALS, WORK_ORDERS
from service.log import append_record

START = datetime(2026, 5, 4, 1, tzinfo=UTC)  # a Monday, 09:00 in Beijing


def dispatch(
    engine: Engine,
    *,
    order_id: str = "",
    unit: str = "城市管理局",
    proposed: str = "城市管理局",
    action: str = "",
    actor: str = "pd-1",
    at: datetime | None = None,
    model: str = "model-a",
    abstained: bool = False,
    reason: str = "",
    verdicts: Sequence[tuple[str, str, str]] = (),
    event: bool = True,
) -> dict[str, Any]:
    """One dispatch; ``verdicts`` are (rule, gate, state). Returns the record."""
    mark = uuid.uuid4().hex[:12]
    order_id, at = order_id or f"o-{mark}", at or START
    proposal = {
        "units": [{"unit": proposed, "probability": 0.8}] if proposed else [],
        "abstained": abstained,
        "verdicts": [{"rule_id": rule, "gate": gate, "state": state} for rule, gate, state in verdicts],
    }
    action = action or ("accept" if unit == proposed else "override")
    with writing(engine) as connection:
        known = connection.execute(WORK_ORDERS.select().where(WORK_ORDERS.c.order_id == order_id)).first()
        if known is None:
            connection.execute(insert(WORK_ORDERS).values(order_id=order_id, original={}, created_at=at.isoformat()))
        connection.execute(
            insert(PROPOSALS).values(
                proposal_id=f"p-{mark}",
                order_id=order_id,
                as_of=at.isoformat(),
                proposal="{}",
                created_at=at.isoformat(),
            )
        )
        decision_id, content = append_record(
            connection,
            kind="dispatch",
            body={
                "order_id": order_id,
                "actor": actor,
                "action": action,
                "unit": unit,
                "reason": reason,
                "snapshot": {"model": model, "rules": "town@1"},
                "proposal": proposal,
            },
            key=mark,
            digest="h",
            at=at,
            columns={"order_id": order_id, "proposal_id": f"p-{mark}", "action": action, "unit": unit},
        )
        if event:
            data = {"decision_id": decision_id, "order_id": order_id, "action": action, "unit": unit}
            connection.execute(
                insert(OUTBOX).values(
                    event_id=f"e-{mark}",
                    decision_id=decision_id,
                    event={
                        "specversion": "1.0",
                        "type": "zhipai.decision.recorded",
                        "source": "/v1/decisions",
                        "id": decision_id,
                        "time": at.isoformat(),
                        "data": data,
                    },
                    created_at=at.isoformat(),
                )
            )
        connection.commit()
    return json.loads(content)


def other(engine: Engine, kind: str, *, at: datetime | None = None, **body: Any) -> dict[str, Any]:
    """One record of another kind."""
    with writing(engine) as connection:
        _, content = append_record(
            connection, kind=kind, body={"actor": "班长", **body}, key=uuid.uuid4().hex, digest="h", at=at or START
        )
        connection.commit()
    return json.loads(content)


def later(hours: float) -> datetime:
    return START + timedelta(hours=hours)
