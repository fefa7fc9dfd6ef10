"""The queue of filed orders, what happened to each, who looks at it, and what units ask for (退单、延期、不纳入考核、挂账)."""

import sqlalchemy as sa
from alembic import op

from service.db.append_only import append_only

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "order_queue",
        sa.Column("order_id", sa.String(64), sa.ForeignKey("work_orders.order_id"), primary_key=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("proposal_id", sa.String(64), sa.ForeignKey("proposals.proposal_id"), nullable=False),
        sa.Column("district", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("abstained", sa.Boolean, nullable=False),
        sa.Column("due_at", sa.String(40), nullable=False),
        sa.Column("unit", sa.String(200), nullable=False),
        sa.Column("decision_id", sa.String(64), sa.ForeignKey("decisions.decision_id"), nullable=True),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("changed_at", sa.String(40), nullable=False),
    )
    op.create_index("ix_order_queue_due", "order_queue", ["status", "due_at", "order_id"])
    op.create_index("ix_order_queue_district", "order_queue", ["status", "district", "due_at", "order_id"])
    op.create_index("ix_order_queue_changed", "order_queue", ["status", "changed_at", "order_id"])
    op.create_index("ix_order_queue_channel", "order_queue", ["status", "channel"])
    op.create_index("ix_order_queue_abstained", "order_queue", ["status", "abstained", "due_at", "order_id"])
    op.create_table(
        "order_events",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("order_id", sa.String(64), sa.ForeignKey("work_orders.order_id"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("unit", sa.String(200), nullable=False),
        sa.Column("decision_id", sa.String(64), sa.ForeignKey("decisions.decision_id"), nullable=True),
        sa.Column("created_at", sa.String(40), nullable=False),
    )
    op.create_index("ix_order_events_order_id", "order_events", ["order_id"])
    op.create_index("ix_order_events_actor", "order_events", ["actor", "sequence"])
    append_only(op.get_bind(), "order_events")
    op.create_table(
        "order_presence",
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("window_id", sa.String(40), primary_key=True),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("seen_at", sa.String(40), nullable=False),
    )
    op.create_index("ix_order_presence_seen_at", "order_presence", ["seen_at"])
    op.create_table(
        "cases",
        sa.Column("case_id", sa.String(64), primary_key=True),
        sa.Column("order_id", sa.String(64), sa.ForeignKey("work_orders.order_id"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("unit", sa.String(200), nullable=False),
        sa.Column("asked_by", sa.String(100), nullable=False),
        sa.Column("asked_at", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("suggested_unit", sa.String(200), nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("ruling", sa.JSON, nullable=False),
        sa.Column("decided_by", sa.String(100), nullable=False),
        sa.Column("decided_at", sa.String(40), nullable=False),
        sa.Column("decision_id", sa.String(64), sa.ForeignKey("decisions.decision_id"), nullable=True),
    )
    op.create_index("ix_cases_order_id", "cases", ["order_id"])
    op.create_index("ix_cases_open", "cases", ["status", "kind", "asked_at"])
    op.create_index("ix_cases_unit", "cases", ["unit", "status"])
