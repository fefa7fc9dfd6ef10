"""Erasure (删除): the personal data of orders goes, with the salts; the log, its tree and the verdicts stay whole."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from service.db.engine import reading, writing
from service.db.tables import DECISIONS, PROPOSALS, WORK_ORDERS
from service.db.tables_privacy import PERSONAL_DATA
from service.log import append_record
from service.privacy.residue import Scrubbed, scrub

register("E6554", "没有这张工单", "没有编号为“{order_id}”的工单，没有删除任何内容。请核对编号。", status=404)
register("E6555", "没有可删除的", "选中的 {orders} 张工单里已经没有可删除的个人信息，没有写入任何内容。")
register("E6556", "缺少删除人或理由", "删除个人信息须写明 {missing}，会记入决定日志（不含被删的内容）。")
register("E6557", "没有选定范围", "请用 --order 写明工单编号，或用 --before 写明日期，二者只写一个。")

KIND = "erasure"
#: Orders that one transaction erases. Between two of them a dispatcher's decision gets its turn.
BATCH = 1000
#: Decisions that a preview names one by one.
NAMED = 20


@dataclass(frozen=True, slots=True)
class Selection:
    """Which orders, and how much of them.

    ``order_ids`` or ``before`` (orders filed before that instant). ``with_text``: the masked text and what was read out
    of it as well; by default only what was filed.
    """

    order_ids: tuple[str, ...] = ()
    before: datetime | None = None
    with_text: bool = False

    def check(self) -> None:
        """E6557 unless it names orders or an instant, and not both."""
        if bool(self.order_ids) == (self.before is not None):
            raise ZhipaiError("E6557")


@dataclass(frozen=True, slots=True)
class Preview:
    """What an erasure takes away and what it leaves. ``logged_text``: decisions of before personal data had a table of its
    own, which hold masked text that nothing can take out of the log."""

    orders: int
    filed: int
    shown: int
    characters: int
    proposals: int
    decisions: int
    undecided: int
    logged_text: int
    decision_ids: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"decision_ids": list(self.decision_ids)}


@dataclass(frozen=True, slots=True)
class Eraser:
    """Who erases, in which role and why. ``basis``: on request of a person, or because the time to keep is over."""

    actor: str
    reason: str
    role: str = ""
    basis: Literal["request", "retention"] = "request"

    def check(self) -> None:
        """E6556 unless both are said."""
        said = (("删除人（--who）", self.actor), ("理由（--reason）", self.reason))
        missing = [what for what, text in said if len(text.strip()) < 2]
        if missing:
            raise ZhipaiError("E6556", {"missing": "、".join(missing)})


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, by which decisions, and what became of the places in the file where it stood."""

    orders: int
    filed: int
    shown: int
    decision_ids: tuple[str, ...]
    scrubbed: Scrubbed

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"decision_ids": list(self.decision_ids)}


def preview(engine: Engine, selection: Selection) -> Preview:
    """Count what would go and what would stay. Writes nothing; E6554 for an unknown order, E6557."""
    selection.check()
    table = PERSONAL_DATA.c
    with reading(engine) as connection:
        _require(connection, selection)
        chosen = select(WORK_ORDERS.c.order_id).where(
            _chosen(selection, WORK_ORDERS.c.order_id, WORK_ORDERS.c.created_at)
        )
        rows = connection.execute(
            select(table.kind, func.count(), func.sum(func.length(table.fields)))
            .where(_going(selection), table.order_id.in_(chosen))
            .group_by(table.kind)
        ).all()
        found = {kind: (number, characters or 0) for kind, number, characters in rows}
        mine = DECISIONS.c.order_id.in_(chosen)
        decided = select(DECISIONS.c.order_id).where(mine, DECISIONS.c.kind == "dispatch")
        named = select(DECISIONS.c.decision_id).where(mine).order_by(DECISIONS.c.sequence).limit(NAMED)
        return Preview(
            orders=_count(connection, chosen),
            filed=found.get("filed", (0, 0))[0],
            shown=found.get("shown", (0, 0))[0],
            characters=sum(characters for _, characters in found.values()),
            proposals=_count(connection, select(PROPOSALS.c.proposal_id).where(PROPOSALS.c.order_id.in_(chosen))),
            decisions=_count(connection, select(DECISIONS.c.decision_id).where(mine)),
            undecided=_count(connection, chosen.where(WORK_ORDERS.c.order_id.not_in(decided))),
            logged_text=_logged_text(connection, mine),
            decision_ids=tuple(connection.execute(named).scalars()),
        )


