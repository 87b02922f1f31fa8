"""The core on a real Redis: one computation for all, nothing old after an invalidation, nothing wrong from what cannot be read."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec import Struct
from structlog.testing import capture_logs

from adapters.redis.client import RedisClient, connect
from schemas.errors import Unavailable
from schemas.settings import CacheSettings
from streams.cache import CacheEntry, Scenario, SingleFlightLease
from streams.cache.cache import EntryInfo, RedisCache
from streams.cache.entries import Codec
from streams.cache.names import Names
from streams.cache.scenario_cache import ScenarioCache
from streams.cache.single_flight import LEASE_S
from streams.live import Live
from tests.support.cache_processes import HandClock, Process
from tests.support.own_redis import OwnRedis

pytestmark = pytest.mark.stack
Start = Callable[..., Process]
WAITERS = 1_000
SCENARIO: Scenario = "document_content"


@dataclass
class Work:
    """A computation that can be held up, and says how often it ran."""

    value: Any = "value"
    runs: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> Any:
        self.runs += 1
        self.began.set()
        await self.may_end.wait()
        return self.value


def texts(process: Process, **more: Any) -> ScenarioCache[str]:
    return process.cache.of(SCENARIO, str, **more)


async def raw(redis: RedisClient, prefix: str, key: str) -> bytes | None:
    found: bytes | None = await redis.execute_command("GET", Names(prefix, "t", SCENARIO).entry(key))
    return found


async def test_a_thousand_waiters_in_two_processes_cost_one_computation(process: Start) -> None:
    here, there = process(), process()
    work = Work()
    asking = [
        asyncio.create_task(texts_of.get_or_compute("t", "k", work)) for texts_of in (texts(here), texts(there)) for _ in range(WAITERS)
    ]
    await work.began.wait()
    await asyncio.sleep(0)
    work.may_end.set()
    assert set(await asyncio.gather(*asking)) == {"value"}
    assert work.runs == 1
    assert here.counted("stored") + there.counted("stored") == 1


async def test_who_asked_first_may_leave(process: Start) -> None:
    """The others get the value all the same."""
    kept, work = texts(process()), Work()
    first = asyncio.create_task(kept.get_or_compute("t", "k", work))
    await work.began.wait()
    second = asyncio.create_task(kept.get_or_compute("t", "k", work))
    first.cancel()
    await asyncio.wait([first])
    work.may_end.set()
    assert await second == "value"
    assert work.runs == 1


async def test_what_fails_is_told_to_all_and_kept_by_nobody(process: Start) -> None:
    kept = texts(process())

    async def broken() -> str:
        raise Unavailable("index_unavailable")

    for outcome in await asyncio.gather(*(kept.get_or_compute("t", "k", broken) for _ in range(3)), return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    work = Work()
    work.may_end.set()
    assert await kept.get_or_compute("t", "k", work) == "value"


@pytest.mark.parametrize("how", ["key", "tag", "scenario", "prefix"])
async def test_a_computation_that_began_before_an_invalidation_is_seen_by_nobody_after_it(process: Start, how: str) -> None:
    """Not by who asks while it still runs, not from the cache when it has ended."""
    here, there = process(), process()
    kept, other = texts(here), texts(there)
    old, new = Work("old"), Work("new")
    new.may_end.set()
    asking = asyncio.create_task(kept.get_or_compute("t", "a/k", old, ("tag",)))
    await old.began.wait()
    invalidation = there.cache.invalidation
    if how == "key":
        await invalidation.key("t", SCENARIO, "a/k")
    elif how == "tag":
        await invalidation.tags("t", ["tag"])
    elif how == "scenario":
        await invalidation.scenario("t", SCENARIO)
    else:
        await invalidation.prefix("t", SCENARIO, "a/")
    assert await kept.get_or_compute("t", "a/k", new, ("tag",)) == "new"
    assert await other.get_or_compute("t", "a/k", new, ("tag",)) == "new"
    old.may_end.set()
    assert await asking == "old"  # it asked before
    assert await kept.get_or_compute("t", "a/k", new, ("tag",)) == "new"
    assert new.runs == 1


async def test_another_tenant_key_tag_and_scenario_are_untouched(process: Start) -> None:
    cache = process().cache
    kept, vectors = cache.of(SCENARIO, str), cache.of("embeddings", str)
    for tenant, key in (("t", "a/1"), ("t", "a/2"), ("t", "ab"), ("u", "a/1")):
        await kept.set(tenant, key, "v", ("tag",))
    await vectors.set("t", "a/1", "v", ("tag",))
    assert await cache.invalidation.prefix("t", SCENARIO, "a/") == 2
    assert await cache.invalidation.prefix("t", SCENARIO, "a/") == 0
    assert not await cache.invalidation.key("t", SCENARIO, "nothing")
    assert await kept.get("t", "a/1", ("tag",)) is None
    assert await kept.get("t", "ab", ("tag",)) is not None
    await cache.invalidation.tags("t", ["tag"], [SCENARIO])
    await cache.invalidation.scenario("t", "retrieval")
    assert await kept.get("t", "ab", ("tag",)) is None
    assert await kept.get("u", "a/1", ("tag",)) is not None
    assert await vectors.get("t", "a/1", ("tag",)) is not None


async def test_a_set_is_the_last_word(process: Start) -> None:
    """A computation under way does not overwrite what was written meanwhile."""
    kept, work = texts(process()), Work("computed")
    asking = asyncio.create_task(kept.get_or_compute("t", "k", work))
    await work.began.wait()
    assert await kept.set("t", "k", "written")
    work.may_end.set()
    await asking
    found = await kept.get("t", "k")
    assert found is not None
    assert found.value == "written"


async def test_that_there_is_nothing_is_kept_for_a_shorter_time(process: Start, redis: RedisClient, prefix: str) -> None:
    kept, work = texts(process(negative_s=30)), Work(None)
    work.may_end.set()
    for _ in range(3):
        assert await kept.get_or_compute("t", "k", work) is None
    assert work.runs == 1
    assert 0 < await redis.pttl(Names(prefix, "t", SCENARIO).entry("k")) <= 33_000
    none = texts(process(negative_s=0))
    await none.get_or_compute("t", "other", work)
    await none.get_or_compute("t", "other", work)
    assert work.runs == 3


async def test_a_hit_late_in_life_is_served_and_refreshed_once(process: Start, clock: HandClock) -> None:
    here = process(document_content_s=100)
    kept, new = texts(here), Work("new")
    await kept.set("t", "k", "old")
    clock.passed_s = 50
    assert await kept.get_or_compute("t", "k", new) == "old"
    assert new.runs == 0
    clock.passed_s = 105  # Redis' own clock has not moved: the entry is there
    assert [await kept.get_or_compute("t", "k", new) for _ in range(5)] == ["old"] * 5
    await new.began.wait()
    new.may_end.set()
    async with asyncio.timeout(5):
        while (found := await kept.get("t", "k")) is None or found.value != "new":
            await asyncio.sleep(0.005)
    assert new.runs == here.counted("refresh") == 1


async def test_lives_differ(process: Start, redis: RedisClient, prefix: str) -> None:
    """What was stored together does not end together."""
    kept = texts(process(document_content_s=1_000))
    for n in range(20):
        await kept.set("t", str(n), "v")
    lives_ms = [await redis.pttl(Names(prefix, "t", SCENARIO).entry(str(n))) for n in range(20)]
    assert all(890_000 <= life_ms <= 1_100_000 for life_ms in lives_ms)
    assert max(lives_ms) - min(lives_ms) > 20_000


SHAPE = Codec(str, compress_bytes_min=1, entry_bytes_max=1)._shape
HEAD = b"\x01" + b"i" * 8 + SHAPE


@pytest.mark.parametrize(
    "poison",
    [b"", b"\x01", b"\x01" + b"x" * 40, b"\x02whatever", b"null", HEAD, HEAD + b"p", HEAD + b"p\x93\x90\xcb", HEAD + b"zgarbage"],
)
async def test_poison_is_a_miss_and_heals(process: Start, redis: RedisClient, prefix: str, poison: bytes) -> None:
    kept, work = texts(process()), Work()
    work.may_end.set()
    await redis.set(Names(prefix, "t", SCENARIO).entry("k"), poison)
    with capture_logs() as lines:
        assert await kept.get("t", "k") is None
    assert [line["event"] for line in lines] in (["cache_entry_of_another_kind"], ["cache_entry_undecodable"])
    assert [await kept.get_or_compute("t", "k", work) for _ in range(2)] == ["value", "value"]
    assert work.runs == 1


async def test_a_shorter_life_of_some_ends_no_others(process: Start) -> None:
    """They share an index, by which a prefix is taken back."""
    cache = process().cache
    long, short = cache.of(SCENARIO, str), cache.of(SCENARIO, str, ttl_s=1)
    await long.set("t", "a/long", "v")
    await short.set("t", "a/short", "v")
    assert await cache._redis.pttl(Names(cache._prefix, "t", SCENARIO).index) > long.life_s * 1000
    assert await cache.invalidation.prefix("t", SCENARIO, "a/") == 2


async def test_a_value_that_claims_to_be_huge_is_a_miss(process: Start, redis: RedisClient, prefix: str) -> None:
    kept = texts(process(compress_bytes_min=64, entry_bytes_max=16_777_216))
    assert await kept.set("t", "k", "x" * 15_000_000)
    assert len(await raw(redis, prefix, "k") or b"") < 100_000
    assert (await kept.get("t", "k") or CacheEntry("", True, b"", 0)).value == "x" * 15_000_000
    assert not await kept.set("t", "k", "x" * 17_000_000)


class Before(Struct):
    name: str


class After(Struct):
    name: str
    years: int = 0


async def test_processes_of_two_releases_do_not_read_each_other(process: Start) -> None:
    """Whichever came first; an invalidation of either reaches both."""
    old, new = process().cache, process().cache
    known, knows = old.of(SCENARIO, Before), new.of(SCENARIO, After)
    await known.set("t", "k", Before("a"))
    assert await knows.get("t", "k") is None
    await knows.set("t", "k", After("a", 3))
    assert await known.get("t", "k") is None
    await old.invalidation.key("t", SCENARIO, "k")
    assert await knows.get("t", "k") is None


async def test_too_large_is_not_kept_and_computed_once_for_all_who_wait(process: Start) -> None:
    here = process(entry_bytes_max=1024, compress_bytes_min=1_000_000)
    kept, work = texts(here), Work("x" * 2_000)
    asking = [asyncio.create_task(kept.get_or_compute("t", "k", work)) for _ in range(10)]
    await work.began.wait()
    while here.counted("shared") < 9:
        await asyncio.sleep(0)
    work.may_end.set()
    assert set(await asyncio.gather(*asking)) == {"x" * 2_000}
    assert work.runs == here.counted("too_large") == 1


async def test_the_index_stays_bounded(process: Start, redis: RedisClient, prefix: str) -> None:
    """One entry beyond the bound takes another one's place; ended ones leave the index by themselves."""
    cache = process(entries_max=20).cache
    kept = cache.of(SCENARIO, str)
    for n in range(60):
        await kept.set("t", f"k{n}", "v")
    assert (await cache.size("t"))[SCENARIO] <= 21
    names = Names(prefix, "t", SCENARIO)
    await redis.unlink(*[names.entry(f"k{n}") for n in range(60)])
    for n in range(200):
        await kept.set("t", "same", str(n))
    assert (await cache.size("t"))[SCENARIO] == 1


