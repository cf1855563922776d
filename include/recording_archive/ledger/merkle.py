"""Merkle trees as RFC 9162 (section 2.1) hashes them: one event of a segment is proved without showing the others.

A leaf's hash is SHA-256(0x00 ‖ line), a node's SHA-256(0x01 ‖ left ‖ right). The left subtree of a node has the largest
power of two of leaves that is smaller than all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

_EMPTY = sha256(b"").digest()


def leaf_hash(line: bytes) -> bytes:
    """Hash a leaf."""
    return sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash a node above two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows leaf by leaf and keeps no more than the roots of its whole subtrees."""

    def __init__(self) -> None:
        self.leaves = 0
        self._roots: list[bytes] = []

    def add(self, line: bytes) -> None:
        """Add a leaf."""
        found, number = leaf_hash(line), self.leaves
        while number & 1:
            found = node_hash(self._roots.pop(), found)
            number >>= 1
        self._roots.append(found)
        self.leaves += 1

    def root(self) -> bytes:
        """Hash the tree as it is."""
        if not self._roots:
            return _EMPTY
        found = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            found = node_hash(left, found)
        return found


def path_of(hashes: Sequence[bytes], leaf: int) -> list[bytes]:
    """List the hashes that lead from a leaf to the root, the nearest first; ``hashes`` are those of all leaves."""
    path, start, end = list[bytes](), 0, len(hashes)
    while end - start > 1:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        if leaf < middle:
            path.append(root_of(hashes[middle:end]))
            end = middle
        else:
            path.append(root_of(hashes[start:middle]))
            start = middle
    return path[::-1]


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Hash the tree over leaves whose hashes these are."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else _EMPTY
    middle = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(root_of(hashes[:middle]), root_of(hashes[middle:]))


def root_by_path(line: bytes, leaf: int, leaves: int, path: Sequence[bytes]) -> bytes | None:
    """Compute the root from a leaf and its path, as RFC 9162 (2.1.3.2) does; None when the path has another length."""
    if not 0 <= leaf < leaves:
        return None
    first, last, found = leaf, leaves - 1, leaf_hash(line)
    for other in path:
        if last == 0:
            return None
        if first & 1 or first == last:
            found = node_hash(other, found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = node_hash(found, other)
        first, last = first >> 1, last >> 1
    return found if last == 0 else None
