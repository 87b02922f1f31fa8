"""The cache: a hit against a bare GET, a thousand waiters on a cold key, and the hit rate of a zipf load through the HTTP API."""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import accumulate
from pathlib import Path

import aiohttp
from msgspec import Struct

from adapters.redis.client import RedisClient as Redis
from adapters.redis.client import connect
from benchmarks.chat import PASSAGES, load, settings_for
from benchmarks.figures import Figure, median, percentile
from benchmarks.rates import own_redis
from benchmarks.stub_process import launch_stub_provider
from claw_client import Client
from ops.commands.keys import LOCAL_TENANT
from ops.stack.embedded import locate
from ops.stack.launch import stack
from schemas.settings import RedisSettings
from schemas.settings.cache import CacheSettings
from streams.cache import RedisCache
from streams.clock import SystemClock
from streams.live import Live

ROUNDS, LOOKS = 15, 2_000  # interleaved rounds, lookups per round
TOGETHER = 64
WAITERS = 1_000
ITEMS, REQUESTS, CALLERS, EXPONENT = 200, 4_000, 16, 1.1  # of the zipf load


class Value(Struct, frozen=True):
    """A typical API answer of a kilobyte."""

    id: str
    texts: tuple[str, ...]


VALUE = Value("0" * 36, tuple(f"Passage {n} of a document, with some words in it. " * 4 for n in range(5)))


async def run() -> list[Figure]:
    """The core on a Redis of its own, then a whole stack."""
    async with own_redis() as settings:
        here, there = (connect(settings) for _ in range(2))
        figures = [*await _hits(here), *await _waiters(here, there)]
        await asyncio.gather(here.aclose(), there.aclose())
    return [*figures, *await _zipf()]


async def _hits(redis: Redis) -> list[Figure]:
    cache = RedisCache(redis, "bench", Live(CacheSettings()), SystemClock())
    kept = cache.of("retrieval", Value)
    tags = ("kb/one",)
    await kept.set("t", "plain", VALUE)
    await kept.set("t", "tagged", VALUE, tags)
    name = "bench:cache:{t/retrieval}:e:plain"
    looks: dict[str, Callable[[], Awaitable[object]]] = {
        "GET": lambda: redis.execute_command("GET", name),
        "plain": lambda: kept.get("t", "plain"),
        "tagged": lambda: kept.get("t", "tagged", tags),
    }
    figures = []
    for together in (1, TOGETHER):
        took: dict[str, list[float]] = {what: [] for what in looks}
        for _ in range(ROUNDS):
            for what, look in looks.items():
                took[what].append(await _round(look, together))
        bare = statistics.median(took["GET"])
        for what in ("plain", "tagged"):
            ratio = statistics.median(each / get for each, get in zip(took[what], took["GET"], strict=True))
            bar = "<= 1.2x" if together == 1 else ""  # at once they measure the processor: a hit decodes, a bare GET does not
            figures.append(
                Figure(
                    f"hit_{what}_{together}",
                    round(median(took[what]) * 1e6, 1),
                    "us",
                    round(ratio, 3),
                    f"a bare GET ({bare * 1e6:.1f} us)",
                    bar,
                )
            )
    await cache.stop()
    return figures


async def _round(look: Callable[[], Awaitable[object]], together: int) -> float:
    """Seconds per lookup."""
    began = time.perf_counter()

    async def caller() -> None:
        for _ in range(LOOKS // together):
            await look()

    await asyncio.gather(*(caller() for _ in range(together)))
    return (time.perf_counter() - began) / (LOOKS // together * together)


async def _waiters(here: Redis, there: Redis) -> list[Figure]:
    """Half of them in another process, as far as the cache can tell."""
    caches = [RedisCache(redis, "bench", Live(CacheSettings()), SystemClock()) for redis in (here, there)]
    computed = 0

    async def compute() -> Value:
        nonlocal computed
        computed += 1
        await asyncio.sleep(0.2)
        return VALUE

    began = time.perf_counter()
    kept = [cache.of("document_content", Value) for cache in caches]
    await asyncio.gather(*(kept[n % 2].get_or_compute("t", "cold", compute) for n in range(WAITERS)))
    took_ms = (time.perf_counter() - began) * 1000
    for cache in caches:
        await cache.stop()
    return [
        Figure("computations_for_1000_waiters", computed, "computations", bar="1"),
        Figure("thousand_waiters_on_200_ms", round(took_ms, 1), "ms"),
    ]


async def _zipf() -> list[Figure]:
    """Searches, questions, pages of documents and lists, each drawn by zipf."""
    provider = launch_stub_provider()
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with (
            provider as stub,
            stack(Path(home), settings_for(stub.url) | {"CLAW_CACHE_ANSWERS": "provider"}) as up,
            aiohttp.ClientSession(base_url=up.url, connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            client = await Client.with_token(session, (Path(home) / "key").read_text().strip())
            await load(client)
            took = await _replay_load(client)
            await asyncio.sleep(2.5)  # counts of every process are added up each second
            return await _rates(Path(home), took)


async def _replay_load(client: Client) -> dict[str, list[float]]:
    """Seconds of every request by kind."""
    weights = list(accumulate(1 / rank**EXPONENT for rank in range(1, ITEMS + 1)))
    chance, numbers = random.Random(7), iter(range(REQUESTS))
    took: dict[str, list[float]] = {"search": [], "ask": [], "content": [], "list": []}

    async def caller() -> None:
        for _ in numbers:
            item = chance.choices(range(ITEMS), cum_weights=weights)[0]
            (kind,) = chance.choices(list(took), weights=(4, 3, 2, 1))
            began = time.perf_counter()
            await _request(client, kind, item)
            took[kind].append(time.perf_counter() - began)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return took


async def _request(client: Client, kind: str, item: int) -> None:
    session, headers, base = client.session, client.headers, client.knowledge_base
    question = f"Which harbour does the lighthouse of station {item % PASSAGES} guard, by sheet {item}?"
    if kind == "ask":
        async with client.ask(await client.create_conversation(), question) as answer:
            body = await answer.read()
            if b"event: completed" not in body:
                raise SystemExit(f"an answer did not complete: {body[-300:]!r}")
        return
    path = f"/api/v1/knowledge/{base}/documents/station-{item % PASSAGES}/chunks" if kind == "content" else "/api/v1/conversations"
    calling = (
        session.post(f"/api/v1/knowledge/{base}/search", json={"query": question}, headers=headers)
        if kind == "search"
        else session.get(path, headers=headers)
    )
    async with calling as answer:
        answer.raise_for_status()
        await answer.read()


async def _rates(home: Path, took: dict[str, list[float]]) -> list[Figure]:
    """The counts of all processes, read where they are summed up, because the stack has no administrator yet."""
    redis = connect(locate(home).redis)
    counts = await RedisCache(redis, RedisSettings().key_prefix, Live(CacheSettings()), SystemClock()).statistics.counts_of(LOCAL_TENANT)
    await redis.aclose()
    figures = []
    kept = [counts[name] for name in ("retrieval", "ai_response", "document_content")]
    hits, looks = sum(each.hit + each.shared for each in kept), sum(each.hit + each.shared + each.miss for each in kept)
    figures.append(Figure("zipf_hit_rate", round(hits / looks, 3), "of looks into entries", bar=">= 0.8"))
    figures += [Figure(f"zipf_hit_rate_{name}", round(each.hit_rate or 0.0, 3), "of looks") for name, each in counts.items()]
    figures += [Figure(f"zipf_{kind}_p50", round(percentile(seconds, 0.5) * 1000, 1), "ms") for kind, seconds in took.items()]
    return figures
