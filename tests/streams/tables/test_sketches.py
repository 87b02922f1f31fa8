"""Sketches of distinct things: exact below the bound, near above it, and the same in any order."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.redis.client import RedisClient
from streams.tables.counters import Change, Counter, tumbling
from streams.tables.sketches import ThetaSketch, hash_of, intersect_sketches, merge_sketches, read_sketch
from tests.support.configured_process import NOW

BOUND = 200
START = tumbling(86_400).bucket(NOW)


def of(things: Sequence[str], bound: int = BOUND) -> ThetaSketch:
    """What Redis keeps of them."""
    hashes = sorted({hash_of(each) for each in things})
    return ThetaSketch(frozenset(hashes[:bound]), hashes[bound] if len(hashes) > bound else None)


def names(first: int, last: int) -> list[str]:
    return [str(each) for each in range(first, last)]


@given(st.lists(st.sets(st.text(max_size=3), max_size=80), max_size=4))
def test_a_union_below_the_bound_is_exact(parts: list[set[str]]) -> None:
    merged = merge_sketches(of(sorted(part)) for part in parts)
    assert (merged.size, merged.is_exact) == (len(set().union(*parts)), True)


@pytest.mark.parametrize("seed", range(4))
def test_above_the_bound_unions_and_intersections_are_estimated(seed: int) -> None:
    shift = seed * 10_000
    one, other = of(names(shift, shift + 3_000), 1_000), of(names(shift + 1_500, shift + 4_500), 1_000)
    for found, truth in ((one.size, 3_000), (merge_sketches((one, other)).size, 4_500), (intersect_sketches(one, other).size, 1_500)):
        assert abs(found - truth) < 0.15 * truth
    assert not merge_sketches((one, ThetaSketch())).is_exact


@pytest.fixture
async def counter(redis: RedisClient, prefix: str) -> Counter:
    return Counter(redis, prefix, "s", partitions=2, window=tumbling(86_400), retention_s=86_400 * 36_500, hashes_max=BOUND)


@pytest.mark.stack
@pytest.mark.parametrize("count", [BOUND - 1, BOUND, BOUND + 1, 3 * BOUND])
async def test_redis_keeps_the_smallest_hashes_in_any_order_and_however_often(counter: Counter, count: int) -> None:
    things = names(0, count) + names(0, count // 3)
    random.Random(count).shuffle(things)
    for offset in range(0, len(things), 50):
        hashes = [hash_of(each) for each in things[offset : offset + 50]]
        await counter.apply(0, offset + 49, f"{offset}", [Change("k", {}, NOW, hashes), Change("k", {"n": 1}, NOW)], after=offset - 1)
    (found,) = await counter.sketches("k", [START])
    assert found == of(names(0, count))
    await counter.erase(["k"], {"k": hash_of("0")}, [START])
    (left,) = await counter.sketches("k", [START])
    assert (left.hashes, left.cut) == (found.hashes - {hash_of("0")}, found.cut)
    assert await counter.current("k", NOW) == {}


@pytest.mark.stack
async def test_what_is_no_sketch_is_begun_again(counter: Counter, redis: RedisClient) -> None:
    await redis.execute_command("SET", counter.shard_key(0, counter.sketch_part("k", START)), "poison")
    await counter.apply(0, 0, "e", [Change("k", {}, NOW, (5, 7))])
    assert await counter.sketches("k", [START]) == [ThetaSketch(frozenset({5, 7}))]


def test_a_reply_of_redis_is_read() -> None:
    assert read_sketch([b"5", b"5", b"", b"9.0071992547409910e+15"]) == ThetaSketch(frozenset({5}), 9_007_199_254_740_991)
