"""Personal data in a side table of its own, under salted commitments."""

import json
from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from service.db.append_only import append_only, never_changed, writable
from service.privacy.commitments import seal
from service.privacy.fields import WITHHELD, order_fields, without
from service.privacy.store import row_of, sealed_proposal

revision = "0006"
down_revision = "0005"

#: Rows that are moved at a time.
PART = 500


def upgrade() -> None:
    op.create_table(
        "personal_data",
        sa.Column("kind", sa.String(10), primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("order_id", sa.String(64), sa.ForeignKey("work_orders.order_id"), nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
    )
    op.create_index("ix_personal_data_order_id", "personal_data", ["order_id"])
    op.create_index("ix_personal_data_created_at", "personal_data", ["created_at"])
    op.create_table(
        "snapshot_parts",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("part_id", sa.String(120), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
    )
    op.add_column("work_orders", sa.Column("commitment", sa.String(80), nullable=True))
    op.add_column("proposals", sa.Column("context", sa.Text, nullable=True))
    commitments = dict(_move_orders())
    _move_proposals(commitments)
    with op.batch_alter_table("work_orders") as batch:
        batch.drop_column("masked")
    never_changed(op.get_bind(), "personal_data")
    append_only(op.get_bind(), "snapshot_parts")


def _personal() -> sa.TableClause:
    names = ("kind", "owner", "order_id", "fields", "salt", "created_at")
    return sa.table("personal_data", *(sa.column(name) for name in names))


def _move_orders() -> Iterator[tuple[str, str]]:
    """Order id → commitment, for every order that stands."""
    orders = sa.table(
        "work_orders",
        sa.column("order_id"),
        sa.column("original", sa.JSON),
        sa.column("created_at"),
        sa.column("commitment"),
    )
    connection = op.get_bind()
    for part in _parts(orders, orders.c.order_id):
        for row in part:
            fields = order_fields(row.original)
            sealed = seal(fields, owner=row.order_id)
            connection.execute(
                sa.insert(_personal()).values(**row_of("filed", row.order_id, row.order_id, sealed, row.created_at))
            )
            connection.execute(
                sa.update(orders)
                .where(orders.c.order_id == row.order_id)
                .values(original=without(row.original, fields), commitment=sealed.commitment)
            )
            yield row.order_id, sealed.commitment


def _move_proposals(commitments: dict[str, str]) -> None:
    """Proposals are append-only; this once they are rewritten. The log of decisions is left as it is: it cannot be."""
    proposals = sa.table(
        "proposals", *(sa.column(name) for name in ("proposal_id", "order_id", "proposal", "created_at"))
    )
    connection = op.get_bind()
    writable(connection, "proposals")
    for part in _parts(proposals, proposals.c.proposal_id):
        for row in part:
            proposal = {"proposal_id": row.proposal_id, **json.loads(row.proposal)}
            if WITHHELD in proposal:
                continue
            sealed, left = sealed_proposal(proposal, filed=commitments.get(row.order_id))
            at = datetime.fromisoformat(row.created_at).isoformat()
            connection.execute(
                sa.insert(_personal()).values(**row_of("shown", row.proposal_id, row.order_id, sealed, at))
            )
            connection.execute(
                sa.update(proposals).where(proposals.c.proposal_id == row.proposal_id).values(proposal=left)
            )
    append_only(connection, "proposals")


def _parts(table: sa.TableClause, key: sa.ColumnElement) -> Iterator[list]:
    """All rows by key, some at a time, each part read to its end before anything is written."""
    last = ""
    while rows := op.get_bind().execute(sa.select(table).where(key > last).order_by(key).limit(PART)).all():
        yield list(rows)
        last = getattr(rows[-1], key.name)
