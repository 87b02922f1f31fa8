"""Any interleaving of writing, computing, invalidating and expiring: what is read is what a dictionary would say."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.cache import CacheEntry, Scenario, SingleFlightLease
from streams.cache.invalidation import Invalidation
from streams.cache.names import Names
from tests.support.cache_processes import Process

pytestmark = pytest.mark.stack
SCENARIO: Scenario = "retrieval"
TAGS = {"a/1": ("x",), "a/2": ("x", "y"), "b": ()}
KEYS = st.sampled_from(list(TAGS))
STEPS = st.one_of(
    st.tuples(st.just("set"), KEYS),
    st.tuples(st.just("claim"), KEYS),
    st.tuples(st.sampled_from(["store", "release"]), st.integers(0, 5)),
    st.tuples(st.just("key"), KEYS),
    st.tuples(st.just("tag"), st.sampled_from(["x", "y", "z"])),
    st.tuples(st.just("prefix"), st.sampled_from(["a", "a/", "", "c"])),
    st.tuples(st.just("scenario"), st.just("")),
    st.tuples(st.just("expire"), KEYS),
)


@pytest.fixture
def pair(process: Callable[[], Process]) -> list[Process]:
    return [process(), process()]


class Model:
    """``leases``: who may store, and whether what they computed from is still true."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.leases: dict[str, tuple[object, bool]] = {}

    def taken_back(self, keys: list[str], *, leases: bool) -> None:
        for key in keys:
            self.entries.pop(key, None)
            if leases:
                self.leases.pop(key, None)
            elif key in self.leases:
                self.leases[key] = (self.leases[key][0], False)

    def stored(self, key: str, lease: object, value: str) -> bool:
        holder, true = self.leases.get(key, (None, False))
        if holder is not lease:
            return False
        del self.leases[key]
        if true:
            self.entries[key] = value
        return True


class World:
    """Two processes that take turns, a tenant of their own, and the model beside them."""

    def __init__(self, pair: list[Process]) -> None:
        self.pair, self.tenant, self.model = pair, uuid.uuid4().hex, Model()
        self.kept = [each.cache.of(SCENARIO, str) for each in pair]
        self.leases: list[tuple[int, str, SingleFlightLease]] = []
        self.turn, self.value = 0, ""

    @property
    def invalidation(self) -> Invalidation:
        return self.pair[self.turn].cache.invalidation

    async def set(self, key: str) -> None:
        assert await self.kept[self.turn].set(self.tenant, key, self.value, TAGS[key])
        self.model.leases.pop(key, None)
        self.model.entries[key] = self.value

    async def claim(self, key: str) -> None:
        got = await self.kept[self.turn].claim(self.tenant, key, TAGS[key], wait_s=0)
        if key in self.model.entries:
            assert isinstance(got, CacheEntry)
            assert got.value == self.model.entries[key]
        elif self.model.leases.get(key, (None, False))[1]:
            assert got is None
        else:
            assert isinstance(got, SingleFlightLease)
            self.model.leases[key] = (got, True)
            self.leases.append((self.turn, key, got))

    async def store(self, which: int) -> None:
        if self.leases:
            turn, key, lease = self.leases.pop(which % len(self.leases))
            assert await self.kept[turn].store(self.tenant, lease, self.value) == self.model.stored(key, lease, self.value)

    async def release(self, which: int) -> None:
        if self.leases:
            turn, key, lease = self.leases.pop(which % len(self.leases))
            await self.kept[turn].release(lease)
            if self.model.leases.get(key, (None, False))[0] is lease:
                del self.model.leases[key]

    async def key(self, key: str) -> None:
        await self.invalidation.key(self.tenant, SCENARIO, key)
        self.model.taken_back([key], leases=True)

    async def tag(self, tag: str) -> None:
        await self.invalidation.tags(self.tenant, [tag])
        self.model.taken_back([key for key, tags in TAGS.items() if tag in tags], leases=False)

    async def prefix(self, prefix: str) -> None:
        await self.invalidation.prefix(self.tenant, SCENARIO, prefix)
        self.model.taken_back([key for key in TAGS if key.startswith(prefix)], leases=True)

    async def scenario(self, _: str) -> None:
        await self.invalidation.scenario(self.tenant, SCENARIO)
        self.model.taken_back(list(TAGS), leases=False)

    async def expire(self, key: str) -> None:
        process = self.pair[self.turn]
        await process.redis.unlink(Names(process.cache._prefix, self.tenant, SCENARIO).entry(key))
        self.model.entries.pop(key, None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=30))
async def test_reads_equal_a_model(pair: list[Process], steps: list[tuple[str, Any]]) -> None:
    """After every step the other process reads every key."""
    world = World(pair)
    for number, (what, where) in enumerate(steps):
        world.turn, world.value = number % 2, f"v{number}"
        await getattr(world, what)(where)
        for key, tags in TAGS.items():
            found = await world.kept[1 - world.turn].get(world.tenant, key, tags)
            assert (found.value if found else None) == world.model.entries.get(key)
