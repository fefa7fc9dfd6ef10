"""Personal data in the database: put away with its commitment, read back, checked. Inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select

from intake.canonical import canonical_json
from service.db.bulk import add_row
from service.db.tables import PROPOSALS, WORK_ORDERS
from service.db.tables_privacy import PERSONAL_DATA
from service.privacy.commitments import Sealed, opens, seal
from service.privacy.fields import WITHHELD, order_fields, proposal_fields, together, without

Kind = Literal["filed", "shown"]
#: Owners that one query names: SQLite and PostgreSQL both take so many.
PART = 500
# Made once: building a statement costs as much as running it.
_OPENED = select(PERSONAL_DATA.c.owner, PERSONAL_DATA.c.fields, PERSONAL_DATA.c.salt, PERSONAL_DATA.c.created_at).where(
    PERSONAL_DATA.c.kind == bindparam("kind"), PERSONAL_DATA.c.owner.in_(bindparam("owners", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Opened:
    """Personal fields that stand, and whether their commitment opens with them."""

    fields: dict[str, Any]
    salt: bytes
    created_at: str


def sealed_order(order: Mapping[str, Any]) -> tuple[Sealed, dict[str, Any]]:
    """The personal fields of an order as filed under a new salt, and what is left of it."""
    fields = order_fields(order)
    return seal(fields, owner=str(order["order_id"])), without(order, fields)


def sealed_proposal(proposal: Mapping[str, Any], *, filed: str | None) -> tuple[Sealed, str]:
    """The personal fields of a proposal under a new salt, and canonical JSON of what is left, with the commitments.

    ``filed`` is the commitment to the order as filed.
    """
    fields = proposal_fields(proposal)
    sealed = seal(fields, owner=str(proposal["proposal_id"]))
    withheld = {"paths": sorted(fields), "commitment": sealed.commitment, "order_as_filed": filed}
    return sealed, canonical_json(without(proposal, fields) | {WITHHELD: withheld}).decode()


def row_of(kind: Kind, owner: str, order_id: str, sealed: Sealed, created_at: str) -> dict[str, Any]:
    """A row of the side table."""
    return {
        "kind": kind,
        "owner": owner,
        "order_id": order_id,
        "fields": canonical_json(dict(sealed.fields)).decode(),
        "salt": sealed.salt,
        "created_at": created_at,
    }


def put_away(connection: Connection, kind: Kind, owner: str, order_id: str, sealed: Sealed, *, at: datetime) -> None:
    """Keep personal fields and their salt; the order has to be there."""
    add_row(connection, PERSONAL_DATA, row_of(kind, owner, order_id, sealed, at.isoformat()))


def opened(connection: Connection, kind: Kind, owners: Sequence[str]) -> dict[str, Opened]:
    """Owner → personal fields; those that were erased are left out."""
    found: dict[str, Opened] = {}
    for part in _parts(owners):
        rows = connection.execute(_OPENED, {"kind": kind, "owners": part})
        found |= {row.owner: Opened(json.loads(row.fields), row.salt, row.created_at) for row in rows}
    return found


def filed_orders(connection: Connection, order_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Order id → the order as filed, as :func:`service.triage.order_dict` gives it; erased ones are left out."""
    personal = opened(connection, "filed", order_ids)
    found: dict[str, dict[str, Any]] = {}
    for part in _parts(personal):
        query = select(WORK_ORDERS.c.order_id, WORK_ORDERS.c.original).where(WORK_ORDERS.c.order_id.in_(part))
        for row in connection.execute(query):
            found[row.order_id] = together(row.original, personal[row.order_id].fields)
    return found


def opened_proposals(connection: Connection, stored: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The proposals (proposal id → as stored or logged) as they were shown; those whose text was erased are left out.

    One that was logged before personal data had a table of its own is whole already.
    """
    personal = opened(connection, "shown", [name for name, one in stored.items() if WITHHELD in one])
    for name, proposal in stored.items():
        if WITHHELD not in proposal:
            yield dict(proposal)
        elif name in personal:
            yield together(proposal, personal[name].fields)


def masked_order(original: Mapping[str, Any], shown: str | None) -> dict[str, Any]:
    """The masked order of a proposal, from what is left of the order and the ``fields`` of the proposal; without its text
    where that was erased."""
    fields = json.loads(shown) if shown else {}
    own = {path.removeprefix("/order"): value for path, value in fields.items() if path.startswith("/order/")}
    return together(original, own)


def read_shown(connection: Connection, proposal_id: str) -> dict[str, Any]:
    """A stored proposal as it was shown; without its text where that was erased."""
    stored = select(PROPOSALS.c.proposal).where(PROPOSALS.c.proposal_id == proposal_id)
    sealed = json.loads(connection.execute(stored).scalar_one())
    personal = opened(connection, "shown", [proposal_id]).get(proposal_id)
    return together(sealed, personal.fields if personal else {})


def _parts(owners: Iterable[str]) -> Iterator[list[str]]:
    names = iter(owners)
    while part := list(islice(names, PART)):
        yield part


def is_open(commitment: str | None, owner: str, found: Opened) -> bool:
    """Whether the stored fields are those that were committed to."""
    return commitment is not None and opens(commitment, found.fields, owner=owner, salt=found.salt)
