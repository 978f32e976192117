"""The Merkle tree of the ledger, against the definitions of RFC 6962 written down plainly."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules import tree
from hub.rules.tree import Frontier, ProofInvalid


def plain(leaves):
    """MTH of RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    left, right = plain(leaves[:half]), plain(leaves[half:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def entries(count, salt=b""):
    return [salt + str(number).encode() for number in range(count)]


def nodes_of(leaves):
    def nodes(level, index):
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "a subtree was asked for that is not full"
        return plain(part)

    return nodes


# RFC 6962's reference implementation publishes these roots for its eight test leaves.
KNOWN_LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    bytes(range(0x50, 0x58)),
    bytes(range(0x60, 0x70)),
]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_published_roots_come_out():
    frontier = Frontier()
    for leaf, known in zip(KNOWN_LEAVES, KNOWN_ROOTS, strict=True):
        frontier.add(tree.leaf_hash(leaf))
        assert frontier.root().hex() == known


def test_the_empty_tree():
    assert Frontier().root() == tree.root(0, nodes_of([])) == plain([])


@pytest.mark.parametrize("size", [*range(1, 40), 64, 65, 127, 200])
def test_root_frontier_and_every_inclusion_proof(size):
    leaves = entries(size)
    nodes, expected = nodes_of(leaves), plain(leaves)
    assert tree.root(size, nodes) == expected
    assert Frontier.of(size, nodes).root() == expected
    for index, leaf in enumerate(leaves):
        path = tree.inclusion(index, size, nodes)
        tree.check_inclusion(tree.leaf_hash(leaf), index, size, path, expected)


@pytest.mark.parametrize("size", [*range(1, 34), 65, 100])
def test_every_consistency_proof(size):
    leaves = entries(size)
    nodes = nodes_of(leaves)
    for before in range(1, size + 1):
        path = tree.consistency(before, size, nodes)
        tree.check_consistency(before, plain(leaves[:before]), size, plain(leaves), path)


@given(st.data())
def test_no_other_leaf_place_size_or_root_passes(data):
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    leaves = entries(size)
    nodes, root = nodes_of(leaves), plain(leaves)
    path, leaf = tree.inclusion(index, size, nodes), tree.leaf_hash(leaves[index])
    wrong = data.draw(st.sampled_from(["leaf", "index", "size", "path", "short", "long", "root"]))
    if wrong == "leaf":
        leaf = tree.leaf_hash(b"another")
    elif wrong == "index":
        index = data.draw(st.integers(-1, size + 1).filter(lambda each: each != index))
    elif wrong == "size":
        size = data.draw(st.integers(0, index))
    elif wrong == "path" and path:
        path[data.draw(st.integers(0, len(path) - 1))] = b"\x00" * 32
    elif wrong == "short" and path:
        path.pop(data.draw(st.sampled_from([0, -1])))
    elif wrong == "root":
        root = b"\x00" * 32
    else:
        path.append(b"\x00" * 32)
    with pytest.raises(ProofInvalid):
        tree.check_inclusion(leaf, index, size, path, root)


@given(st.data())
def test_no_ledger_that_was_rewritten_is_consistent(data):
    size = data.draw(st.integers(2, 70))
    before = data.draw(st.integers(1, size))
    leaves = entries(size)
    first = plain(leaves[:before])
    changed = data.draw(st.integers(0, before - 1))
    rewritten = [*leaves[:changed], b"edited", *leaves[changed + 1 :]]
    path = tree.consistency(before, size, nodes_of(rewritten))
    with pytest.raises(ProofInvalid):
        tree.check_consistency(before, first, size, plain(rewritten), path)


def test_proofs_of_what_is_not_there_are_not_made():
    nodes = nodes_of(entries(4))
    for index, size in ((4, 4), (-1, 4), (0, 0)):
        with pytest.raises(ValueError, match="no leaf"):
            tree.inclusion(index, size, nodes)
    for before, size in ((0, 4), (5, 4)):
        with pytest.raises(ValueError, match="no beginning"):
            tree.consistency(before, size, nodes)
    with pytest.raises(ValueError, match="do not make"):
        Frontier(3, [b""])
