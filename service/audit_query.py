"""Questions to the decision log: which records, newest first a page at a time, or all of them in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, case, exists, func, null, select

from intake.errors import ZhipaiError, register
from service.audit_facts import catch_up, microseconds
from service.db.engine import reading
from service.db.tables import DECISIONS
from service.db.tables_facts import DECISION_FACTS, DECISION_VERDICTS

register("E7900", "起止颠倒", "起始时刻 {since} 不早于截止时刻 {until}（截止不含）。请对调或改写。")
register("E7901", "时刻缺时区", "查询的时刻“{name}”没有时区。请写成 2026-05-01T09:30:00+08:00。")
register(
    "E7902", "判定的写法不对", "判定只能是 hit（命中）、pass（未命中）、not_evaluated（无法判断），不认识“{state}”。"
)

#: Rows read at a time by :func:`rows_of`. Each part is a short transaction of its own.
PART = 2000
STATES = ("hit", "pass", "not_evaluated")
F, V = DECISION_FACTS.c, DECISION_VERDICTS.c


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records are meant; every condition that is given has to hold.

    Parameters
    ----------
    since, until : datetime, optional
        From this instant on, and before that one. Aware.
    kind : str
        ``dispatch``, ``rule_publication``, ``case`` …
    unit : str
        The unit that was chosen.
    gate, rule, state : str
        Of one and the same verdict in the record: say ``rule`` and ``state="hit"``.
    override, abstained : bool, optional
        Of a dispatch: sent elsewhere than proposed; the model had abstained. None asks for neither.
    model : str
        Id of the model that proposed, or that was promoted.
    """

    since: datetime | None = None
    until: datetime | None = None
    kind: str = ""
    unit: str = ""
    actor: str = ""
    order_id: str = ""
    model: str = ""
    gate: str = ""
    rule: str = ""
    state: str = ""
    override: bool | None = None
    abstained: bool | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            at = getattr(self, name)
            if at is not None and at.tzinfo is None:
                raise ZhipaiError("E7901", {"name": name}, where=f"query:{name}")
        if self.since and self.until and self.since >= self.until:
            raise ZhipaiError("E7900", {"since": self.since.isoformat(), "until": self.until.isoformat()})
        if self.state not in ("", *STATES):
            raise ZhipaiError("E7902", {"state": self.state[:40]}, where="query:state")

    def given(self) -> dict[str, Any]:
        """The conditions that were given, as JSON."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in found.items()
            if value not in (None, "")
        }


def conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    """The conditions on ``decision_facts``, without that on a single rule (:func:`_from`). Every value is a parameter."""
    found: list[ColumnElement[bool]] = [
        F[name] == getattr(wanted, name)
        for name in ("kind", "unit", "actor", "order_id", "model")
        if getattr(wanted, name)
    ]
    if wanted.since:
        found.append(F.at >= microseconds(wanted.since))
    if wanted.until:
        found.append(F.at < microseconds(wanted.until))
    if wanted.override is not None:
        found.append(F.kind == "dispatch")
        found.append(F.action == "override" if wanted.override else F.action != "override")
    if wanted.abstained is not None:
        found.append(F.abstained == wanted.abstained)
    of_verdict = [V[name] == getattr(wanted, name) for name in ("gate", "state") if getattr(wanted, name)]
    if wanted.rule:
        found += [V.rule == wanted.rule, *of_verdict]
    elif of_verdict:
        found.append(exists().where(and_(V.sequence == F.sequence, *of_verdict)))
    return found


def selected(wanted: AuditFilter, *columns: Any) -> Select[Any]:
    """A statement over the records meant. One rule is sought by its own index; a record holds it at most once."""
    statement = select(*columns).where(*conditions(wanted))
    if wanted.rule:
        return statement.select_from(DECISION_FACTS.join(DECISION_VERDICTS, V.sequence == F.sequence))
    return statement.select_from(DECISION_FACTS)


def newest_first(
    engine: Engine, wanted: AuditFilter, *, before: int | None = None, limit: int = 50, zone: str
) -> tuple[list[dict[str, Any]], int | None]:
    """One page.

    Parameters
    ----------
    before : int, optional
        Only records with a smaller sequence: what the page before gave as its second value.
    zone : str
        Zone in which instants are shown.

    Returns
    -------
    (list of dict, int or None)
        At most ``limit`` rows, and where the next page begins; None at the end.
    """
    order = V.sequence if wanted.rule else F.sequence
    statement = selected(wanted, *_columns()).order_by(order.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(order < before)
    catch_up(engine)
    with reading(engine) as connection:
        found = _rows(connection, statement, zone)
    more = len(found) > limit
    return found[:limit], found[limit - 1]["sequence"] if more else None


def rows_of(engine: Engine, wanted: AuditFilter, *, zone: str, record: bool = False) -> Iterator[dict[str, Any]]:
    """Every row by sequence, as far as the log reached when it began; memory does not grow with their number.

    ``record``: with the whole record as logged, under ``record`` (bytes).
    """
    catch_up(engine)
    with reading(engine) as connection:
        end = connection.execute(select(func.max(F.sequence))).scalar() or 0
    order, last = V.sequence if wanted.rule else F.sequence, 0
    columns = _columns(record=record)
    while True:
        statement = selected(wanted, *columns).where(order > last, order <= end).order_by(order).limit(PART)
        with reading(engine) as connection:
            found = _rows(connection, statement, zone)
        yield from found
        if len(found) < PART:
            return
        last = found[-1]["sequence"]


def count_of(engine: Engine, wanted: AuditFilter) -> int:
    """How many records are meant."""
    catch_up(engine)
    with reading(engine) as connection:
        return connection.execute(selected(wanted, func.count())).scalar_one()


def _columns(*, record: bool = False) -> list[Any]:
    """The narrow row. The record itself is opened only where the narrow row cannot tell: the reason of an override."""
    said: ColumnElement[Any] = DECISIONS.c.record
    if not record:
        said = case(((F.kind != "dispatch") | (F.action == "override"), said), else_=null()).label("record")
    of_sequence = select(said).where(DECISIONS.c.sequence == F.sequence).scalar_subquery()
    return [*(column for column in F), of_sequence.label("record")]


def _rows(connection: Connection, statement: Select[Any], zone: str) -> list[dict[str, Any]]:
    found = connection.execute(statement).mappings().all()
    if not found:
        return []
    hits = _hits(connection, [row["sequence"] for row in found])
    return [_row(row, hits.get(row["sequence"], []), ZoneInfo(zone)) for row in found]


def _hits(connection: Connection, sequences: list[int]) -> dict[int, list[str]]:
    """The rules that hit, by record."""
    statement = select(V.sequence, V.rule).where(V.sequence.between(min(sequences), max(sequences)), V.state == "hit")
    # A page that skips much would otherwise read the verdicts of all that lies between.
    if max(sequences) - min(sequences) > 4 * len(sequences):
        statement = select(V.sequence, V.rule).where(V.sequence.in_(sequences), V.state == "hit")
    found: dict[int, list[str]] = {}
    for sequence, rule in connection.execute(statement.order_by(V.sequence, V.rule)):
        found.setdefault(sequence, []).append(rule)
    return found


def _row(row: Any, hits: list[str], zone: ZoneInfo) -> dict[str, Any]:
    seconds, micro = divmod(row["at"], 1_000_000)
    at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro).astimezone(zone)
    reason = json.loads(row["record"]).get("reason", "") if row["record"] is not None else ""
    return {
        "sequence": row["sequence"],
        "decision_id": row["decision_id"],
        "kind": row["kind"],
        "at": at.isoformat(),
        "actor": row["actor"],
        "order_id": row["order_id"] or "",
        "action": row["action"],
        "unit": row["unit"],
        "proposed": row["proposed"],
        "abstained": row["abstained"],
        "reason": reason if isinstance(reason, str) else "",
        "model": row["model"],
        "rules": row["rules"],
        "hits": hits,
        "case_kind": row["case_kind"],
        "outcome": row["outcome"],
        **({"record": row["record"]} if row["record"] is not None else {}),
    }
