"""The tables of the tree over the decision log. All are append-only (migration 0004)."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.db.tables import Base


class LogIdentityRow(Base):
    """What the log is called and how its tree is hashed. The last row counts; fixed with the first record."""

    __tablename__ = "log_identity"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    origin: Mapped[str] = mapped_column(String(200))
    hash: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[str] = mapped_column(String(40))


class LogTreeRow(Base):
    """For each record its leaf hash, followed by the inner nodes that it makes whole (lowest first), 32 bytes each.

    So an append is one row, and every perfect node stands in the row of its last leaf.
    """

    __tablename__ = "log_tree"
    sequence: Mapped[int] = mapped_column(ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False)
    nodes: Mapped[bytes] = mapped_column(LargeBinary)


class LogCheckpointRow(Base):
    """Every checkpoint that was signed, so that none is signed that would contradict another."""

    __tablename__ = "log_checkpoints"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    size: Mapped[int] = mapped_column(Integer, index=True)
    key_id: Mapped[str] = mapped_column(String(8))
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(40))


LOG_IDENTITY = Base.metadata.tables["log_identity"]
LOG_TREE = Base.metadata.tables["log_tree"]
LOG_CHECKPOINTS = Base.metadata.tables["log_checkpoints"]
