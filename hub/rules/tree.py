"""The Merkle tree over the ledger, hashed as RFC 6962 section 2.1 (RFC 9162 section 2.1) says.

Pure: a tree is whatever `Nodes` returns for its perfect subtrees. `Nodes(level, index)` is the
hash over the leaves [index * 2**level, (index + 1) * 2**level), all of which must exist.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

Nodes = Callable[[int, int], bytes]

EMPTY = hashlib.sha256().digest()
"""The root of a tree without leaves."""


class ProofInvalid(Exception):
    """A proof that does not lead to the root; the text says where it fails."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Iterable[bytes]) -> list[bytes]:
    """Return the level above a level of an even number of hashes."""
    pairs = iter(hashes)
    return [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]


def root(size: int, nodes: Nodes) -> bytes:
    """Return the root of the first `size` leaves."""
    return _over(0, size, nodes) if size else EMPTY


def inclusion(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that leaf `index` (from 0) is in the tree of `size` leaves."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    path = []
    start, end = 0, size
    while end - start > 1:
        split = start + _half(end - start)
        if index < split:
            path.append(_over(split, end, nodes))
            end = split
        else:
            path.append(_over(start, split, nodes))
            start = split
    return path[::-1]


def consistency(before: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the tree of `before` leaves is the beginning of that of `size`."""
    if not 0 < before <= size:
        raise ValueError(f"a tree of {size} has no beginning of {before}")
    path = []
    start, end, whole = 0, size, True
    while before != end:
        split = start + _half(end - start)
        if before <= split:
            path.append(_over(split, end, nodes))
            end = split
        else:
            path.append(_over(start, split, nodes))
            start, whole = split, False
    if not whole:
        path.append(_over(start, end, nodes))
    return path[::-1]


def check_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes
) -> None:
    """Raise `ProofInvalid` unless `leaf` (a leaf hash) is number `index` under root `expected`."""
    if not 0 <= index < size:
        raise ProofInvalid(f"there is no leaf {index} in a tree of {size}")
    steps = list(path)
    found = _lifted(leaf, index, size, steps)
    if steps:
        raise ProofInvalid("the proof is too long")
    if found != expected:
        raise ProofInvalid("the proof leads to another root")


def check_consistency(
    before: int, first: bytes, size: int, second: bytes, path: Sequence[bytes]
) -> None:
    """Raise `ProofInvalid` unless root `first` of `before` leaves grew into root `second`."""
    if not 0 < before <= size:
        raise ProofInvalid(f"a tree of {size} has no beginning of {before}")
    steps = list(path)
    old, new = _grown(before, size, first, steps, whole=True)
    if steps:
        raise ProofInvalid("the proof is too long")
    if old != first:
        raise ProofInvalid("the proof does not begin at the first root")
    if new != second:
        raise ProofInvalid("the proof leads to another root")


def _lifted(leaf: bytes, index: int, size: int, steps: list[bytes]) -> bytes:
    """Return the root to which a proof leads, taking its steps from the end."""
    if size == 1:
        return leaf
    split, side = _half(size), _taken(steps)
    if index < split:
        return node_hash(_lifted(leaf, index, split, steps), side)
    return node_hash(side, _lifted(leaf, index - split, size - split, steps))


def _grown(
    before: int, size: int, first: bytes, steps: list[bytes], *, whole: bool
) -> tuple[bytes, bytes]:
    """Return the two roots to which a proof leads; `whole`: the old tree is all on the left."""
    if before == size:
        found = first if whole else _taken(steps)
        return found, found
    split, side = _half(size), _taken(steps)
    if before <= split:
        old, new = _grown(before, split, first, steps, whole=whole)
        return old, node_hash(new, side)
    old, new = _grown(before - split, size - split, first, steps, whole=False)
    return node_hash(side, old), node_hash(side, new)


def _taken(steps: list[bytes]) -> bytes:
    if not steps:
        raise ProofInvalid("the proof is too short")
    return steps.pop()


class Frontier:
    """A tree that only grows, held as the roots of its perfect subtrees, the largest first."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if len(hashes) != size.bit_count():
            raise ValueError(f"{len(hashes)} subtrees do not make {size} leaves")
        self.size = size
        self._hashes = list(hashes)

    @classmethod
    def of(cls, size: int, nodes: Nodes) -> "Frontier":
        """Return the frontier of a tree that stands."""
        hashes, start = [], 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                hashes.append(nodes(level, start >> level))
                start += 1 << level
        return cls(size, hashes)

    def add(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        size, found = self.size, leaf
        while size & 1:
            found = node_hash(self._hashes.pop(), found)
            size >>= 1
        self._hashes.append(found)
        self.size += 1

    def root(self) -> bytes:
        """Return the root as it is now."""
        if not self._hashes:
            return EMPTY
        *rest, found = self._hashes
        for left in reversed(rest):
            found = node_hash(left, found)
        return found


def _half(count: int) -> int:
    """Return the largest power of two below `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _over(start: int, end: int, nodes: Nodes) -> bytes:
    """Return the hash over the leaves [start, end), where `start` begins a subtree."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return nodes(level, start >> level)
    split = start + _half(count)
    return node_hash(_over(start, split, nodes), _over(split, end, nodes))
