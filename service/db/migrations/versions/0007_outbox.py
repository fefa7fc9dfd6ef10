"""Delivery of events (attempts, back-off, dead letters), and narrow rows by which the log is searched and counted."""

import sqlalchemy as sa
from alembic import op

from service.db.append_only import append_only

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _facts()
    _verdicts()
    for table in ("decision_facts", "decision_verdicts"):
        append_only(op.get_bind(), table)
    op.create_table(
        "outbox_deliveries",
        sa.Column("target", sa.String(40), primary_key=True),
        sa.Column("sequence", sa.Integer, sa.ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("problem", sa.String(120), nullable=False),
        sa.Column("updated_at", sa.String(40), nullable=False),
    )
    op.create_index("ix_outbox_deliveries_state", "outbox_deliveries", ["target", "state", "next_at"])
    op.create_index("ix_outbox_deliveries_order", "outbox_deliveries", ["target", "order_id", "sequence"])
    op.create_table(
        "leases",
        sa.Column("job", sa.String(40), primary_key=True),
        sa.Column("holder", sa.String(80), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    # Whether an event was delivered is a matter of each target now.
    with op.batch_alter_table("outbox") as batch:
        batch.drop_column("delivered")


def _facts() -> None:
    op.create_table(
        "decision_facts",
        sa.Column("sequence", sa.Integer, sa.ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False),
        sa.Column("decision_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("week", sa.String(10), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=True),
        sa.Column("action", sa.String(30), nullable=False),
        sa.Column("unit", sa.String(200), nullable=False),
        sa.Column("proposed", sa.String(200), nullable=False),
        sa.Column("abstained", sa.Boolean, nullable=True),
        sa.Column("model", sa.String(120), nullable=False),
        sa.Column("rules", sa.String(120), nullable=False),
        sa.Column("case_kind", sa.String(30), nullable=False),
        sa.Column("outcome", sa.String(30), nullable=False),
    )
    op.create_index("ix_decision_facts_at", "decision_facts", ["at"])
    for name, column in (("kind",) * 2, ("unit",) * 2, ("actor",) * 2, ("order", "order_id"), ("model",) * 2):
        op.create_index(f"ix_decision_facts_{name}", "decision_facts", [column, "sequence"])


def _verdicts() -> None:
    op.create_table(
        "decision_verdicts",
        sa.Column("sequence", sa.Integer, sa.ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False),
        sa.Column("rule", sa.String(80), primary_key=True),
        sa.Column("gate", sa.String(30), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
    )
    op.create_index("ix_decision_verdicts_rule", "decision_verdicts", ["rule", "sequence", "state"])
