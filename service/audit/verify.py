"""Verification of the whole log, record by record in its order: nothing is taken from the tree that is not recomputed.

Every record has to stand in its place, fit its hash, its columns and its leaf; the inner nodes have to follow from the
leaves, and the root at the size of every checkpoint has to be the one that was signed. Memory does not grow with the
log. After a problem it goes on with the leaf that the tree holds, so that one edit is one problem and not a million.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from service.audit.merkle import Frontier, TreeHash
from service.audit.note import PublicKey
from service.audit.report import Report
from service.audit.tree import WIDTH, identity_of
from service.audit.witnesses import Witnesses, gather_witnesses
from service.db.engine import database_error

#: Rows that are fetched at a time: a record is about eight kilobytes.
BATCH = 500
#: Columns by which records are looked up -> the field of the record that they repeat.
COLUMNS = {
    "sequence": "sequence",
    "decision_id": "decision_id",
    "kind": "kind",
    "created_at": "decided_at",
    "order_id": "order_id",
    "proposal_id": "proposal_id",
    "action": "action",
    "unit": "unit",
}
#: Columns that only a dispatch fills; empty is right for any other kind.
OPTIONAL = frozenset({"order_id", "proposal_id", "action", "unit"})
#: Values in the middle of a record that are large and not among the columns, and what follows them.
LARGE = ((b',"context":{', b',"decided_at":"'), (b',"proposal":{', b',"proposal_id":"'))

# As text: what a tampered column holds need not be of its type, and must not stop the verification.
_ROWS = text(
    "SELECT d.sequence, d.decision_id, d.kind, d.order_id, d.proposal_id, d.action, d.unit, d.created_at, d.record, "
    "d.record_hash, t.nodes FROM decisions d LEFT JOIN log_tree t ON t.sequence = d.sequence ORDER BY d.sequence"
)
_LEAVES = text("SELECT sequence, nodes FROM log_tree WHERE sequence BETWEEN :first AND :last ORDER BY sequence")


def verify_log(
    engine: Engine,
    *,
    keys: Sequence[PublicKey],
    folders: Sequence[Path] = (),
    progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """Prove the log, or say what is wrong with it and where.

    Parameters
    ----------
    keys : sequence of PublicKey
        Keys whose checkpoints count, retired ones among them.
    folders : sequence of Path
        Where checkpoints lie beside those in the database. Only one that whoever changed the database could not reach
        tells a history that was rewritten as a whole.
    progress : callable
        Is told every so often how many records were read.

    Raises
    ------
    ZhipaiError
        E6001–E6004 if the database cannot be read.
    """
    try:
        with _snapshot(engine) as connection:
            identity = identity_of(connection)
            report = Report(identity.origin, identity.hasher.name)
            witnesses = gather_witnesses(connection, folders, keys, report)
            _Walk(connection, identity.hasher, report, witnesses).run(progress)
    except DBAPIError as error:
        raise database_error(error) from error
    return report


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """One state of the database for all statements, while the service goes on writing."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