async def test_keys_are_listed_in_pages(process: Start) -> None:
    cache = process().cache
    kept = cache.of(SCENARIO, str)
    for n in range(25):
        await kept.set("t", f"a/{n:02}", "v" * n)
    await kept.set("t", "b", "v")
    seen: list[EntryInfo] = []
    cursor = ""
    while True:
        page = await cache.keys("t", SCENARIO, prefix="a/", cursor=cursor, limit=10)
        seen += page.items
        cursor = page.next_cursor
        if not cursor:
            break
    assert [each.key for each in seen] == [f"a/{n:02}" for n in range(25)]
    assert all(each.life_ms > 0 and each.size_bytes > 8 for each in seen)
    assert (await cache.keys("u", SCENARIO, limit=10)).items == ()


async def test_long_keys_are_bounded_and_distinct(process: Start) -> None:
    kept = texts(process())
    await kept.set("t", "k" * 5_000, "one")
    await kept.set("t", "k" * 5_001, "two")
    found = await kept.get("t", "k" * 5_000)
    assert found is not None
    assert found.value == "one"


async def test_what_the_judge_refuses_is_dropped(process: Start, redis: RedisClient, prefix: str) -> None:
    kept, work = texts(process()), Work("new")
    work.may_end.set()
    await kept.set("t", "k", "old")

    async def is_new(value: str | None, is_current: bool) -> bool:
        return value == "new"

    assert await kept.get("t", "k", accepts=is_new) is None
    assert await raw(redis, prefix, "k") is None
    await kept.set("t", "k", "old")
    assert [await kept.get_or_compute("t", "k", work, accepts=is_new) for _ in range(2)] == ["new", "new"]
    assert work.runs == 1


