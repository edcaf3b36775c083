"""Merkle trees over sha2-256, as in Certificate Transparency (RFC 9162, section 2.1).

Leaves and inner nodes are hashed with different prefixes, so neither can stand for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

EMPTY = sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    """Return sha256(0x00 || data): 32 bytes."""
    return sha256(b"\x00" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree over leaf hashes (32 bytes each), with all its levels; an odd last node moves up unchanged."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.levels: list[list[bytes]] = [list(leaves)]
        while len(level := self.levels[-1]) > 1:
            above = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
            if len(level) % 2:
                above.append(level[-1])
            self.levels.append(above)

    @property
    def root(self) -> bytes:
        return self.levels[-1][0] if self.levels[-1] else EMPTY

    def path(self, index: int) -> list[bytes]:
        """Return the inclusion proof of one leaf: the sibling at each level that has one, lowest first."""
        path = []
        for level in self.levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index >>= 1
        return path


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return True if ``leaf`` is leaf ``index`` of the tree with ``size`` leaves and this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    siblings = iter(path)
    value = leaf
    while size > 1:
        if index ^ 1 < size:
            sibling = next(siblings, None)
            if sibling is None:
                return False
            value = _node(sibling, value) if index % 2 else _node(value, sibling)
        index >>= 1
        size = (size + 1) >> 1
    return next(siblings, None) is None and value == root
