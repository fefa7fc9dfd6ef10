"""The narrow rows beside a record of the log (:mod:`service.db.tables_facts`): what a record says, to filter and count by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, RowMapping, func, insert, select
from sqlalchemy.exc import IntegrityError

from intake.errors import ZhipaiError, register
from service.db.engine import reading, writing
from service.db.tables import DECISIONS
from service.db.tables_facts import DECISION_FACTS, DECISION_VERDICTS

register(
    "E7907",
    "要点表不对",
    "决定日志的要点表在第 {sequence} 号之后有对不上的行，不能补写，查询和统计不可信。请运行 zhipai audit verify，再从备份恢复。",
    status=503,
    exit_code=4,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Records in one transaction of :func:`catch_up`: a few milliseconds for which a decision may have to wait.
PART = 200
#: After so many attempts in vain nobody is quicker; something is wrong.
VAIN = 20
_COLUMNS = [
    DECISIONS.c[name]
    for name in ("sequence", "decision_id", "kind", "order_id", "action", "unit", "record", "created_at")
]


def microseconds(at: datetime) -> int:
    """An aware instant as microseconds since 1970 UTC.

    >>> microseconds(datetime(1970, 1, 1, 8, 0, 1, tzinfo=UTC))
    28801000000
    """
    return (at - EPOCH) // timedelta(microseconds=1)


def catch_up(engine: Engine) -> int:
    """Write the rows of the records that have come since the last time; returns how many records.

    Not written with the record itself: ten more pages to sync would cost each decision half of its time again. Whoever
    asks by these rows calls this first, so that nothing is missing from an answer; a running service calls it every few
    seconds, so that there is little to do. Safe in several processes at once.

    Raises
    ------
    ZhipaiError
        E7907 if rows stand in the way that no record accounts for; E6001-E6004.
    """
    done = vain = 0
    while True:
        with reading(engine) as connection:
            last = connection.execute(select(func.max(DECISION_FACTS.c.sequence))).scalar() or 0
            following = select(*_COLUMNS).where(DECISIONS.c.sequence > last).order_by(DECISIONS.c.sequence).limit(PART)
            rows = connection.execute(following).mappings().all()
        if not rows:
            return done
        found = [row_facts(row) for row in rows]
        try:
            with writing(engine) as connection:
                connection.execute(insert(DECISION_FACTS), [facts for facts, _ in found])
                if verdicts := [verdict for _, said in found for verdict in said]:
                    connection.execute(insert(DECISION_VERDICTS), verdicts)
                connection.commit()
            done += len(rows)
        except IntegrityError as error:
            # Another process was quicker: look again where it has come to.
            vain += 1
            if vain == VAIN:
                raise ZhipaiError("E7907", {"sequence": last}) from error


def row_facts(row: RowMapping) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """:func:`facts_of` a row of the log. Its columns stand for what an early record does not say itself."""
    columns = {name: row[name] for name in ("sequence", "decision_id", "kind", "order_id", "action", "unit")}
    at = datetime.fromisoformat(row["created_at"])
    return facts_of(columns | json.loads(row["record"]), at=at if at.tzinfo else at.replace(tzinfo=UTC))


def facts_of(record: Mapping[str, Any], *, at: datetime) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row of a record of any kind, and the rows of its verdicts. What a record does not say is empty, never guessed.

    Parameters
    ----------
    record : mapping
        As logged. ``proposal`` gives the first unit, the abstention and the verdicts of a dispatch; ``case_kind`` and
        ``outcome`` those of a case.
    at : datetime
        The instant of the decision, aware.
    """
    proposal = _mapping(record.get("proposal"))
    snapshot = _mapping(record.get("snapshot"))
    units = proposal.get("units") or [{}]
    abstained = proposal.get("abstained")
    facts = {
        "sequence": record["sequence"],
        "decision_id": record["decision_id"],
        "kind": record["kind"],
        "at": microseconds(at),
        "week": (at.date() - timedelta(days=at.weekday())).isoformat(),
        "actor": _text(record, "actor", 200),
        "order_id": _text(record, "order_id", 64) or None,
        "action": _text(record, "action", 30),
        "unit": _text(record, "unit", 200),
        "proposed": _text(_mapping(units[0]), "unit", 200),
        "abstained": abstained if isinstance(abstained, bool) else None,
        "model": _text(snapshot, "model", 120) or _text(record, "model_id", 120),
        "rules": _text(snapshot, "rules", 120),
        "case_kind": _text(record, "case_kind", 30),
        "outcome": _text(record, "outcome", 30),
    }
    verdicts = {
        verdict["rule_id"]: {
            "sequence": record["sequence"],
            "rule": _text(verdict, "rule_id", 80),
            "gate": _text(verdict, "gate", 30),
            "state": _text(verdict, "state", 20),
        }
        for verdict in _verdicts(record)
    }
    return facts, list(verdicts.values())


def _verdicts(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Those of a proposal, of a ruling, or of the record itself, whichever there are."""
    for holder in (record.get("proposal"), record.get("ruling"), record):
        found = _mapping(holder).get("verdicts")
        if isinstance(found, list):
            yield from (one for one in found if isinstance(one, dict) and one.get("rule_id"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(row: Mapping[str, Any], name: str, most: int) -> str:
    value = row.get(name)
    return value[:most] if isinstance(value, str) else ""
