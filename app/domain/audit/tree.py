r"""Merkle trees as RFC 6962 (section 2.1) defines them, which grow at their end.

A tree over ``size`` leaves is a row of perfect subtrees, from the largest to the smallest: one for
each 1 in the binary number ``size``. Their roots are the *edge*. More than the edge is not needed
to append leaves, nor to compute the root, so a log of any length grows by the work for new leaves.

    size 6 = 110:         root
                         /    \
                        A      B          edge: A (4 leaves), B (2 leaves)
                      /   \   / \
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Self

HASH_BYTES = 32

# Not computed here: a machine that cannot hash must get as far as the check that says so.
EMPTY_ROOT = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""The root of a tree without leaves: the hash of nothing."""

_LEAF, _NODE = b"\x00", b"\x01"


def hash_leaf(data: bytes) -> bytes:
    """The hash of one leaf."""
    return sha256(_LEAF + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """The hash of a node with these two children."""
    return sha256(_NODE + left + right).digest()


class GrowingTree:
    """A tree of which only the edge is stored.

    Args:
        size: The number of leaves that it has already.
        edge: The roots of its perfect subtrees, one after the other.

    Raises:
        ValueError: There is no tree of this size with an edge of this length.
    """

    def __init__(self, size: int = 0, edge: bytes = b"") -> None:
        if size < 0 or len(edge) != size.bit_count() * HASH_BYTES:
            raise ValueError("an edge has one root for each 1 of the binary size")
        self.size = size
        self._edge = [edge[at : at + HASH_BYTES] for at in range(0, len(edge), HASH_BYTES)]

    @classmethod
    def of(cls, leaves: Iterable[bytes]) -> Self:
        """The tree over the hashes of these leaves."""
        tree = cls()
        for leaf in leaves:
            tree.append(leaf)
        return tree

    @property
    def edge(self) -> bytes:
        """The roots of the perfect subtrees, one after the other."""
        return b"".join(self._edge)

    @property
    def root(self) -> bytes:
        """The root over all leaves."""
        if not self._edge:
            return EMPTY_ROOT
        *lefts, root = self._edge
        for left in reversed(lefts):
            root = hash_node(left, root)
        return root

    def append(self, leaf: bytes) -> None:
        """Append a leaf by its hash."""
        size, root = self.size, leaf
        while size & 1:  # a subtree as large as this one stands at its left
            root = hash_node(self._edge.pop(), root)
            size >>= 1
        self._edge.append(root)
        self.size += 1