class _Walk:
    """One pass. ``tree`` is None once leaves are missing that the tree does not hold either."""

    def __init__(self, connection: Connection, hasher: TreeHash, report: Report, witnesses: Witnesses):
        self.connection, self.hasher, self.report, self.witnesses = connection, hasher, report, witnesses
        self.tree: Frontier | None = Frontier(hasher)

    def run(self, progress: Callable[[int], None]) -> None:
        report, expected = self.report, 1
        self._reached(0)
        rows = self.connection.execute(_ROWS, execution_options={"yield_per": BATCH})
        for row in rows:
            if row.sequence < expected:
                self._found("inserted", f"序号 {row.sequence} 不该有，是绕过程序插进来的。", row)
                continue
            if row.sequence != expected:
                self._gap(expected, row.sequence - 1)
            self._record(row)
            self._reached(row.sequence)
            expected = row.sequence + 1
            if row.sequence % BATCH == 0:
                progress(row.sequence)
        report.size = expected - 1
        self.witnesses.beyond(report.size, report)
        left = self.connection.execute(
            text("SELECT max(sequence) FROM log_tree WHERE sequence > :size"), {"size": report.size}
        ).scalar()
        if left:
            says = f"校验树里有第 {report.size + 1} 至 {left} 号，记录却不见了。"
            report.found("missing", says, sequence=report.size + 1, last=left)
        if self.tree is not None:
            report.root = self.tree.root().hex()

    def _reached(self, size: int) -> None:
        if size in self.witnesses.by_size and self.tree is not None:
            self.witnesses.compare(size, self.tree.root(), self.report)

    def _gap(self, first: int, last: int) -> None:
        """Records that are not there; their leaves, if the tree still has them, let the rest be checked."""
        self.report.found("missing", f"第 {first} 至 {last} 号记录不见了。", sequence=first, last=last)
        for begin in range(first, last + 1, BATCH):
            end = min(begin + BATCH - 1, last)
            leaves = self.connection.execute(_LEAVES, {"first": begin, "last": end}).all()
            if self.tree is None or [leaf.sequence for leaf in leaves] != list(range(begin, end + 1)):
                self.tree = None
                return
            for leaf in leaves:
                self._grow(leaf.sequence, _bytes(leaf.nodes))
                self._reached(leaf.sequence)

    def _record(self, row: Any) -> None:
        content, nodes = _bytes(row.record), _bytes(row.nodes)
        leaf = self.hasher.leaf(content)
        if not nodes:
            says = f"第 {row.sequence} 号记录不在校验树里，是绕过程序插进来的。"
            self._found("inserted", says, row)
        elif hashlib.sha256(content).hexdigest() != row.record_hash or leaf != nodes[:WIDTH]:
            stated = _stated(content).get("sequence")
            if isinstance(stated, int) and stated != row.sequence:
                says = f"第 {row.sequence} 号位置上放的是第 {stated} 号的记录，顺序被换过。"
                self._found("moved", says, row)
            else:
                self._found("edited", f"第 {row.sequence} 号记录的内容与它的摘要或校验树不符，写入之后被改过。", row)
        elif wrong := _wrong_columns(row, content):
            stated = _stated(content).get("sequence")
            if stated != row.sequence:
                says = f"第 {row.sequence} 号位置上的记录自称第 {stated} 号，是换位或插入后重算的。"
                self._found("moved", says, row)
            else:
                says = f"第 {row.sequence} 号记录没有变，但用来查询的列 {'、'.join(wrong)} 被改得与它不符。"
                self._found("column", says, row)
        self._grow(row.sequence, nodes, without=leaf)

    def _grow(self, sequence: int, nodes: bytes, *, without: bytes = b"") -> None:
        """Take in the stored leaf, and compare the inner nodes. ``without``: the leaf where the tree has no row."""
        if self.tree is None:
            return
        leaf = nodes[:WIDTH] if len(nodes) >= WIDTH else without.ljust(WIDTH, b"\0")
        if nodes and b"".join(self.tree.add(leaf)) != nodes:
            says = f"校验树在第 {sequence} 号处的上层节点与叶子不符，树被改过。"
            self.report.found("tree", says, sequence=sequence)
        elif not nodes:
            self.tree.add(leaf)

    def _found(self, kind: str, says: str, row: Any) -> None:
        self.report.found(kind, says, sequence=row.sequence, decision_id=str(row.decision_id)[:64])


def _wrong_columns(row: Any, content: bytes) -> list[str]:
    """The columns that do not repeat what the record says."""
    return _differing(row, _stated(_head(content))) and _differing(row, _stated(content))


def _differing(row: Any, said: Mapping[str, Any]) -> list[str]:
    return [
        column
        for column, name in COLUMNS.items()
        if (value := getattr(row, column)) != said.get(name)
        and not (value is None and column in OPTIONAL and row.kind != "dispatch")
    ]


def _head(content: bytes) -> bytes:
    """A record without its large values: to read the whole would take three times as long as all the hashing. If what
    is cut out was not the right piece, the columns do not fit and the whole is read."""
    for start, end in LARGE:
        begin = content.find(start)
        stop = content.rfind(end)
        if 0 <= begin < stop:
            content = content[:begin] + content[stop:]
    return content


def _stated(content: bytes) -> dict[str, Any]:
    """What a record says; empty if it is no JSON object."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _bytes(value: Any) -> bytes:
    """What a column of bytes holds; empty for anything else."""
    return bytes(value) if isinstance(value, bytes | memoryview) else b""
