"""What a unit writes (its reasons, its replies) stands with the personal data, where it can be erased; the cases keep the
commitment to it, and the answer of the rules."""

import sqlalchemy as sa
from alembic import op

from service.db.append_only import append_only

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    with op.batch_alter_table("cases") as batch:
        batch.drop_column("reason")
        batch.add_column(sa.Column("commitment", sa.String(80), nullable=False, server_default=""))
        batch.add_column(sa.Column("answer", sa.String(20), nullable=False, server_default=""))
    op.create_table(
        "order_replies",
        sa.Column("reply_id", sa.String(64), primary_key=True),
        sa.Column("order_id", sa.String(64), sa.ForeignKey("work_orders.order_id"), nullable=False),
        sa.Column("unit", sa.String(200), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
    )
    op.create_index("ix_order_replies_order_id", "order_replies", ["order_id"])
    append_only(op.get_bind(), "order_replies")
