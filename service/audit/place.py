"""Where one record stands in the tree, and whether the path from it to a signed root holds."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from service.audit.keys import KeyStore
from service.audit.merkle import includes
from service.audit.note import parse_checkpoint
from service.audit.tree import identity_of, inclusion_proof, root_at, size_of
from service.db.tables import DECISIONS
from service.db.tables_audit import LOG_CHECKPOINTS


@dataclass(frozen=True, slots=True)
class Place:
    """``size`` records were in the tree whose ``root`` (hex) the ``path`` (hex, lowest first) leads to. ``key_id`` is empty
    and ``signed_at`` too where no checkpoint holds the record yet: the root is then that of the log as it stands."""

    sequence: int
    leaf: str
    path: tuple[str, ...]
    size: int
    root: str
    hash: str
    origin: str
    holds: bool
    key_id: str = ""
    signed_at: str = ""


def place_of(connection: Connection, keys: KeyStore, sequence: int) -> Place:
    """The place of a record under the newest checkpoint that holds it, computed from the record as it stands now.

    Raises
    ------
    ZhipaiError
        E7801 the tree does not reach it, E7812 the stored checkpoint cannot be read, E7813 the list of keys neither.
    """
    identity = identity_of(connection)
    content = connection.execute(select(DECISIONS.c.record).where(DECISIONS.c.sequence == sequence)).scalar_one()
    newest = (
        select(LOG_CHECKPOINTS.c.note, LOG_CHECKPOINTS.c.created_at)
        .where(LOG_CHECKPOINTS.c.size >= sequence)
        .order_by(LOG_CHECKPOINTS.c.id.desc())
        .limit(1)
    )
    row = connection.execute(newest).first()
    checkpoint = parse_checkpoint(row.note, name="数据库") if row else None
    signed = checkpoint is None or checkpoint.verify(keys.public_keys()) is not None
    size = checkpoint.size if checkpoint else size_of(connection)
    root = checkpoint.root if checkpoint else root_at(connection, size, identity.hasher)
    leaf = identity.hasher.leaf(bytes(content))
    path = inclusion_proof(connection, sequence, size, identity.hasher)
    return Place(
        sequence=sequence,
        leaf=leaf.hex(),
        path=tuple(one.hex() for one in path),
        size=size,
        root=root.hex(),
        hash=identity.hasher.name,
        origin=identity.origin,
        holds=signed and includes(identity.hasher, leaf, sequence - 1, size, path, root),
        key_id=checkpoint.signatures[0][1] if checkpoint else "",
        signed_at=row.created_at if row else "",
    )
