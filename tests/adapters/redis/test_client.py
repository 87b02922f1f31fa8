"""The client: an outage is noticed once, costs nobody else the timeout, and ends by itself."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from redis.crc import key_slot
from redis.exceptions import ResponseError

from adapters.redis.client import RedisBreaker, RedisClient, Script, connect, translate_errors
from domain.limits.limiter import Limiter
from domain.limits.rules import default_rules
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import LimitSettings, RedisSettings
from schemas.settings.section import Secret
from streams.tables.counters import Change, Counter, tumbling
from streams.tables.record_table import RecordTable, order_of
from tests.support.own_redis import OwnRedis

ECHO = Script("return {KEYS[1], ARGV[1]}")


def test_the_breaker_lets_one_call_through_per_pause() -> None:
    """The first failure is looked at again at once; after that one probe a second; up with the first success."""
    now = [100.0]
    breaker = RedisBreaker(pause_s=1.0, clock_s=lambda: now[0])
    calls = [breaker.admit(), breaker.admit(), breaker.admit()]
    for probe in calls:  # many were on their way when it died
        breaker.record_failure(OSError("gone"), probe=probe)
    seen = [breaker.is_up]
    for pause_s in (0.0, 1.0, 1.0):
        now[0] += pause_s
        probe = breaker.admit()
        assert probe
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                breaker.admit()
            assert (caught.value.code, caught.value.retry_after_s) == ("redis_unavailable", 1.0)
            breaker.record_failure(OSError("still gone"), probe=probe)
    breaker.record_success()
    assert [*seen, breaker.is_up] == [False, True]
    assert not breaker.admit()


async def test_bugs_are_not_outages() -> None:
    """A wrong command says what is wrong and leaves the breaker up; states that pass are outages, also from inside a script."""
    breaker = RedisBreaker()
    with pytest.raises(ResponseError):
        async with translate_errors(breaker):
            raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")
    assert breaker.is_up
    for text in (
        "OOM command not allowed when used memory > 'maxmemory'.",
        "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica.",
        "MISCONF Redis is configured to save RDB snapshots",
        "CLUSTERDOWN The cluster is down",
    ):
        breaker = RedisBreaker()
        with pytest.raises(Unavailable):
            async with translate_errors(breaker):
                raise ResponseError(text)
        assert not breaker.is_up


@pytest.mark.stack
async def test_scripts_survive_a_flush(redis: RedisClient) -> None:
    """A server that does not know a script is told its source."""
    script = Script(f"return {{KEYS[1], ARGV[1]}} -- {time.time_ns()}")
    for _ in range(2):
        assert await script(redis, ["k"], ["v"]) == [b"k", b"v"]


@pytest.mark.stack
async def test_a_killed_server_comes_back(own_redis: OwnRedis) -> None:
    """Refused within the deadline, at once afterwards, and served again without a restart of ours; new servers know no scripts."""
    redis = connect(own_redis.settings)
    assert await ECHO(redis, ["k"], ["v"]) == [b"k", b"v"]
    await own_redis.kill()
    began = time.monotonic()
    for _ in range(200):
        with pytest.raises(Unavailable):
            await redis.get("k")
    assert time.monotonic() - began < 2
    batch = redis.pipeline()
    batch.execute_command("GET", "k")
    with pytest.raises(Unavailable):
        await batch.execute()
    await own_redis.start()
    async with asyncio.timeout(10):
        while not redis.is_up:
            try:
                assert await ECHO(redis, ["k"], ["v"]) == [b"k", b"v"]
            except Unavailable:
                await asyncio.sleep(0.05)
    await redis.aclose()


@pytest.mark.stack
async def test_a_server_that_hangs_costs_few_callers_the_timeout(own_redis: OwnRedis) -> None:
    """Stopped, not dead: who waits waits for the deadline, so does the probe, everybody after that not at all."""
    redis = connect(own_redis.settings)
    await redis.set("k", "v")
    own_redis.freeze()
    outcomes = await asyncio.gather(*(redis.get("k") for _ in range(100)), return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    waits_s = []
    for _ in range(50):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await redis.get("k")
        waits_s.append(time.monotonic() - began)
    assert sum(wait_s > own_redis.settings.timeout_s / 2 for wait_s in waits_s) <= 1
    own_redis.thaw()
    async with asyncio.timeout(10):
        while not redis.is_up:
            try:
                assert await redis.get("k") == b"v"
            except Unavailable:
                await asyncio.sleep(0.05)
    await redis.aclose()


@pytest.mark.stack
async def test_a_process_that_hangs_does_not_blame_the_server(redis_settings: RedisSettings) -> None:
    """The loop stood still for longer than the deadline; what was answered meanwhile is read before anybody is called dead."""
    redis = connect(msgspec.structs.replace(redis_settings, timeout_s=0.2))
    await redis.set("k", "v", px=10_000)
    for _ in range(3):
        asked = asyncio.ensure_future(redis.get("k"))
        for _ in range(3):  # until it is on its way
            await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - this is what it is about
        assert await asked == b"v"
        assert redis.is_up
    await redis.aclose()


@pytest.mark.stack
async def test_a_full_server_is_an_outage(own_redis: OwnRedis) -> None:
    """Out of memory: writes are refused for a while, in commands and in scripts."""
    redis = connect(own_redis.settings)
    await redis.config_set("maxmemory", 1)
    with pytest.raises(Unavailable):
        await redis.set("k", "v")
    redis.breaker.record_success()
    with pytest.raises(Unavailable):
        await Script("return redis.call('SET', KEYS[1], 'v')")(redis, ["k"])
    await redis.aclose()


@pytest.mark.stack
async def test_a_wrong_password_is_told_as_an_outage(own_redis: OwnRedis) -> None:
    """The log has the reason; the right one works, by user and without."""
    redis = connect(own_redis.settings)
    await redis.execute_command("ACL", "SETUSER", "other", "on", ">geheim", "~*", "&*", "+@all")
    wrong = connect(RedisSettings(url=own_redis.node.url, username="other", password=Secret("falsch")))
    with pytest.raises(Unavailable):
        await wrong.get("k")
    right = connect(RedisSettings(url=own_redis.node.url, username="other", password=Secret("geheim")))
    assert await right.set("k", "v")
    for client in (redis, wrong, right):
        await client.aclose()


def test_an_unusable_url_is_named() -> None:
    """At the start."""
    with pytest.raises(ConfigurationError, match="CLAW_REDIS_URL"):
        connect(RedisSettings(url="http://127.0.0.1"))
    with pytest.raises(ConfigurationError, match="rediss://"):
        connect(RedisSettings(url="redis://127.0.0.1", ssl_ca_file="ca.pem"))
    with pytest.raises(ConfigurationError, match="CLAW_REDIS_SSL_CA_FILE"):
        connect(RedisSettings(url="rediss://127.0.0.1", ssl_ca_file="/nonexistent.pem"))


@pytest.mark.stack
async def test_keys_of_one_command_share_a_slot(redis: RedisClient, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on one server today runs on a cluster tomorrow: scripts and commands over several keys stay inside one hash tag."""
    seen: list[tuple[str, list[str]]] = []
    execute = RedisClient.execute_command

    async def recorded(self: RedisClient, *args: Any, **options: Any) -> Any:
        name = str(args[0])
        keys = args[3 : 3 + args[2]] if name.startswith("EVAL") else args[1:] if name in {"MGET", "UNLINK"} else args[1:2]
        seen.append((name, [str(key) for key in keys]))
        return await execute(self, *args, **options)

    monkeypatch.setattr(RedisClient, "execute_command", recorded)
    table = RecordTable(redis, prefix, "notes", dict[str, int])
    for id_ in ("a", "b }{ c"):
        await table.put("t/{x}", id_, {"n": 1}, order=order_of(1))
    await table.list("t/{x}", limit=5)
    await table.get_many("t/{x}", ["a", "b }{ c"])
    await table.close("t/{x}")
    counter = Counter(redis, prefix, "c", partitions=2, window=tumbling(60), retention_s=60)
    now = datetime.now(UTC)
    await counter.apply(1, 0, "e", [Change("a", {"n": 1}, now), Change("b{}", {"n": 1}, now)])
    rules = default_rules(LimitSettings())
    await Limiter(redis, prefix, LimitSettings()).decide([(rule, f"subject {{{n}}}") for n, rule in enumerate(rules)])
    several = [(name, keys) for name, keys in seen if len(keys) > 1]
    assert len(several) >= 6
    for name, keys in several:
        assert len({key_slot(key.encode()) for key in keys}) == 1, (name, keys)
