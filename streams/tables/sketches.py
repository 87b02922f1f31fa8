"""Sketches: how many distinct things there are, exact up to a bound and estimated above it, in bounded space.

Of each thing a sketch has a hash, evenly spread over 53 bits, and of more hashes than its bound the smallest ones (a theta sketch). The
``cut`` is the smallest hash that it has dropped: below it nothing is missing, so the number of hashes below it, divided by the share of the
space, estimates the whole with a standard error of about 1 / sqrt(bound). Adding is idempotent and in any order; sketches can be united and
intersected, which no HyperLogLog can, and a thing can be taken out again.

In Redis a sketch is a sorted set with the hashes as members and scores; the member "" has the cut.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

HASH_BITS = 53  # what the scores of Redis hold exactly
HASHES_MAX = 10_000  # of one sketch: about 1 MB, and an error of 1 % above


class ThetaSketch(NamedTuple):
    """``cut`` None: every hash is there, and the count exact."""

    hashes: frozenset[int] = frozenset()
    cut: int | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the count is no estimate."""
        return self.cut is None

    @property
    def size(self) -> int:
        """The number of distinct things."""
        return len(self.hashes) if self.cut is None else round(len(self.hashes) / (self.cut / 2**HASH_BITS))


def hash_of(*parts: str) -> int:
    """The hash of a thing with these names."""
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - HASH_BITS)


def merge_sketches(some: Iterable[ThetaSketch]) -> ThetaSketch:
    """The sketch of what is in any of them."""
    listed = tuple(some)
    cut = _lowest_cut(listed)
    return ThetaSketch(frozenset(each for sketch in listed for each in sketch.hashes if cut is None or each < cut), cut)


def intersect_sketches(one: ThetaSketch, other: ThetaSketch) -> ThetaSketch:
    """The sketch of what is in both."""
    cut = _lowest_cut((one, other))
    return ThetaSketch(frozenset(each for each in one.hashes & other.hashes if cut is None or each < cut), cut)


def read_sketch(flat: Sequence[bytes]) -> ThetaSketch:
    """The sketch of a sorted set, as ``ZRANGE ... WITHSCORES`` replies it."""
    cut = next((int(float(score)) for member, score in zip(flat[::2], flat[1::2], strict=True) if not member), None)
    return ThetaSketch(frozenset(int(member) for member in flat[::2] if member), cut)


def _lowest_cut(some: Sequence[ThetaSketch]) -> int | None:
    return min((sketch.cut for sketch in some if sketch.cut is not None), default=None)
