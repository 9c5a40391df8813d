"""Trees have the roots of RFC 6962."""

from hashlib import sha256

import pytest

from app.domain.audit.tree import EMPTY_ROOT, GrowingTree, hash_leaf, hash_node

# The leaves and roots that implementations of Certificate Transparency share as their vectors
# (https://github.com/transparency-dev/merkle, testonly/constants.go).
LEAVES = [
    *("", "00", "10", "2021", "3031", "40414243"),
    *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
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
HASHES = [hash_leaf(bytes.fromhex(leaf)) for leaf in LEAVES]


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_roots_are_those_of_the_shared_vectors(size: int) -> None:
    assert GrowingTree.of(HASHES[:size]).root.hex() == ROOTS[size]


@pytest.mark.parametrize("size", range(40))
def test_the_root_is_that_of_the_definition_in_the_rfc(size: int) -> None:
    leaves = [hash_leaf(bytes([number])) for number in range(size)]

    assert GrowingTree.of(leaves).root == _root(leaves)


@pytest.mark.parametrize("stored", range(20))
def test_a_tree_goes_on_from_its_edge(stored: int) -> None:
    leaves = [hash_leaf(bytes([number])) for number in range(20)]
    before = GrowingTree.of(leaves[:stored])
    tree = GrowingTree(before.size, before.edge)
    for leaf in leaves[stored:]:
        tree.append(leaf)

    assert (tree.root, tree.size) == (_root(leaves), 20)


@pytest.mark.parametrize(("size", "roots"), [(0, 1), (1, 0), (5, 3), (8, 3), (-1, 0)])
def test_an_edge_that_no_tree_has_is_refused(size: int, roots: int) -> None:
    with pytest.raises(ValueError, match="edge"):
        GrowingTree(size, bytes(32 * roots))


def test_an_edge_with_half_a_root_is_refused() -> None:
    with pytest.raises(ValueError, match="edge"):
        GrowingTree(1, bytes(31))


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert GrowingTree().root == EMPTY_ROOT == sha256(b"").digest()


def _root(leaves: list[bytes]) -> bytes:
    """The definition itself: split at the largest power of two below the number of leaves."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256(b"").digest()
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return hash_node(_root(leaves[:left]), _root(leaves[left:]))