def erase(
    engine: Engine, selection: Selection, eraser: Eraser, *, software: str, at: datetime, rewrite: bool = False
) -> Erased:
    """Delete the rows and their salts, and record that, without the data; up to :data:`BATCH` orders a transaction.

    Afterwards the places in the database file where they stood are cleaned (:func:`service.privacy.residue.scrub`);
    ``rewrite`` writes the whole file anew for that.

    Raises
    ------
    ZhipaiError
        E6554, E6556, E6557 for the order; E6555 if nothing is left to erase; E6001–E6004 for the database.
    """
    selection.check()
    eraser.check()
    with reading(engine) as connection:
        _require(connection, selection)
    counts = {"filed": 0, "shown": 0}
    orders, decisions = 0, []
    while True:
        with writing(engine) as connection:
            batch = _batch(connection, selection)
            if not batch:
                break
            rows = _delete(connection, selection, batch)
            decisions.append(_record(connection, selection, eraser, batch, rows, software=software, at=at))
            connection.commit()
        orders += len(batch)
        counts = {kind: counts[kind] + rows[kind] for kind in counts}
    if not decisions:
        raise ZhipaiError("E6555", {"orders": len(selection.order_ids) or "0"})
    return Erased(orders, counts["filed"], counts["shown"], tuple(decisions), scrub(engine, rewrite=rewrite))


def _going(selection: Selection) -> ColumnElement[bool]:
    """Which rows of an order go."""
    kinds = ("filed", "shown") if selection.with_text else ("filed",)
    return PERSONAL_DATA.c.kind.in_(kinds)


def _chosen(selection: Selection, order_id: ColumnElement[Any], created_at: ColumnElement[Any]) -> ColumnElement[bool]:
    if selection.before is None:
        return order_id.in_(selection.order_ids)
    # Instants are text with the zone of the city; those of one installation sort as they stand.
    return created_at < selection.before.isoformat()


def _require(connection: Connection, selection: Selection) -> None:
    for order_id in selection.order_ids:
        known = select(WORK_ORDERS.c.order_id).where(WORK_ORDERS.c.order_id == order_id)
        if connection.execute(known).first() is None:
            raise ZhipaiError("E6554", {"order_id": order_id[:80]})


def _batch(connection: Connection, selection: Selection) -> list[str]:
    """The next orders that still have rows to erase, in the order of their ids."""
    query = (
        select(PERSONAL_DATA.c.order_id)
        .join(WORK_ORDERS, WORK_ORDERS.c.order_id == PERSONAL_DATA.c.order_id)
        .where(_going(selection), _chosen(selection, WORK_ORDERS.c.order_id, WORK_ORDERS.c.created_at))
        .distinct()
        .order_by(PERSONAL_DATA.c.order_id)
        .limit(BATCH)
    )
    return list(connection.execute(query).scalars())


def _delete(connection: Connection, selection: Selection, batch: Sequence[str]) -> dict[str, int]:
    return {
        kind: connection.execute(
            delete(PERSONAL_DATA).where(
                _going(selection), PERSONAL_DATA.c.kind == kind, PERSONAL_DATA.c.order_id.in_(batch)
            )
        ).rowcount
        for kind in ("filed", "shown")
    }


def _record(
    connection: Connection,
    selection: Selection,
    eraser: Eraser,
    batch: Sequence[str],
    rows: dict[str, int],
    *,
    software: str,
    at: datetime,
) -> str:
    body: dict[str, Any] = {
        "actor": eraser.actor.strip(),
        "role": eraser.role,
        "reason": mask_pii(eraser.reason.strip()).text,
        "basis": eraser.basis,
        "orders": list(batch),
        "before": selection.before.isoformat() if selection.before else None,
        "with_text": selection.with_text,
        "rows": rows,
        "software": software,
    }
    decision_id, _ = append_record(
        connection,
        kind=KIND,
        body=body,
        key=uuid.uuid4().hex,
        digest=hashlib.sha256(canonical_json(body)).hexdigest(),
        at=at,
        columns={"order_id": batch[0]} if len(batch) == 1 else None,
    )
    return decision_id


def _count(connection: Connection, query: Any) -> int:
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def _logged_text(connection: Connection, mine: ColumnElement[bool]) -> int:
    """Dispatches whose record holds the masked text itself: those that were written before revision 0006."""
    query = select(DECISIONS.c.record).where(mine, DECISIONS.c.kind == "dispatch")
    return sum(b'"withheld":' not in record for record in _records(connection, query))


def _records(connection: Connection, query: Any) -> Iterator[bytes]:
    for row in connection.execution_options(yield_per=500).execute(query):
        yield bytes(row.record)
