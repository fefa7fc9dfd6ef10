"""The Merkle tree over the decision log, and its signed checkpoints. Records that stand already are put into it."""

import secrets

import sqlalchemy as sa
from alembic import op

from service import clock
from service.audit.merkle import Frontier, TreeHash
from service.db.append_only import append_only
from service.settings import settings

revision = "0004"
down_revision = "0003"

BATCH = 500


def upgrade() -> None:
    op.create_table(
        "log_identity",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("origin", sa.String(200), nullable=False),
        sa.Column("hash", sa.String(20), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
    )
    op.create_table(
        "log_tree",
        sa.Column("sequence", sa.Integer, sa.ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False),
        sa.Column("nodes", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_checkpoints",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("key_id", sa.String(8), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
    )
    op.create_index("ix_log_checkpoints_size", "log_checkpoints", ["size"])
    chosen = settings()
    origin = chosen.log_origin or f"zhipai.local/{secrets.token_hex(4)}"
    op.get_bind().execute(
        sa.text("INSERT INTO log_identity (origin, hash, created_at) VALUES (:origin, :hash, :at)"),
        {"origin": origin, "hash": chosen.log_hash, "at": clock.now(chosen.time_zone).isoformat()},
    )
    _grow(op.get_bind(), TreeHash(chosen.log_hash))
    for table in ("log_identity", "log_tree", "log_checkpoints"):
        append_only(op.get_bind(), table)


def _grow(connection: sa.Connection, hasher: TreeHash) -> None:
    """Put the records into the tree, a batch at a time. A gap that stands already shows up when the log is verified."""
    tree = Frontier(hasher)
    select = sa.text("SELECT sequence, record FROM decisions WHERE sequence > :last ORDER BY sequence LIMIT :batch")
    insert = sa.text("INSERT INTO log_tree (sequence, nodes) VALUES (:sequence, :nodes)")
    last = 0
    while rows := connection.execute(select, {"last": last, "batch": BATCH}).all():
        nodes = [
            {"sequence": row.sequence, "nodes": b"".join(tree.add(hasher.leaf(bytes(row.record))))} for row in rows
        ]
        connection.execute(insert, nodes)
        last = rows[-1].sequence
