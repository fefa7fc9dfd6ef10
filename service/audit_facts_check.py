"""Whether the narrow rows beside the log say what its records say. They are not in the tree; the records are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, select

from service.audit_facts import catch_up, row_facts
from service.audit_query import PART
from service.db.engine import reading
from service.db.tables import DECISIONS
from service.db.tables_facts import DECISION_FACTS, DECISION_VERDICTS


def differing(engine: Engine) -> Iterator[dict[str, Any]]:
    """Each record whose rows differ from what it says, by sequence: what differs, nothing of its content.

    Rows of records that are not there any more are what the verification of the log finds.
    """
    catch_up(engine)
    last = 0
    while True:
        with reading(engine) as connection:
            rows, facts, verdicts = _part(connection, last)
        for row in rows:
            wanted, said = row_facts(row)
            found = facts.get(row["sequence"])
            names = ["没有这一行"] if found is None else [name for name in wanted if found[name] != wanted[name]]
            if {_verdict(one) for one in said} != verdicts.get(row["sequence"], set()):
                names.append("verdicts")
            if names:
                yield {"sequence": row["sequence"], "decision_id": row["decision_id"], "differs": names}
        if len(rows) < PART:
            return
        last = rows[-1]["sequence"]


def _part(connection: Connection, last: int) -> tuple[list[Any], dict[int, Any], dict[int, set[tuple[str, ...]]]]:
    statement = select(DECISIONS).where(DECISIONS.c.sequence > last).order_by(DECISIONS.c.sequence).limit(PART)
    rows = list(connection.execute(statement).mappings())
    if not rows:
        return [], {}, {}
    ends = rows[0]["sequence"], rows[-1]["sequence"]
    facts = connection.execute(select(DECISION_FACTS).where(DECISION_FACTS.c.sequence.between(*ends))).mappings()
    verdicts: dict[int, set[tuple[str, ...]]] = {}
    between = select(DECISION_VERDICTS).where(DECISION_VERDICTS.c.sequence.between(*ends))
    for one in connection.execute(between).mappings():
        verdicts.setdefault(one["sequence"], set()).add(_verdict(one))
    return rows, {one["sequence"]: one for one in facts}, verdicts


def _verdict(row: Any) -> tuple[str, ...]:
    return row["rule"], row["gate"], row["state"]