async def test_who_waits_hears_when_the_holder_has_nothing(process: Start) -> None:
    """Then nobody waits for the next one: all go on alone."""
    here, there = texts(process()), texts(process())
    lease = await here.claim("t", "k", wait_s=5)
    assert isinstance(lease, SingleFlightLease)
    waiting = [asyncio.create_task(kept.claim("t", "k", wait_s=5)) for kept in (here, there, there)]
    await asyncio.sleep(0.02)
    await here.release(lease, alone_s=5)
    assert await asyncio.gather(*waiting) == [None, None, None]


async def test_a_dead_holder_is_replaced(process: Start, redis: RedisClient, prefix: str) -> None:
    """Its lease ends by itself; a store that comes after that is refused."""
    here, there = process(), texts(process())
    kept = texts(here)
    lease = await kept.claim("t", "k", wait_s=5)
    assert isinstance(lease, SingleFlightLease)
    assert 0 < await redis.pttl(lease.name) <= LEASE_S * 1000
    await redis.pexpire(lease.name, 1)
    got = await there.claim("t", "k", wait_s=5)
    assert isinstance(got, SingleFlightLease)
    assert not await kept.store("t", lease, "late")
    assert await there.store("t", got, "right")
    assert (await kept.get("t", "k") or CacheEntry("", True, b"", 0)).value == "right"


