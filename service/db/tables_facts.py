"""What auditors ask for, beside the decision log: a narrow row for each record, so that no record has to be opened."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from service.db.tables import Base


class DecisionFactRow(Base):
    """What a record says that people filter and count by. Never changed; ``service.audit_facts`` writes it soon after the
    record, and before anything is asked of it.

    ``at`` is in microseconds since 1970 UTC: records may name different zones, and text would not sort. ``week`` is the
    Monday, in the zone in which the record names its instant. ``proposed`` is the first unit of the proposal.
    """

    __tablename__ = "decision_facts"
    sequence: Mapped[int] = mapped_column(ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False)
    decision_id: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(30))
    at: Mapped[int] = mapped_column(BigInteger)
    week: Mapped[str] = mapped_column(String(10))
    actor: Mapped[str] = mapped_column(String(200))
    order_id: Mapped[str | None] = mapped_column(String(64), nullable=True)
    action: Mapped[str] = mapped_column(String(30))
    unit: Mapped[str] = mapped_column(String(200))
    proposed: Mapped[str] = mapped_column(String(200))
    abstained: Mapped[bool | None] = mapped_column(Boolean, nullable=True)
    model: Mapped[str] = mapped_column(String(120))
    rules: Mapped[str] = mapped_column(String(120))
    case_kind: Mapped[str] = mapped_column(String(30))
    outcome: Mapped[str] = mapped_column(String(30))

    __table_args__ = (
        Index("ix_decision_facts_at", "at"),
        Index("ix_decision_facts_kind", "kind", "sequence"),
        Index("ix_decision_facts_unit", "unit", "sequence"),
        Index("ix_decision_facts_actor", "actor", "sequence"),
        Index("ix_decision_facts_order", "order_id", "sequence"),
        Index("ix_decision_facts_model", "model", "sequence"),
    )


class DecisionVerdictRow(Base):
    """The verdicts that a record holds: rule, gate, state. Never changed."""

    __tablename__ = "decision_verdicts"
    sequence: Mapped[int] = mapped_column(
        Integer, ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False
    )
    rule: Mapped[str] = mapped_column(String(80), primary_key=True)
    gate: Mapped[str] = mapped_column(String(30))
    state: Mapped[str] = mapped_column(String(20))

    __table_args__ = (Index("ix_decision_verdicts_rule", "rule", "sequence", "state"),)


DECISION_FACTS = Base.metadata.tables["decision_facts"]
DECISION_VERDICTS = Base.metadata.tables["decision_verdicts"]
