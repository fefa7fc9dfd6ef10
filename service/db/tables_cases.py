"""What units reply to orders that were dispatched to them. What they ask for: :class:`service.db.tables_queue.CaseRow`."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from service.db.tables import Base


class ReplyRow(Base):
    """That a unit replied. Never changed; the masked text stands in ``personal_data`` under the reply's id."""

    __tablename__ = "order_replies"
    reply_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.order_id"), index=True)
    unit: Mapped[str] = mapped_column(String(200))
    actor: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[str] = mapped_column(String(40))


REPLIES = Base.metadata.tables["order_replies"]
