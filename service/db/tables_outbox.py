"""How far events have come on their way to other systems."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from service.db.tables import Base


class DeliveryRow(Base):
    """One event for one target. ``state``: ``waiting``, ``delivered``, ``dead`` (tried often enough) or ``dropped``.

    ``sequence`` is that of the decision and gives the order. ``since`` and ``next_at`` are in microseconds since 1970
    UTC: when the decision was made, and when the event is tried next.
    """

    __tablename__ = "outbox_deliveries"
    target: Mapped[str] = mapped_column(String(40), primary_key=True)
    sequence: Mapped[int] = mapped_column(
        Integer, ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False
    )
    order_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(Integer)
    since: Mapped[int] = mapped_column(BigInteger)
    next_at: Mapped[int] = mapped_column(BigInteger)
    problem: Mapped[str] = mapped_column(String(120))
    updated_at: Mapped[str] = mapped_column(String(40))

    __table_args__ = (
        Index("ix_outbox_deliveries_state", "target", "state", "next_at"),
        Index("ix_outbox_deliveries_order", "target", "order_id", "sequence"),
    )


class LeaseRow(Base):
    """Which of several processes does a job, and until when (microseconds since 1970 UTC)."""

    __tablename__ = "leases"
    job: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(80))
    until: Mapped[int] = mapped_column(BigInteger)


DELIVERIES = Base.metadata.tables["outbox_deliveries"]
LEASES = Base.metadata.tables["leases"]
