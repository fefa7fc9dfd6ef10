"""Figures from the decision log: overrides, agreement, abstentions and returns, each with its number and its interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

from sqlalchemy import Connection, Engine, case, func, select

from intake.errors import ZhipaiError, register
from service.audit_facts import catch_up, microseconds
from service.audit_query import AuditFilter, F, selected
from service.db.engine import reading
from service.db.tables_facts import DECISION_FACTS
from training.feedback import Return

register("E7904", "分组的写法不对", "不能按“{by}”分组。可用的有：unit（单位）、model（模型版本）、week（周）。")

DIMENSIONS = ("unit", "model", "week")
#: 95 % of a normal distribution lie within so many standard deviations.
Z = 1.959963984540054
#: A rate over fewer decisions is marked: it says little. 常识推断: no source sets this number.
FEW = 30
#: Sequences in one statement; SQLite takes at most 32,766 parameters.
PART = 5000


@dataclass(frozen=True, slots=True)
class Rate:
    """``k`` of ``n``, with the Wilson interval at 95 %. ``rate``, ``low`` and ``high`` are None where ``n`` is 0."""

    k: int
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson, E. B. (1927), J. Am. Stat. Assoc. 22: holds for few cases and for rates near 0 and 1."""
        if not self.n:
            return None
        share, square = self.k / self.n, Z * Z
        centre = share + square / (2 * self.n)
        half = Z * sqrt(share * (1 - share) / self.n + square / (4 * self.n * self.n))
        scale = 1 + square / self.n
        return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)

    def as_dict(self) -> dict[str, Any]:
        low, high = self.interval or (None, None)
        return {
            "k": self.k,
            "n": self.n,
            "rate": self.k / self.n if self.n else None,
            "low": low,
            "high": high,
            "few": self.n < FEW,
        }


def decision_stats(
    engine: Engine, wanted: AuditFilter, *, by: Sequence[str] = (), returns: Iterable[Return] = ()
) -> dict[str, Any]:
    """Rates of the dispatches meant, in all and for each group.

    Parameters
    ----------
    by : sequence of str
        Any of :data:`DIMENSIONS`, none twice. ``unit`` is the unit that was chosen.
    returns : iterable of Return
        Returns that another system exported (:func:`service.feedback.read_returns`), besides those in the log.

    Returns
    -------
    dict
        ``groups``: rows with the values of ``by`` and four rates, the first without groups. ``override``: of all
        dispatches, those sent on a person's own choice. ``agreement``: of those with a proposed unit, those that went
        there. ``abstention``: of all, those where the model abstained. ``returned``: of all, those that the unit sent
        back with consent; None where neither the log nor a file tells of returns.
    """
    for name in by:
        if name not in DIMENSIONS or by.count(name) > 1:
            raise ZhipaiError("E7904", {"by": name[:40]}, where="query:by")
    dispatches = replace(wanted, kind="dispatch")
    catch_up(engine)
    with reading(engine) as connection:
        if wanted.kind not in ("", "dispatch"):
            return {"filter": wanted.given(), "by": list(by), "returns_known": False, "groups": []}
        sent_back = _sent_back(connection, list(returns))
        groups = []
        for dimensions in ((), tuple(by)) if by else ((),):
            again = _returned(connection, dispatches, dimensions, sent_back) if sent_back is not None else None
            groups += [_group(row, dimensions, again) for row in _counted(connection, dispatches, dimensions)]
    return {"filter": wanted.given(), "by": list(by), "returns_known": sent_back is not None, "groups": groups}


def _counted(connection: Connection, wanted: AuditFilter, dimensions: tuple[str, ...]) -> Iterator[Any]:
    def number(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    columns = [F[name] for name in dimensions]
    statement = selected(
        wanted,
        *columns,
        func.count().label("dispatches"),
        number(F.action == "override").label("overridden"),
        number(F.proposed != "").label("proposed"),
        number((F.proposed != "") & (F.proposed == F.unit)).label("agreed"),
        number(F.abstained.is_(True)).label("abstained"),
        number(F.abstained.is_not(None)).label("told"),
    )
    if columns:
        statement = statement.group_by(*columns).order_by(*columns)
    yield from connection.execute(statement).mappings()


def _group(row: Any, dimensions: tuple[str, ...], again: dict[tuple[str, ...], int] | None) -> dict[str, Any]:
    key = tuple(row[name] for name in dimensions)
    found = {
        "override": Rate(row["overridden"], row["dispatches"]),
        "agreement": Rate(row["agreed"], row["proposed"]),
        "abstention": Rate(row["abstained"], row["told"]),
    }
    rates: dict[str, Any] = {name: rate.as_dict() for name, rate in found.items()}
    rates["returned"] = Rate(again.get(key, 0), row["dispatches"]).as_dict() if again is not None else None
    return dict(zip(dimensions, key, strict=True)) | {"dispatches": row["dispatches"]} | rates


def _sent_back(connection: Connection, returns: list[Return]) -> set[int] | None:
    """The dispatches that came back with consent, by sequence; None if nothing is known of returns."""
    logged = (
        select(F.sequence, F.order_id, F.unit, F.outcome)
        .where(F.kind == "case", F.case_kind == "return")
        .order_by(F.sequence)
    )
    cases = connection.execute(logged).all()
    if not cases and not returns:
        return None
    of_log = [
        _dispatch_before(connection, one.order_id, one.unit, F.sequence < one.sequence)
        for one in cases
        if one.outcome == "accepted"
    ]
    of_file = [
        _dispatch_before(connection, one.order_id, one.unit, F.at <= microseconds(one.at))
        for one in returns
        if one.outcome == "agreed"
    ]
    return {sequence for sequence in (*of_log, *of_file) if sequence is not None}


def _dispatch_before(connection: Connection, order_id: str, unit: str, before: Any) -> int | None:
    """The last dispatch of the order before a return, if it went to the unit that sends it back."""
    statement = (
        select(F.sequence, F.unit)
        .where(F.order_id == order_id, F.kind == "dispatch", before)
        .order_by(F.sequence.desc())
        .limit(1)
    )
    row = connection.execute(statement).first()
    return row.sequence if row is not None and row.unit == unit else None


def _returned(
    connection: Connection, wanted: AuditFilter, dimensions: tuple[str, ...], sequences: set[int]
) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = defaultdict(int)
    columns = [F[name] for name in dimensions]
    ordered = sorted(sequences)
    for start in range(0, len(ordered), PART):
        part = ordered[start : start + PART]
        statement = selected(wanted, *columns, DECISION_FACTS.c.sequence).where(F.sequence.in_(part))
        for row in connection.execute(statement):
            found[tuple(row[:-1])] += 1
    return found
