"""Merkle trees: the test vectors of Certificate Transparency, and every proof of every small tree against a second
implementation that follows the recursive definitions word for word."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import pytest

from service.audit.merkle import (
    HASHES,
    Node,
    TreeHash,
    completed,
    consistency_parts,
    consistent,
    hashes,
    includes,
    inclusion_parts,
    last_leaf,
    peaks,
)

#: The entries, roots and proofs that implementations of RFC 6962 are tested with (certificate-transparency).
ENTRIES = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
SHA256 = TreeHash("sha256")
LARGEST = 20


def nodes_of(entries: Sequence[bytes], hasher: TreeHash = SHA256):
    """The perfect nodes of a list of entries, computed when asked for."""

    def get(node: Node) -> bytes:
        level, index = node
        if level == 0:
            return hasher.leaf(entries[index])
        return hasher.node(get((level - 1, 2 * index)), get((level - 1, 2 * index + 1)))

    return get


def root_of(entries: Sequence[bytes], hasher: TreeHash = SHA256) -> bytes:
    """MTH of RFC 6962, as it is written there."""
    if not entries:
        return hashlib.new(hasher.name, b"").digest()
    if len(entries) == 1:
        return hashlib.new(hasher.name, b"\x00" + entries[0]).digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    left, right = root_of(entries[:k], hasher), root_of(entries[k:], hasher)
    return hashlib.new(hasher.name, b"\x01" + left + right).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_vectors(size: int) -> None:
    get = nodes_of(ENTRIES)
    assert SHA256.root([get(node) for node in peaks(0, size)]).hex() == ROOTS[size]


@pytest.mark.parametrize(("which", "wanted"), INCLUSION.items())
def test_inclusion_proofs_are_those_of_the_vectors(which: tuple[int, int], wanted: list[str]) -> None:
    assert [one.hex() for one in hashes(inclusion_parts(*which), SHA256, nodes_of(ENTRIES))] == wanted


@pytest.mark.parametrize(("which", "wanted"), CONSISTENCY.items())
def test_consistency_proofs_are_those_of_the_vectors(which: tuple[int, int], wanted: list[str]) -> None:
    assert [one.hex() for one in hashes(consistency_parts(*which), SHA256, nodes_of(ENTRIES))] == wanted


@pytest.mark.parametrize("name", HASHES)
def test_every_leaf_of_every_small_tree_is_proved_and_nothing_else(name: str) -> None:
    hasher = TreeHash(name)
    entries = [bytes([number]) * 3 for number in range(LARGEST)]
    get = nodes_of(entries, hasher)
    for size in range(1, LARGEST + 1):
        root = root_of(entries[:size], hasher)
        for leaf in range(size):
            proof = hashes(inclusion_parts(leaf, size), hasher, get)
            leaf_hash = hasher.leaf(entries[leaf])
            assert includes(hasher, leaf_hash, leaf, size, proof, root)
            assert not includes(hasher, hasher.leaf(b"x"), leaf, size, proof, root)
            assert not includes(hasher, leaf_hash, leaf, size, [*proof, root], root)
            assert not includes(hasher, leaf_hash, leaf ^ 1, size, proof, root) or size == 1
            assert not includes(hasher, leaf_hash, size, size, proof, root)
            if proof:
                assert not includes(hasher, leaf_hash, leaf, size, proof[:-1], root)
                assert not includes(hasher, leaf_hash, leaf, size, [bytes(32), *proof[1:]], root)


def test_every_pair_of_small_trees_is_consistent_and_nothing_else() -> None:
    entries = [bytes([number]) for number in range(LARGEST)]
    get = nodes_of(entries)
    roots = [root_of(entries[:size]) for size in range(LARGEST + 1)]
    for second in range(1, LARGEST + 1):
        for first in range(1, second + 1):
            proof = hashes(consistency_parts(first, second), SHA256, get)
            assert consistent(SHA256, first, second, roots[first], roots[second], proof)
            assert not consistent(SHA256, first, second, bytes(32), roots[second], proof)
            assert not consistent(SHA256, first, second, roots[first], bytes(32), proof)
            assert not consistent(SHA256, first, second, roots[first], roots[second], [*proof, bytes(32)])
            if proof:
                assert not consistent(SHA256, first, second, roots[first], roots[second], proof[:-1])
    assert consistent(SHA256, 0, 5, roots[0], roots[5], [])
    assert not consistent(SHA256, 5, 4, roots[5], roots[4], [])


def test_a_leaf_completes_as_many_nodes_as_end_with_it() -> None:
    ends: dict[int, int] = {}
    for level in range(1, 8):
        for index in range(256 >> level):
            leaf = last_leaf((level, index))
            ends[leaf] = ends.get(leaf, 0) + 1
    assert [completed(leaf) for leaf in range(256)] == [ends.get(leaf, 0) + (leaf == 255) for leaf in range(256)]


def test_peaks_cover_the_leaves_from_left_to_right() -> None:
    for size in range(1, 200):
        covered = [(index << level, last_leaf((level, index)) + 1) for level, index in peaks(0, size)]
        assert covered[0][0] == 0 and covered[-1][1] == size
        assert all(left[1] == right[0] for left, right in pairwise(covered))


def test_sm3_is_the_national_standard() -> None:
    """The example of GB/T 32905, appendix A.1: the message “abc”."""
    assert TreeHash("sm3").digest(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
