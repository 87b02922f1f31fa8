"""The client: an outage is noticed once, costs nobody else the timeout, and ends by itself."""

import asyncio
import signal
import time

import pytest
from redis.exceptions import ResponseError

from adapters.redis import Breaker, Client, Script, connect, translated
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import Redis, Secret
from tests.tables.conftest import OwnRedis

ECHO = Script("return {KEYS[1], ARGV[1]}")


def test_the_breaker_lets_one_call_through_per_pause() -> None:
    """Down from the first failure; one probe a second; up with the first success."""
    now = [100.0]
    breaker = Breaker(pause_s=1.0, clock_s=lambda: now[0])
    breaker.admit()
    breaker.failed(OSError("gone"))
    assert not breaker.up
    with pytest.raises(Unavailable) as caught:
        breaker.admit()
    assert (caught.value.code, caught.value.retry_after_s) == ("redis_unavailable", 1.0)
    now[0] += 1.0
    breaker.admit()
    with pytest.raises(Unavailable):
        breaker.admit()
    breaker.succeeded()
    assert breaker.up
    breaker.admit()


async def test_bugs_are_not_outages() -> None:
    """A wrong command says what is wrong and leaves the breaker up; states that pass are outages, also from inside a script."""
    breaker = Breaker()
    with pytest.raises(ResponseError):
        async with translated(breaker):
            raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")
    assert breaker.up
    for text in (
        "OOM command not allowed when used memory > 'maxmemory'.",
        "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica.",
        "MISCONF Redis is configured to save RDB snapshots",
        "CLUSTERDOWN The cluster is down",
    ):
        breaker = Breaker()
        with pytest.raises(Unavailable):
            async with translated(breaker):
                raise ResponseError(text)
        assert not breaker.up


@pytest.mark.stack
async def test_scripts_survive_a_flush(redis: Client) -> None:
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
    assert not redis.up
    with pytest.raises(Unavailable):
        await redis.pipeline().get("k").execute()
    await own_redis.start()
    async with asyncio.timeout(10):
        while not redis.up:
            try:
                assert await ECHO(redis, ["k"], ["v"]) == [b"k", b"v"]
            except Unavailable:
                await asyncio.sleep(0.05)
    await redis.aclose()


@pytest.mark.stack
async def test_a_server_that_hangs_costs_one_timeout(own_redis: OwnRedis) -> None:
    """Stopped, not dead: who waits waits for the deadline, everybody after that not at all."""
    redis = connect(own_redis.settings)
    await redis.set("k", "v")
    own_redis.signal(signal.SIGSTOP)
    began = time.monotonic()
    outcomes = await asyncio.gather(*(redis.get("k") for _ in range(100)), return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    first_s = time.monotonic() - began
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await redis.get("k")
    assert time.monotonic() - began < first_s / 5
    own_redis.signal(signal.SIGCONT)
    async with asyncio.timeout(10):
        while not redis.up:
            try:
                assert await redis.get("k") == b"v"
            except Unavailable:
                await asyncio.sleep(0.05)
    await redis.aclose()


@pytest.mark.stack
async def test_a_full_server_is_an_outage(own_redis: OwnRedis) -> None:
    """Out of memory: writes are refused for a while, in commands and in scripts."""
    redis = connect(own_redis.settings)
    await redis.config_set("maxmemory", 1)
    with pytest.raises(Unavailable):
        await redis.set("k", "v")
    redis.breaker.succeeded()
    with pytest.raises(Unavailable):
        await Script("return redis.call('SET', KEYS[1], 'v')")(redis, ["k"])
    await redis.aclose()


@pytest.mark.stack
async def test_a_wrong_password_is_told_as_an_outage(own_redis: OwnRedis) -> None:
    """The log has the reason; the right one works, by user and without."""
    redis = connect(own_redis.settings)
    await redis.execute_command("ACL", "SETUSER", "claw", "on", ">geheim", "~*", "&*", "+@all")
    wrong = connect(Redis(url=own_redis.node.url, username="claw", password=Secret("falsch")))
    with pytest.raises(Unavailable):
        await wrong.get("k")
    right = connect(Redis(url=own_redis.node.url, username="claw", password=Secret("geheim")))
    assert await right.set("k", "v")
    for client in (redis, wrong, right):
        await client.aclose()


def test_an_unusable_url_is_named() -> None:
    """At the start."""
    with pytest.raises(ConfigurationError, match="CLAW_REDIS_URL"):
        connect(Redis(url="http://127.0.0.1"))
    with pytest.raises(ConfigurationError, match="rediss://"):
        connect(Redis(url="redis://127.0.0.1", ssl_ca_file="ca.pem"))


async def test_tls_is_set_up_from_the_settings() -> None:
    """rediss:// with an authority of our own verifies against it; nobody is there, which is an outage."""
    client = connect(Redis(url="rediss://127.0.0.1:1/0", ssl_ca_file="/nonexistent.pem"))
    with pytest.raises(Unavailable):
        await client.get("k")
    await client.aclose()
