"""The tree as the database holds it: one row a record, added with the record; roots and proofs from a few rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, bindparam, func, insert, literal_column, select

from intake.errors import ZhipaiError, register
from service.audit.merkle import (
    Frontier,
    Node,
    TreeHash,
    consistency_parts,
    hashes,
    inclusion_parts,
    last_leaf,
    peaks,
)
from service.db.bulk import add_rows
from service.db.engine import hold, reading, writing
from service.db.tables import DECISIONS
from service.db.tables_audit import LOG_IDENTITY, LOG_TREE

register(
    "E7801",
    "日志与校验树不一致",
    "决定日志和它的校验树对不上（第 {sequence} 号附近），新的决定不能记入。请运行 zhipai audit verify 查明，并从备份恢复。",
    status=503,
    exit_code=3,
)
register(
    "E7802",
    "日志的{what}不能改",
    "日志已有 {count} 条记录，{what}是“{found}”，设置 {setting} 却是“{wanted}”。第一条记录之后不能再改，请改回设置。",
    status=503,
    exit_code=4,
)
register("E7803", "日志没有这么长", "日志只有 {size} 条记录，没有 {wanted} 条时的状态。请核对数字。", status=404)

#: Bytes of a hash, whichever of the two it is.
WIDTH = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """``origin``: the log's name, the first line of its checkpoints. ``hasher``: how its tree is hashed."""

    origin: str
    hasher: TreeHash