async def test_with_redis_down_everything_is_a_miss(own_redis: OwnRedis, clock: HandClock) -> None:
    client = connect(own_redis.settings)
    cache = RedisCache(client, "p", Live(CacheSettings()), clock)
    kept, work = cache.of(SCENARIO, str), Work()
    work.may_end.set()
    assert await kept.get_or_compute("t", "k", work) == "value"
    await own_redis.kill()
    assert [await kept.get_or_compute("t", "k", work) for _ in range(50)] == ["value"] * 50
    assert await kept.claim("t", "k", wait_s=5) is None
    assert await kept.get("t", "k") is None
    with pytest.raises(Unavailable):
        await kept.set("t", "k", "v")
    await cache.stop()
    await client.aclose()


async def test_off_is_off(process: Start) -> None:
    kept, work = texts(process(document_content_s=0)), Work()
    work.may_end.set()
    for _ in range(2):
        assert await kept.get_or_compute("t", "k", work) == "value"
    assert work.runs == 2
    assert not await kept.set("t", "k", "v")


async def test_counts_of_all_processes_are_added_up(process: Start) -> None:
    here, there = process(), process()
    for each in (here, there):
        kept, work = texts(each), Work()
        work.may_end.set()
        for _ in range(3):
            await kept.get_or_compute("t", "k", work)
        await each.cache.statistics.flush()
    counts = (await here.cache.statistics.counts_of("t"))[SCENARIO]
    assert (counts.hit, counts.miss, counts.stored) == (5, 1, 1)
    assert counts.hit_rate == pytest.approx(5 / 6)
    assert await here.cache.statistics.counts_of("u") == {}
