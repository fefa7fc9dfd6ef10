"""Store and read orders and the proposals that were shown for them.

Personal fields go to a table of their own (:mod:`service.privacy`); what stands here holds salted commitments to them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, bindparam, select

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.order import WorkOrder
from service.db.bulk import add_row
from service.db.engine import once_more
from service.db.tables import PROPOSALS, WORK_ORDERS
from service.privacy.fields import together
from service.privacy.store import opened, put_away, sealed_order, sealed_proposal
from service.proposal import Proposal
from service.snapshot import Snapshot
from service.snapshot_parts import keep
from service.triage import order_dict

register(
    "E6301",
    "没有这条建议",
    "没有编号为“{proposal_id}”的建议。请先提交诉求取得建议，再按返回的 proposal_id 作决定。",
    status=404,
)
register(
    "E6302",
    "工单编号已被占用",
    "工单编号“{order_id}”已经登记过另一条内容不同的诉求。请核对编号；同一工单的补充内容请另立工单并写明关联工单。",
    status=409,
)
register(
    "E6550",
    "工单原文已删除",
    "工单“{order_id}”的个人信息已按规定删除，这个编号不能再登记。请另立工单并写明关联工单。",
    status=409,
)

# Made once: building a statement costs as much as running it.
_STORED = select(PROPOSALS.c.proposal_id, PROPOSALS.c.order_id, PROPOSALS.c.proposal, PROPOSALS.c.context).where(
    PROPOSALS.c.proposal_id.in_(bindparam("ids", expanding=True))
)
_KNOWN = select(PROPOSALS.c.proposal_id).where(PROPOSALS.c.proposal_id == bindparam("id"))
_FILED = select(WORK_ORDERS.c.original, WORK_ORDERS.c.commitment).where(WORK_ORDERS.c.order_id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class StoredProposal:
    """A proposal as it stands in the database: canonical JSON without personal fields, and where it was computed
    (canonical JSON, ``null`` for one of before this was noted)."""

    order_id: str
    canonical: str
    context: str


def with_order_id(order: WorkOrder) -> WorkOrder:
    """The order, numbered: one without a number gets ``ZP-`` and a random one."""
    return order if order.order_id else replace(order, order_id=f"ZP-{uuid.uuid4().hex[:16]}")


def store_proposal(
    engine: Engine, order: WorkOrder, proposal: Proposal, *, at: datetime, snapshot: Snapshot | None = None
) -> None:
    """Keep the order as filed and the proposal that was shown, in one transaction.

    The same proposal again (same order, ``as_of`` and snapshot) is a no-op.

    Parameters
    ----------
    snapshot : Snapshot, optional
        What the proposal was computed from. Its parts are kept for a replay, and the software, libraries, encoder and
        gazetteer noted; without it a replay may lack them.

    Raises
    ------
    ZhipaiError
        E6302 if the number stands for another order, E6550 if for one that was erased; E6001–E6004 if the database
        cannot be written.
    """
    context = canonical_json(keep(engine, snapshot, at=at)).decode() if snapshot is not None else None

    def work(connection: Connection) -> None:
        commitment = _same_order(connection, order, at)
        if connection.execute(_KNOWN, {"id": proposal.proposal_id}).scalar() is None:
            sealed, left = sealed_proposal(proposal.as_dict(), filed=commitment)
            put_away(connection, "shown", proposal.proposal_id, order.order_id, sealed, at=at)
            row = {
                "proposal_id": proposal.proposal_id,
                "order_id": order.order_id,
                "as_of": proposal.as_of,
                "proposal": left,
                "created_at": at.isoformat(),
                "context": context,
            }
            add_row(connection, PROPOSALS, row)
        connection.commit()

    once_more(engine, work)


def _same_order(connection: Connection, order: WorkOrder, at: datetime) -> str | None:
    """The commitment to an order, which is stored if its number is new; E6302, E6550."""
    original = order_dict(order)
    standing = connection.execute(_FILED, {"id": order.order_id}).first()
    if standing is None:
        # The row that personal data points to has to be there first; PostgreSQL looks at once.
        sealed, left = sealed_order(original)
        row = {"order_id": order.order_id, "original": left, "created_at": at.isoformat()}
        add_row(connection, WORK_ORDERS, row | {"commitment": sealed.commitment})
        put_away(connection, "filed", order.order_id, order.order_id, sealed, at=at)
        return sealed.commitment
    personal = opened(connection, "filed", [order.order_id]).get(order.order_id)
    if personal is None:
        raise ZhipaiError("E6550", {"order_id": order.order_id})
    if together(standing.original, personal.fields) != original:
        raise ZhipaiError("E6302", {"order_id": order.order_id})
    commitment: str | None = standing.commitment
    return commitment


def read_proposal(connection: Connection, proposal_id: str) -> StoredProposal:
    """A proposal as it stands; E6301 if there is none."""
    found = read_proposals(connection, [proposal_id]).get(proposal_id)
    if found is None:
        raise ZhipaiError("E6301", {"proposal_id": proposal_id[:80]})
    return found


def read_proposals(connection: Connection, proposal_ids: Iterable[str]) -> dict[str, StoredProposal]:
    """Proposals by their ids; one that is not there is left out."""
    rows = connection.execute(_STORED, {"ids": list(proposal_ids)})
    return {row.proposal_id: StoredProposal(row.order_id, row.proposal, row.context or "null") for row in rows}