#: Levels of a tree that may have a node waiting: numbers of records are 32 bits wide.
LEVELS = 31
# Made once: building a statement costs as much as running it. The rows where the tree goes on, each that of the last leaf
# of a perfect node that waits for its sibling; one row with an empty sequence for an empty tree.
_ENDS = (
    select(
        select(func.max(DECISIONS.c.sequence)).scalar_subquery().label("records"),
        select(func.max(LOG_TREE.c.sequence)).scalar_subquery().label("leaves"),
        select(LOG_IDENTITY.c.hash).order_by(LOG_IDENTITY.c.id.desc()).limit(1).scalar_subquery().label("hash"),
    )
).cte("ends")
_PLACE = select(_ENDS, LOG_TREE.c.sequence, LOG_TREE.c.nodes).select_from(
    _ENDS.outerjoin(
        LOG_TREE,
        LOG_TREE.c.sequence.in_([literal_column(f"ends.leaves >> {n} << {n}") for n in range(LEVELS)]),
    )
)
_READ = select(LOG_TREE.c.sequence, LOG_TREE.c.nodes).where(
    LOG_TREE.c.sequence.in_(bindparam("sequences", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the log goes on: ``sequence`` of its next record, and its tree so far."""

    sequence: int
    hasher: TreeHash
    waiting: Mapping[int, bytes]


def next_place(connection: Connection) -> Place:
    """The place of the next record; E7801 if log and tree do not end with the same record.

    Holds off other writers until the end of the transaction: on SQLite the unit of work holds the only write lock.
    """
    hold(connection)
    rows = connection.execute(_PLACE).all()
    records, leaves, name = rows[0].records or 0, rows[0].leaves or 0, rows[0].hash
    if records != leaves:
        raise ZhipaiError("E7801", {"sequence": min(records, leaves) + 1})
    by_sequence = {row.sequence: bytes(row.nodes) for row in rows if row.sequence}
    waiting = {node[0]: _node(by_sequence, node) for node in peaks(0, records)}
    return Place(records + 1, TreeHash(name), waiting)


def append_leaves(connection: Connection, place: Place, records: Sequence[bytes]) -> None:
    """Put records into the tree, the first at ``place``: one row each."""
    tree = Frontier(place.hasher, place.sequence - 1, place.waiting)
    rows = [
        {"sequence": sequence, "nodes": b"".join(tree.add(place.hasher.leaf(record)))}
        for sequence, record in enumerate(records, start=place.sequence)
    ]
    add_rows(connection, LOG_TREE, rows)


def read_nodes(connection: Connection, nodes: Iterable[Node]) -> dict[Node, bytes]:
    """Perfect nodes by level and index; E7801 if one is missing."""
    wanted = list(nodes)
    if not wanted:
        return {}
    rows = connection.execute(_READ, {"sequences": list({last_leaf(node) + 1 for node in wanted})})
    by_sequence = {row.sequence: bytes(row.nodes) for row in rows}
    return {node: _node(by_sequence, node) for node in wanted}


def _node(by_sequence: Mapping[int, bytes], node: Node) -> bytes:
    sequence, at = last_leaf(node) + 1, node[0] * WIDTH
    content = by_sequence.get(sequence, b"")[at : at + WIDTH]
    if len(content) != WIDTH:
        raise ZhipaiError("E7801", {"sequence": sequence})
    return content


def size_of(connection: Connection) -> int:
    """How many records the tree holds."""
    return connection.execute(select(func.max(LOG_TREE.c.sequence))).scalar() or 0


def identity_of(connection: Connection) -> Identity:
    """Name and hash of the log."""
    row = connection.execute(select(LOG_IDENTITY).order_by(LOG_IDENTITY.c.id.desc()).limit(1)).one()
    return Identity(row.origin, TreeHash(row.hash))


def root_at(connection: Connection, size: int, hasher: TreeHash) -> bytes:
    """The root over the first ``size`` records; E7803 if there are fewer."""
    _long_enough(connection, size)
    covered = peaks(0, size)
    found = read_nodes(connection, covered)
    return hasher.root([found[node] for node in covered])


def inclusion_proof(connection: Connection, sequence: int, size: int, hasher: TreeHash) -> list[bytes]:
    """The audit path of a record in the tree of ``size`` records, lowest first; E7803."""
    _long_enough(connection, max(sequence, size))
    parts = inclusion_parts(sequence - 1, size)
    found = read_nodes(connection, {node for part in parts for node in part})
    return hashes(parts, hasher, found.__getitem__)


def consistency_proof(connection: Connection, first: int, second: int, hasher: TreeHash) -> list[bytes]:
    """That the first ``first`` records are the beginning of the first ``second``; empty for a first of 0; E7803."""
    _long_enough(connection, second)
    parts = consistency_parts(first, second) if first else []
    found = read_nodes(connection, {node for part in parts for node in part})
    return hashes(parts, hasher, found.__getitem__)


def _long_enough(connection: Connection, size: int) -> None:
    if size > (have := size_of(connection)):
        raise ZhipaiError("E7803", {"size": have, "wanted": size})


def establish(engine: Engine, *, hash_name: str, origin: str, at: datetime) -> Identity:
    """The identity of the log as the settings want it: taken over while the log is empty, E7802 if it differs later.

    Parameters
    ----------
    origin : str
        The wanted name; empty for whatever the log is called.
    """
    with reading(engine) as connection:
        standing = identity_of(connection)
    wanted = Identity(origin or standing.origin, TreeHash(hash_name))
    if wanted == standing:
        return standing
    with writing(engine) as connection:
        if size := size_of(connection):
            raise _fixed(standing, wanted, size)
        connection.execute(insert(LOG_IDENTITY).values(origin=wanted.origin, hash=hash_name, created_at=at.isoformat()))
        connection.commit()
    return wanted


def _fixed(standing: Identity, wanted: Identity, count: int) -> ZhipaiError:
    if standing.hasher != wanted.hasher:
        what, setting, found, new = "摘要算法", "ZHIPAI_LOG_HASH", standing.hasher.name, wanted.hasher.name
    else:
        what, setting, found, new = "名称", "ZHIPAI_LOG_ORIGIN", standing.origin, wanted.origin
    return ZhipaiError("E7802", {"what": what, "setting": setting, "count": count, "found": found, "wanted": new})
