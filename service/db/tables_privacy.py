"""Tables of personal data, and of the parts of snapshots that exist nowhere else."""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.db.tables import Base


class PersonalRow(Base):
    """The personal fields of an order as filed (``kind`` ``filed``, ``owner`` the order id) or of a proposal as shown
    (``shown``, the proposal id), with the salt of their commitment. May be deleted and never changed.

    ``fields`` is canonical JSON, JSON pointer → value, in UTF-8 and not escaped: what is erased has to be searchable.
    """

    __tablename__ = "personal_data"
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.order_id"), index=True)
    fields: Mapped[str] = mapped_column(Text)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[str] = mapped_column(String(40), index=True)


class SnapshotPartRow(Base):
    """What a proposal was computed from and could not be found again otherwise, under its content hash: rules that were
    never published, a calendar before a year was imported anew, a directory, a gazetteer. Never changed."""

    __tablename__ = "snapshot_parts"
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    part_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[str] = mapped_column(String(40))


PERSONAL_DATA = Base.metadata.tables["personal_data"]
SNAPSHOT_PARTS = Base.metadata.tables["snapshot_parts"]
