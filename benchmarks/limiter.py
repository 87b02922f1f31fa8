"""Cost of a rate-limit decision: against an empty script with as many keys through the same client, and against common libraries.

Then what limits add to a request at 64 callers, and what an idle bucket weighs.
"""

import asyncio
import tempfile
import time
import uuid
from pathlib import Path

import aiohttp
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage as AsyncStorage
from limits.aio.strategies import MovingWindowRateLimiter as AsyncMovingWindow
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from adapters.redis.client import RedisClient, Script, connect
from benchmarks.figures import Figure, median, percentile
from benchmarks.rates import own_redis, rate
from claw_client import Client
from domain.limits.limiter import Limiter, bucket_key
from ops.stack.launch import stack
from schemas.limits import Rule
from schemas.settings import LimitSettings, RedisSettings

DECISIONS, ROUNDS = 12_000, 5
SLOWER_DECISIONS = 1_500  # of the libraries: they take one round trip a rule, or a thread
SUBJECTS = 50
REQUESTS, WARM_UP = 4_000, 500
PLENTY = 1_000_000_000
RULES = tuple(Rule(name=name, rate=PLENTY, burst=PLENTY, scope="user") for name in ("global", "address", "user_free", "messages"))
NOTHING = Script("return 1")
TOUCHING = Script("""
redis.call('MGET', unpack(KEYS))
for _, key in ipairs(KEYS) do redis.call('SET', key, '1800000000000000', 'PX', 60000) end
return {1, 1, 1, 1, 1}
""")  # reads and writes every bucket without a decision: the least an exact limiter can do


async def run() -> list[Figure]:
    """A Redis of its own for the decisions, a whole stack for the requests."""
    async with own_redis() as settings:
        redis = connect(settings)
        figures = [*await _decisions(redis, _url_of(settings)), await _weight(redis)]
        await redis.aclose()
    return [*figures, await _request_overhead()]


def _url_of(settings: RedisSettings) -> str:
    """With the credentials, as the other library takes them."""
    return settings.url.replace("//", f"//{settings.username}:{settings.password.reveal()}@")


async def _decisions(redis: RedisClient, url: str) -> list[Figure]:
    limiter = Limiter(redis, "claw", LimitSettings())
    theirs = AsyncMovingWindow(AsyncStorage(f"async+{url}", implementation="redispy"))
    plain = MovingWindowRateLimiter(RedisStorage(url))  # what slowapi calls
    items = [RateLimitItemPerMinute(PLENTY) for _ in RULES]

    async def ours(n: int) -> object:
        return await limiter.decide([(rule, f"tenant/{n % SUBJECTS}") for rule in RULES])

    async def empty(n: int) -> object:
        return await NOTHING(redis, [bucket_key("claw", rule, f"tenant/{n % SUBJECTS}") for rule in RULES], [1] * 17)

    async def touching(n: int) -> object:
        return await TOUCHING(redis, [bucket_key("touched", rule, f"tenant/{n % SUBJECTS}") for rule in RULES], [1] * 17)

    async def library(n: int) -> object:
        return [await theirs.hit(item, rule.name, str(n % SUBJECTS)) for item, rule in zip(items, RULES, strict=True)]

    async def slow(n: int) -> object:
        return await asyncio.to_thread(
            lambda: [plain.hit(item, rule.name, str(n % SUBJECTS)) for item, rule in zip(items, RULES, strict=True)]
        )

    rounds = [
        (
            await rate(ours, DECISIONS),
            await rate(empty, DECISIONS),
            await rate(library, SLOWER_DECISIONS),
            await rate(slow, SLOWER_DECISIONS),
            await rate(touching, DECISIONS),
        )
        for _ in range(ROUNDS)
    ]
    decided = round(median([one[0] for one in rounds]))

    def against(column: int) -> float:
        return round(median([one[0] / one[column] for one in rounds]), 2)

    return [
        Figure("decisions_per_second", decided, "decisions/s", against(1), "an empty script with as many keys", ">= 0.8x"),
        Figure("decisions_per_second_touching", decided, "decisions/s", against(4), "a script that reads and writes as many keys"),
        Figure("decisions_per_second_limits", decided, "decisions/s", against(2), "limits, moving window", ">= 3x"),
        Figure("decisions_per_second_slowapi", decided, "decisions/s", against(3), "limits, synchronous, as slowapi calls it", ">= 3x"),
    ]


async def _weight(redis: RedisClient) -> Figure:
    limiter, subject = Limiter(redis, "claw", LimitSettings()), f"{uuid.uuid4()}/{uuid.uuid4()}"
    rule = Rule(name="user_enterprise", rate=1, burst=100, scope="user")
    await limiter.decide([(rule, subject)])
    size = await redis.execute_command("MEMORY", "USAGE", bucket_key("claw", rule, subject))
    return Figure("bucket_memory", int(size), "bytes", bar="<= 200")


async def _request_overhead() -> Figure:
    """p99 of a request with limits less p99 of one without, on two stacks asked in turn."""
    unlimited = {"CLAW_LIMIT_ENABLED": "false"}
    limited = {
        name: str(PLENTY) for name in ("CLAW_LIMIT_GLOBAL_PER_MINUTE", "CLAW_LIMIT_ADDRESS_PER_MINUTE", "CLAW_LIMIT_USER_FREE_PER_MINUTE")
    }
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as first, tempfile.TemporaryDirectory(prefix="claw-bench-") as second:
        async with stack(Path(first), unlimited) as without, stack(Path(second), limited) as within:
            p99s = [(await _p99(without.url), await _p99(within.url)) for _ in range(3)]
    added_ms = median([limits - plain for plain, limits in p99s])
    return Figure("request_added_p99_64", round(added_ms, 2), "ms", bar="<= 2 ms")


async def _p99(url: str) -> float:
    async with aiohttp.ClientSession(base_url=url, connector=aiohttp.TCPConnector(limit=0)) as session:
        client = await Client.register(session, f"{uuid.uuid4().hex}@example.org", "a long benchmark passphrase")
        times: list[float] = []

        async def call(_: int) -> None:
            began = time.perf_counter()
            async with session.get("/api/v1/users/me", headers=client.headers) as answer:
                answer.raise_for_status()
                await answer.read()
            times.append((time.perf_counter() - began) * 1000)

        await rate(call, WARM_UP)
        times.clear()
        await rate(call, REQUESTS)
        return percentile(times, 0.99)
