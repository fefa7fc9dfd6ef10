"""Knowledge entries get a life: versions that are never changed, and the events that led to them."""

import sqlalchemy as sa
from alembic import op

from service.db.append_only import append_only

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.drop_index("ix_entries_current", "entries")
    with op.batch_alter_table("entries") as batch:
        batch.drop_column("current")
        batch.add_column(sa.Column("decision_id", sa.String(64), nullable=True))
        batch.create_foreign_key("entries_decision", "decisions", ["decision_id"], ["decision_id"])
    op.create_table(
        "entry_events",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("entry_id", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("content", sa.JSON, nullable=True),
        sa.Column("version", sa.Integer, nullable=True),
        sa.Column("decision_id", sa.String(64), sa.ForeignKey("decisions.decision_id"), nullable=True),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.UniqueConstraint("entry_id", "revision", name="one_event_each"),
    )
    # Every version that is there was imported: its life begins with that.
    op.execute(
        "INSERT INTO entry_events (entry_id, revision, action, actor, note, version, created_at) "
        "SELECT entry_id, version, 'import', '', '', version, created_at FROM entries ORDER BY created_at, entry_id, version"
    )
    for table in ("entries", "entry_events"):
        append_only(op.get_bind(), table)
