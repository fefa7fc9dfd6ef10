"""What somebody does to the file of a log: with and without the knowledge of how it is protected."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable

import rfc8785

from service.audit.merkle import Frontier, TreeHash


def decision_id(file: sqlite3.Connection, sequence: int) -> str:
    return file.execute("SELECT decision_id FROM decisions WHERE sequence = ?", [sequence]).fetchone()[0]


def edited(content: bytes, **changes: object) -> bytes:
    return rfc8785.dumps(json.loads(content) | changes)


def rewrite(file: sqlite3.Connection, place: int, /, **changes: object) -> None:
    """Change a record and everything in its row that follows from it."""
    content = file.execute("SELECT record FROM decisions WHERE sequence = ?", [place]).fetchone()[0]
    content = edited(content, **changes)
    file.execute(
        "UPDATE decisions SET record = ?, record_hash = ? WHERE sequence = ?",
        [content, hashlib.sha256(content).hexdigest(), place],
    )


def renumber(file: sqlite3.Connection, places: Iterable[int], step: int) -> None:
    """Move records, each with the number that it states."""
    for place in places:
        rewrite(file, place, sequence=place + step)
        file.execute("UPDATE decisions SET sequence = ? WHERE sequence = ?", [place + step, place])


def recompute_tree(file: sqlite3.Connection) -> None:
    """Make the tree fit the records, as somebody would who knows the program."""
    hasher = TreeHash("sha256")
    tree = Frontier(hasher)
    rows = file.execute("SELECT sequence, record FROM decisions ORDER BY sequence").fetchall()
    file.execute("DELETE FROM log_tree")
    for sequence, content in rows:
        nodes = b"".join(tree.add(hasher.leaf(content)))
        file.execute("INSERT INTO log_tree (sequence, nodes) VALUES (?, ?)", [sequence, nodes])


def swap(file: sqlite3.Connection, one: int, two: int) -> None:
    for before, after in ((one, -1), (two, one), (-1, two)):
        file.execute("UPDATE decisions SET sequence = ? WHERE sequence = ?", [after, before])
