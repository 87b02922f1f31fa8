"""The epoch tells what never was from what is lost: a Redis that was emptied, replaced or set back is not believed."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from adapters.redis.client import RedisClient, connect
from schemas.errors import Unavailable
from streams.tables.epoch import StoredEpoch, TableWatch
from streams.tables.record_table import RecordTable, order_of
from tests.support.own_redis import OwnRedis

pytestmark = pytest.mark.stack


class Log:
    """The log's part, in memory."""

    def __init__(self) -> None:
        self.epoch, self.reads, self.is_away = "", 0, False

    async def read(self) -> str:
        self.reads += 1
        if self.is_away:
            raise Unavailable("kafka_unavailable")
        return self.epoch

    async def write(self, epoch: str) -> None:
        self.epoch = epoch


Process = Callable[[], Awaitable[tuple[RedisClient, TableWatch]]]


@pytest.fixture
def recorded() -> Log:
    return Log()


@pytest.fixture
async def process(own_redis: OwnRedis, recorded: Log) -> AsyncIterator[Process]:
    """``await process()`` is the client and the watch of another process; the test does its looks."""
    opened: list[tuple[RedisClient, TableWatch]] = []

    async def start() -> tuple[RedisClient, TableWatch]:
        redis = connect(own_redis.settings)
        watch = TableWatch(redis, connect(own_redis.settings), "t", recorded, lambda: f"epoch-{len(opened)}")
        opened.append((redis, watch))
        return redis, watch

    yield start
    for redis, watch in opened:
        await watch.stop()
        await redis.aclose()


def things(redis: RedisClient) -> RecordTable[int]:
    return RecordTable(redis, "t", "things", int)


async def flush(redis: OwnRedis) -> None:
    client = connect(redis.settings)
    await client.execute_command("FLUSHALL")
    await client.aclose()


async def rebuilt(redis: OwnRedis, recorded: Log, epoch: str) -> None:
    client = connect(redis.settings)
    stored = StoredEpoch(client, "t")
    await client.execute_command("SET", stored.lease, "builder")
    await recorded.write(epoch)
    assert not await stored.renew(epoch, "another")
    assert await stored.renew(epoch, "builder")
    await client.aclose()


async def test_a_new_installation_starts_without_ado(process: Process, recorded: Log):
    """The first process begins the epoch, also in a Redis with the tables of an earlier release; the next ones find it."""
    redis, watch = await process()
    await things(redis).put("s", "a", 1, order=order_of(1))
    assert (watch.state, await watch.check()) == ("unknown", "whole")
    other, second = await process()
    assert await second.check() == "whole"
    assert recorded.epoch == "epoch-1"
    assert (await things(other).get("s", "a"), await things(other).get("s", "b")) == (1, None)
    reads = recorded.reads
    for _ in range(3):
        assert await watch.check() == "whole"
    assert recorded.reads == reads, "a look at Redis alone, as long as nothing changes"


async def test_a_process_that_could_not_look_at_its_start_looks_before_it_refuses(process: Process, recorded: Log):
    """What is absent in a new installation was never there, also for whoever asks first."""
    redis, watch = await process()
    recorded.is_away = True
    await watch.start()
    states = [watch.state]
    recorded.is_away, redis.breaker.held = False, ""
    assert await things(redis).get("s", "a") is None
    assert [*states, watch.state] == ["unknown", "whole"]


async def test_after_a_loss_nothing_counts_as_absent(own_redis: OwnRedis, process: Process, recorded: Log):
    """At once where something was absent, everywhere within a look; until the tables are rebuilt under another epoch."""
    redis, watch = await process()
    _, idle = await process()
    await watch.check()
    await idle.check()
    table = things(redis)
    await table.put("s", "a", 1, order=order_of(1))
    await flush(own_redis)
    for read in (table.get("s", "a"), table.get_many("s", ("a", "b")), table.list("s", limit=5)):
        with pytest.raises(Unavailable) as lost:
            await read
        assert (lost.value.code, watch.state, redis.is_up) == ("tables_lost", "lost", False)
    with pytest.raises(Unavailable):
        await table.put("s", "b", 1, order=order_of(2))
    assert (idle.state, await idle.check(), await watch.check()) == ("whole", "lost", "lost")
    _, late = await process()
    assert await late.check() == "lost", "a process that starts then asks the log"
    reads = recorded.reads
    assert await late.check() == "lost"
    assert recorded.reads == reads
    await rebuilt(own_redis, recorded, "second")
    assert [await each.check() for each in (watch, idle, late)] == ["whole"] * 3
    assert (await table.get("s", "a"), redis.is_up, redis.breaker.failed_within(60)) == (None, True, True)


async def test_another_redis_is_not_believed(own_redis: OwnRedis, process: Process, recorded: Log):
    """A failover to one that has the tables of another time, or of another installation."""
    redis, watch = await process()
    await watch.check()
    await redis.execute_command("SET", watch.stored.key, "foreign")
    with pytest.raises(Unavailable) as lost:
        await things(redis).get("s", "a")
    assert lost.value.code == "tables_lost"
    recorded.is_away = True
    with pytest.raises(Unavailable):
        await watch.check()
    assert not redis.is_up
    recorded.is_away = False
    assert await watch.check() == "lost"
    await rebuilt(own_redis, recorded, "second")
    assert await watch.check() == "whole"


async def test_a_redis_that_went_back_in_time(own_redis: OwnRedis, process: Process):
    """It has the epoch and rows that count no more: whoever notices tells the others."""
    redis, watch = await process()
    _, other = await process()
    await watch.check()
    await other.check()
    await watch.check()
    await things(redis).put("s", "a", 1, order=order_of(1))
    before = own_redis.node.folder.with_name("before")
    shutil.copytree(own_redis.node.folder, before)
    await things(redis).put("s", "a", 2, order=order_of(2))
    for _ in range(2):
        await watch.check()
    await own_redis.kill()
    shutil.copy(before / "appendonly.aof", own_redis.node.folder)
    await own_redis.start()
    while True:  # the first call may find the old connection
        try:
            assert await watch.check() == "lost"
        except Unavailable:
            continue
        break
    with pytest.raises(Unavailable) as lost:
        await things(redis).get("s", "a")
    assert lost.value.code == "tables_lost"
    while True:
        try:
            assert await other.check() == "lost"
        except Unavailable:
            continue
        break


async def test_without_the_log_an_empty_redis_is_not_believed(own_redis: OwnRedis, process: Process, recorded: Log):
    """One with an epoch is, until the log can be asked; and what a process knew, it knows."""
    recorded.is_away = True
    redis, watch = await process()
    with pytest.raises(Unavailable):
        await watch.check()
    with pytest.raises(Unavailable) as lost:
        await things(redis).get("s", "a")
    assert (lost.value.code, watch.state) == ("kafka_unavailable", "unknown"), "what is missing is the log's word"
    recorded.is_away = False
    assert await watch.check() == "whole"
    recorded.is_away = True
    other, late = await process()
    with pytest.raises(Unavailable):
        await late.check()
    assert await things(other).get("s", "a") is None
    assert await watch.check() == "whole"
    await flush(own_redis)
    assert await watch.check() == "lost"
