"""Store and read orders and the proposals that were shown for them."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select

from intake.errors import ZhipaiError, register
from intake.order import WorkOrder
from service.db.engine import writing
from service.db.tables import PROPOSALS, WORK_ORDERS
from service.proposal import Proposal
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


def with_order_id(order: WorkOrder) -> WorkOrder:
    """The order, numbered: one without a number gets ``ZP-`` and a random one."""
    return order if order.order_id else replace(order, order_id=f"ZP-{uuid.uuid4().hex[:16]}")


def store_proposal(engine: Engine, order: WorkOrder, proposal: Proposal, *, at: datetime) -> None:
    """Keep the order as filed and the proposal that was shown, in one transaction.

    The same proposal again (same order, ``as_of`` and snapshot) is a no-op.

    Raises
    ------
    ZhipaiError
        E6302 if the number stands for another order; E6001–E6004 if the database cannot be written.
    """
    original = order_dict(order)
    with writing(engine) as connection:
        standing = connection.execute(
            select(WORK_ORDERS.c.original).where(WORK_ORDERS.c.order_id == order.order_id)
        ).scalar()
        if standing is None:
            connection.execute(
                insert(WORK_ORDERS).values(
                    order_id=order.order_id, original=original, masked=proposal.order, created_at=at.isoformat()
                )
            )
        elif standing != original:
            raise ZhipaiError("E6302", {"order_id": order.order_id})
        known = select(PROPOSALS.c.proposal_id).where(PROPOSALS.c.proposal_id == proposal.proposal_id)
        if standing is None or connection.execute(known).scalar() is None:
            connection.execute(
                insert(PROPOSALS).values(
                    proposal_id=proposal.proposal_id,
                    order_id=order.order_id,
                    as_of=proposal.as_of,
                    proposal=proposal.canonical.decode(),
                    created_at=at.isoformat(),
                )
            )
        connection.commit()


def read_proposal(connection: Connection, proposal_id: str) -> tuple[str, str]:
    """The order id and the canonical JSON of a proposal; E6301 if there is none."""
    row = connection.execute(
        select(PROPOSALS.c.order_id, PROPOSALS.c.proposal).where(PROPOSALS.c.proposal_id == proposal_id)
    ).first()
    if row is None:
        raise ZhipaiError("E6301", {"proposal_id": proposal_id[:80]})
    return row.order_id, row.proposal
