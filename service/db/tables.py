"""The tables. A change here comes with an Alembic revision; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Instants are stored as ISO 8601 text with their zone: SQLite has no aware type and a record must read the same
    on every database."""


class WorkOrderRow(Base):
    """One order as it was filed, without its personal fields: those stand in ``personal_data``, and ``commitment`` is the
    salted commitment to them."""

    __tablename__ = "work_orders"
    order_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    original: Mapped[dict] = mapped_column(JSON)
    created_at: Mapped[str] = mapped_column(String(40))
    commitment: Mapped[str | None] = mapped_column(String(80))


class ProposalRow(Base):
    """A proposal that was shown to somebody, without its personal fields. Never changed. ``context`` says on which
    software and libraries it was computed."""

    __tablename__ = "proposals"
    proposal_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.order_id"), index=True)
    as_of: Mapped[str] = mapped_column(String(40))
    proposal: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(40))
    context: Mapped[str | None] = mapped_column(Text)


class RoutingRow(Base):
    """Which unit an order was sent to, by which decision."""

    __tablename__ = "routings"
    routing_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.order_id"), index=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decisions.decision_id"), unique=True)
    unit: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[str] = mapped_column(String(40))


class DecisionRow(Base):
    """The append-only decision log: triggers refuse UPDATE and DELETE.

    ``kind`` says what was decided; ``order_id`` to ``unit`` are those of a dispatch and empty for any other kind.
    """

    __tablename__ = "decisions"
    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    decision_id: Mapped[str] = mapped_column(String(64), unique=True)
    idempotency_key: Mapped[str] = mapped_column(String(200), unique=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    order_id: Mapped[str | None] = mapped_column(ForeignKey("work_orders.order_id"), index=True)
    proposal_id: Mapped[str | None] = mapped_column(ForeignKey("proposals.proposal_id"))
    action: Mapped[str | None] = mapped_column(String(20))
    unit: Mapped[str | None] = mapped_column(String(200))
    record: Mapped[bytes] = mapped_column(LargeBinary)
    record_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(30), server_default="dispatch")

    __table_args__ = (
        CheckConstraint(
            "kind <> 'dispatch' OR (order_id IS NOT NULL AND proposal_id IS NOT NULL AND action IS NOT NULL"
            " AND unit IS NOT NULL)",
            name="dispatch_is_whole",
        ),
    )


class OutboxRow(Base):
    """Events for other systems, written with the decision. How far each has come: ``service.db.tables_outbox``."""

    __tablename__ = "outbox"
    event_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decisions.decision_id"), unique=True)
    event: Mapped[dict] = mapped_column(JSON)
    created_at: Mapped[str] = mapped_column(String(40))


class EntryRow(Base):
    """The versions of knowledge entries. Never changed: the highest version of an entry is the one that stands.

    ``decision_id`` is empty for what the set-up put in.
    """

    __tablename__ = "entries"
    entry_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    effective_from: Mapped[object] = mapped_column(Date)
    effective_to: Mapped[object | None] = mapped_column(Date, nullable=True)
    content_hash: Mapped[str] = mapped_column(String(64))
    content: Mapped[dict] = mapped_column(JSON)
    created_at: Mapped[str] = mapped_column(String(40))
    decision_id: Mapped[str | None] = mapped_column(ForeignKey("decisions.decision_id"), nullable=True)


class EntryEventRow(Base):
    """What happened to an entry: written, sent for review, published … Never changed. ``sequence`` tells a running
    service that something did; ``revision`` counts within an entry, so that of two people only one goes first."""

    __tablename__ = "entry_events"
    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    entry_id: Mapped[str] = mapped_column(String(64))
    revision: Mapped[int] = mapped_column(Integer)
    action: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(100))
    note: Mapped[str] = mapped_column(Text)
    content: Mapped[dict | None] = mapped_column(JSON(none_as_null=True), nullable=True)
    version: Mapped[int | None] = mapped_column(Integer, nullable=True)
    decision_id: Mapped[str | None] = mapped_column(ForeignKey("decisions.decision_id"), nullable=True)
    created_at: Mapped[str] = mapped_column(String(40))

    __table_args__ = (UniqueConstraint("entry_id", "revision", name="one_event_each"),)


class RuleBundleRow(Base):
    """The files of a published rule pack and of its parents, under the content hash of the pack. Never changed."""

    __tablename__ = "rule_bundles"
    content_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    pack: Mapped[str] = mapped_column(String(80))
    bundle: Mapped[bytes] = mapped_column(LargeBinary)
    bundle_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[str] = mapped_column(String(40))


class RulePublicationRow(Base):
    """From when on a version of a pack is in force, by which decision. Never changed: a later row supersedes."""

    __tablename__ = "rule_publications"
    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decisions.decision_id"), unique=True)
    pack: Mapped[str] = mapped_column(String(80), index=True)
    content_hash: Mapped[str] = mapped_column(ForeignKey("rule_bundles.content_hash"))
    effective_from: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[str] = mapped_column(String(40))


#: The same tables for statements. The classes above say what a row is; statements are plain SQLAlchemy Core, which costs
#: a third of the time of the unit-of-work machinery for one row.
WORK_ORDERS = Base.metadata.tables["work_orders"]
PROPOSALS = Base.metadata.tables["proposals"]
ROUTINGS = Base.metadata.tables["routings"]
DECISIONS = Base.metadata.tables["decisions"]
OUTBOX = Base.metadata.tables["outbox"]
ENTRIES = Base.metadata.tables["entries"]
ENTRY_EVENTS = Base.metadata.tables["entry_events"]
RULE_BUNDLES = Base.metadata.tables["rule_bundles"]
RULE_PUBLICATIONS = Base.metadata.tables["rule_publications"]

# Tables of one subject each; imported so that the metadata has them.
import service.db.tables_access  # noqa: E402
import service.db.tables_audit  # noqa: E402
import service.db.tables_cases  # noqa: E402
import service.db.tables_facts  # noqa: E402
import service.db.tables_outbox  # noqa: E402
import service.db.tables_privacy  # noqa: E402
import service.db.tables_queue  # noqa: E402, F401
