"""Tables of the queue: where an order stands, what happened to it, who looks at it, and what units ask for."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from service.db.tables import Base


class QueueRow(Base):
    """Where one filed order stands. The only row here that changes; every change has its event and its decision.

    ``revision`` counts changes, so that of two dispatchers only one goes first. ``due_at`` is the 办结 deadline in UTC,
    ``9999`` where it is not known, so that texts sort like instants.
    """

    __tablename__ = "order_queue"
    order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.order_id"), primary_key=True)
    status: Mapped[str] = mapped_column(String(20))
    revision: Mapped[int] = mapped_column(Integer)
    proposal_id: Mapped[str] = mapped_column(ForeignKey("proposals.proposal_id"))
    district: Mapped[str] = mapped_column(String(200))
    channel: Mapped[str] = mapped_column(String(200))
    abstained: Mapped[bool] = mapped_column(Boolean)
    due_at: Mapped[str] = mapped_column(String(40))
    unit: Mapped[str] = mapped_column(String(200))
    decision_id: Mapped[str | None] = mapped_column(ForeignKey("decisions.decision_id"), nullable=True)
    actor: Mapped[str] = mapped_column(String(100))
    changed_at: Mapped[str] = mapped_column(String(40))

    __table_args__ = (
        Index("ix_order_queue_due", "status", "due_at", "order_id"),
        Index("ix_order_queue_district", "status", "district", "due_at", "order_id"),
        Index("ix_order_queue_changed", "status", "changed_at", "order_id"),
        Index("ix_order_queue_channel", "status", "channel"),
        Index("ix_order_queue_abstained", "status", "abstained", "due_at", "order_id"),
    )


class OrderEventRow(Base):
    """What happened to an order: filed, dispatched, refused, undone … Never changed. ``sequence`` is what pages follow."""

    __tablename__ = "order_events"
    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.order_id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(100))
    unit: Mapped[str] = mapped_column(String(200))
    decision_id: Mapped[str | None] = mapped_column(ForeignKey("decisions.decision_id"), nullable=True)
    created_at: Mapped[str] = mapped_column(String(40))

    __table_args__ = (Index("ix_order_events_actor", "actor", "sequence"),)


class PresenceRow(Base):
    """Who has an order open, in which window of a browser, and when that was last heard."""

    __tablename__ = "order_presence"
    order_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    window_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    actor: Mapped[str] = mapped_column(String(100))
    seen_at: Mapped[str] = mapped_column(String(40), index=True)


class CaseRow(Base):
    """What a unit asks for (退单、延期、不纳入考核、挂账) and how it was decided. What it wrote (reason, materials) stands
    masked in ``personal_data`` under the case's id; ``commitment`` is the salted commitment to that. ``facts``: name → value,
    no text. ``ruling``: what the rules said when it was asked; ``answer`` is its answer."""

    __tablename__ = "cases"
    case_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.order_id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    revision: Mapped[int] = mapped_column(Integer)
    unit: Mapped[str] = mapped_column(String(200))
    asked_by: Mapped[str] = mapped_column(String(100))
    asked_at: Mapped[str] = mapped_column(String(40))
    commitment: Mapped[str] = mapped_column(String(80), server_default="")
    answer: Mapped[str] = mapped_column(String(20), server_default="")
    suggested_unit: Mapped[str] = mapped_column(String(200))
    facts: Mapped[dict] = mapped_column(JSON)
    ruling: Mapped[dict] = mapped_column(JSON)
    decided_by: Mapped[str] = mapped_column(String(100))
    decided_at: Mapped[str] = mapped_column(String(40))
    decision_id: Mapped[str | None] = mapped_column(ForeignKey("decisions.decision_id"), nullable=True)

    __table_args__ = (Index("ix_cases_open", "status", "kind", "asked_at"), Index("ix_cases_unit", "unit", "status"))


ORDER_QUEUE = Base.metadata.tables["order_queue"]
ORDER_EVENTS = Base.metadata.tables["order_events"]
ORDER_PRESENCE = Base.metadata.tables["order_presence"]
CASES = Base.metadata.tables["cases"]
