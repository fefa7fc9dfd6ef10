"""The decision log takes records of any kind; tables for the bundles and publications of rule packs."""

import sqlalchemy as sa
from alembic import op

from service.db.append_only import append_only, writable

revision = "0002"
down_revision = "0001"

#: What only a dispatch names.
DISPATCH_ONLY = {"order_id": 64, "proposal_id": 64, "action": 20, "unit": 200}


def upgrade() -> None:
    _decisions_of_any_kind()
    op.create_table(
        "rule_bundles",
        sa.Column("content_hash", sa.String(64), primary_key=True),
        sa.Column("pack", sa.String(80), nullable=False),
        sa.Column("bundle", sa.LargeBinary, nullable=False),
        sa.Column("bundle_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
    )
    op.create_table(
        "rule_publications",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("decision_id", sa.String(64), sa.ForeignKey("decisions.decision_id"), nullable=False, unique=True),
        sa.Column("pack", sa.String(80), nullable=False),
        sa.Column("content_hash", sa.String(64), sa.ForeignKey("rule_bundles.content_hash"), nullable=False),
        sa.Column("effective_from", sa.String(40), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
    )
    op.create_index("ix_rule_publications_pack", "rule_publications", ["pack"])
    for table in ("rule_bundles", "rule_publications"):
        append_only(op.get_bind(), table)


def _decisions_of_any_kind() -> None:
    """On SQLite the table is built anew with its rows, which takes its triggers away; they are put back at once."""
    writable(op.get_bind(), "decisions")
    with op.batch_alter_table("decisions") as batch:
        batch.add_column(sa.Column("kind", sa.String(30), nullable=False, server_default="dispatch"))
        for name, length in DISPATCH_ONLY.items():
            batch.alter_column(name, existing_type=sa.String(length), nullable=True)
        filled = " AND ".join(f"{name} IS NOT NULL" for name in DISPATCH_ONLY)
        batch.create_check_constraint("dispatch_is_whole", f"kind <> 'dispatch' OR ({filled})")
    append_only(op.get_bind(), "decisions")
