"""Four API processes and one limit: what they let through together is what the limit says, whatever they are asked at once."""

import asyncio
import os
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from api.limits.ports import LimitPorts
from domain.areas import TOPICS
from domain.limits.rules import default_rules
from ops.commands import topics as administration
from ops.stack.environment import environment_of
from ops.stack.ports import claim
from schemas.configs import RATE_LIMIT_RULES
from schemas.settings import AuthSettings, LimitSettings, NodeSettings, Settings
from schemas.settings.section import Secret
from tests.conftest import Servers
from tests.support.api_process import opened
from tests.support.claw_forks import ClawForks
from tests.support.own_redis import OwnRedis
from tests.system.conftest import api_process

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

PROCESSES, CALLERS, RUNS = 4, 1_000, 10
BURST = 100  # the user's; a token comes back every minute, so that a run sees none or one


@dataclass(frozen=True)
class Fleet:
    """Four replicas of one installation with their pages of metrics, and its Redis."""

    urls: list[str]
    metrics: list[str]
    redis: OwnRedis
    settings: Settings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(servers: Servers, forks: ClawForks, tmp_path_factory) -> AsyncIterator[Fleet]:
    home = tmp_path_factory.mktemp("fleet")
    redis = OwnRedis(home)
    await redis.start()
    kafka = msgspec.structs.replace(servers.kafka, partitions=1, reply_partitions=PROCESSES, topic_prefix=f"t{uuid.uuid4().hex[:10]}.")
    limits = LimitSettings(
        user_free_per_minute=1, burst_factor=BURST, global_per_minute=1_000_000, address_per_minute=1_000_000, replicas=PROCESSES
    )
    settings = Settings(
        node=NodeSettings(home=home, port=0),
        kafka=kafka,
        redis=redis.node.settings(),
        auth=AuthSettings(secret=Secret("test-" * 8)),
        limits=limits,
    )
    await administration.apply(kafka, TOPICS)
    async with AsyncExitStack() as stack:
        environ = environment_of(settings, os.environ)
        taken: set[int] = set()
        ports = [claim("CLAW_METRICS_PORT", 0, taken) for _ in range(PROCESSES)]
        # without workers nobody is ready
        replicas = [api_process(forks, environ | {"CLAW_METRICS_PORT": str(port)}, path="/livez") for port in ports]
        first = await stack.enter_async_context(replicas[0])  # it begins the epoch of the tables, which the others find
        urls = [first, *await asyncio.gather(*map(stack.enter_async_context, replicas[1:]))]
        yield Fleet(urls, [f"http://127.0.0.1:{port}/metrics" for port in ports], redis, settings)
    await redis.stop()
    await administration.delete(kafka, TOPICS)


async def someone(fleet: Fleet, session: aiohttp.ClientSession) -> dict[str, str]:
    """The credential of a new user; registering and logging in is not held by the user's rule."""
    body = {"email": f"{uuid.uuid4().hex}@example.org", "password": "a long test passphrase"}
    async with session.post(f"{fleet.urls[0]}/api/v1/auth/register", json=body) as answer:
        assert answer.status == 201, await answer.text()
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def stormed(fleet: Fleet, session: aiohttp.ClientSession, headers: dict[str, str], callers: int) -> Counter[int]:
    """So many calls at once, spread over all replicas; how they were answered."""
    gate = asyncio.Event()

    async def call(number: int) -> int:
        await gate.wait()
        async with session.get(f"{fleet.urls[number % PROCESSES]}/api/v1/rate-limits/me", headers=headers) as answer:
            if answer.status == 429:
                assert (await answer.json())["rule"] == "user_free"
            return answer.status

    calls = [asyncio.create_task(call(number)) for number in range(callers)]
    gate.set()
    return Counter(await asyncio.gather(*calls))


@pytest.mark.timeout(180)
async def test_exactly_the_limit_in_ten_runs(fleet):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as session:
        for _ in range(RUNS):
            headers = await someone(fleet, session)
            began = time.monotonic()
            statuses = await stormed(fleet, session, headers, CALLERS)
            refill = int((time.monotonic() - began) // 60)
            assert set(statuses) == {200, 429}
            assert BURST <= statuses[200] <= BURST + refill, statuses


@pytest.mark.timeout(120)
@pytest.mark.parametrize("when_down", ["local", "closed"])
async def test_redis_restarted_in_the_middle(fleet, when_down):
    """Each replica adds at most its share, and nothing where the rule is closed; afterwards they agree again."""
    await _rules(fleet, when_down)
    allowed = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:
        headers = await someone(fleet, session)
        began = time.monotonic()
        allowed += (await stormed(fleet, session, headers, BURST // 2))[200]
        await fleet.redis.stop()
        while_down = await stormed(fleet, session, headers, 4 * BURST)
        await fleet.redis.start()
        allowed += while_down[200]
        async with asyncio.timeout(30):  # until every replica has noticed
            while not await _all_shared(fleet, session):
                await asyncio.sleep(0.1)
        allowed += (await stormed(fleet, session, headers, 4 * BURST))[200]
        refill = int((time.monotonic() - began) // 60)
    share = PROCESSES * (BURST // PROCESSES) if when_down == "local" else 0
    assert while_down[200] <= share
    assert BURST <= allowed <= BURST + refill + share


async def _rules(fleet: Fleet, when_down: str) -> None:
    """Set what the user's rule does without Redis, as an admin would."""
    rules = [
        msgspec.structs.replace(rule, when_down=when_down) if rule.name == "user_free" else rule
        for rule in default_rules(fleet.settings.limits)
    ]
    settings = msgspec.structs.replace(fleet.settings, node=NodeSettings(home=fleet.settings.node.home, port=0))
    async with opened(settings) as house:
        await house.ports(LimitPorts).config_writer.change(RATE_LIMIT_RULES, {"rules": msgspec.to_builtins(rules)}, by="test")
    await asyncio.sleep(1.0)  # the promise: every replica has it within a second


async def _all_shared(fleet: Fleet, session: aiohttp.ClientSession) -> bool:
    for page in fleet.metrics:
        async with session.get(page) as answer:
            if "claw_limits_local 0.0" not in await answer.text():
                return False
    return True
