"""Merkle trees as RFC 6962 (section 2.1) defines them: hashing, proofs and their verification. No storage, no log.

A *perfect node* ``(level, index)`` covers the leaves ``index * 2**level`` to ``(index + 1) * 2**level - 1``. A tree of
any size is made of perfect nodes, which never change once they are whole; that is what is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: Names that ``hashlib`` knows, and what they are called on paper. All give 32 bytes.
HASHES = {"sha256": "SHA-256", "sm3": "SM3"}

Node = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TreeHash:
    """The hash function of one tree. Leaves and inner nodes have prefixes of their own, so that none passes for the
    other."""

    name: str

    def digest(self, data: bytes) -> bytes:
        return hashlib.new(self.name, data).digest()

    def leaf(self, entry: bytes) -> bytes:
        return self.digest(b"\x00" + entry)

    def node(self, left: bytes, right: bytes) -> bytes:
        return self.digest(b"\x01" + left + right)

    def root(self, peaks: Sequence[bytes]) -> bytes:
        """The root over perfect nodes from left (largest) to right; the hash of nothing where there is none."""
        if not peaks:
            return self.digest(b"")
        root = peaks[-1]
        for left in reversed(peaks[:-1]):
            root = self.node(left, root)
        return root


def peaks(begin: int, end: int) -> list[Node]:
    """The perfect nodes of the leaves ``begin`` to ``end - 1``, from left to right, for a ``begin`` that starts a
    subtree of the tree of size ``end``: largest first."""
    found: list[Node] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def last_leaf(node: Node) -> int:
    """The leaf that makes a perfect node whole."""
    level, index = node
    return ((index + 1) << level) - 1


def completed(leaf: int) -> int:
    """How many inner nodes a leaf makes whole: the ones at the end of its number, written in binary."""
    return (~leaf & (leaf + 1)).bit_length() - 1


class Frontier:
    """A tree that grows leaf by leaf and keeps only what the next leaf needs: one perfect node a level.

    Parameters
    ----------
    left : mapping
        Level -> the perfect node that waits for its right sibling, for a tree that has ``size`` leaves already.
    """

    def __init__(self, hasher: TreeHash, size: int = 0, left: Mapping[int, bytes] | None = None):
        self.hasher, self.size, self.left = hasher, size, dict(left or {})

    def add(self, leaf: bytes) -> list[bytes]:
        """Put in a leaf hash; returns it and the inner nodes that it makes whole, lowest first."""
        nodes = [leaf]
        for level in range(completed(self.size)):
            nodes.append(self.hasher.node(self.left[level], nodes[-1]))
        self.left[len(nodes) - 1] = nodes[-1]
        self.size += 1
        return nodes

    def root(self) -> bytes:
        return self.hasher.root([self.left[level] for level, _ in peaks(0, self.size)])


def _split(size: int) -> int:
    """The largest power of two below ``size`` (k of RFC 6962)."""
    return 1 << ((size - 1).bit_length() - 1)


#: Part of a proof: the perfect nodes whose root is one of its hashes.
Part = list[Node]


def inclusion_parts(leaf: int, size: int) -> list[Part]:
    """The audit path of a leaf (RFC 6962, 2.1.1), lowest first; ``0 <= leaf < size``."""

    def path(leaf: int, begin: int, end: int) -> list[Part]:
        if end - begin == 1:
            return []
        middle = begin + _split(end - begin)
        if leaf < middle:
            return [*path(leaf, begin, middle), peaks(middle, end)]
        return [*path(leaf, middle, end), peaks(begin, middle)]

    return path(leaf, 0, size)


def consistency_parts(first: int, second: int) -> list[Part]:
    """The consistency proof between two sizes (RFC 6962, 2.1.2); ``0 < first <= second``."""

    def path(first: int, begin: int, end: int, whole: bool) -> list[Part]:
        if first == end:
            return [] if whole else [peaks(begin, end)]
        middle = begin + _split(end - begin)
        if first <= middle:
            return [*path(first, begin, middle, whole), peaks(middle, end)]
        return [*path(first, middle, end, False), peaks(begin, middle)]

    return path(first, 0, second, True)


def hashes(parts: Sequence[Part], hasher: TreeHash, get: Callable[[Node], bytes]) -> list[bytes]:
    """The hashes of a proof."""
    return [hasher.root([get(node) for node in part]) for part in parts]


def includes(hasher: TreeHash, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a leaf hash stands at ``index`` in the tree of ``size`` with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for part in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = hasher.node(part, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = hasher.node(found, part)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def consistent(
    hasher: TreeHash, first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of size ``first`` is the beginning of the tree of size ``second`` (RFC 9162, 2.1.4.2)."""
    if not 0 <= first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    if first == 0:
        return not proof and first_root == hasher.root([])
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for part in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = hasher.node(part, old), hasher.node(part, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = hasher.node(new, part)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
