"""Lost tables are rebuilt by whoever is first, and count as whole only if nothing was lost again meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from adapters.kafka import connection_options
from adapters.redis.client import connect
from adapters.redis.lease import release_lease, take_lease
from domain.areas import TOPICS
from domain.configs.table_epoch import LoggedEpoch, watch_tables
from domain.read_models import ReadModels
from domain.table_rebuild import SetbackCheck, TableRebuilder, find_setback, rebuild_all
from domain.usage.counters import usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas.errors import Unavailable
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.tables.epoch import StoredEpoch, TableWatch
from streams.tables.rebuild import RebuildResult
from tests.support.recorded_house import House, lived, opened_house

pytestmark = pytest.mark.stack
SOON_S = 30.0


@pytest.fixture
async def house(settings: Settings, topics) -> AsyncIterator[House]:
    """A recorded installation."""
    await topics(*TOPICS)
    async with opened_house(settings) as made:
        await lived(made)
        yield made


@pytest.fixture
async def watch(house: House) -> AsyncIterator[TableWatch]:
    """Of a process that began the epoch."""
    guarded = connect(house.settings.redis)
    watch = watch_tables(house.settings, guarded, house.publisher, SystemClock())
    await watch.start()
    assert watch.state == "whole"
    yield watch
    await watch.stop()
    await guarded.aclose()


async def commit(house: House, consumed: int) -> None:
    """What the worker group has committed of one partition of the usage topic."""
    name = f"{house.settings.kafka.topic_prefix}claw.tables"
    consumer = AIOKafkaConsumer(**connection_options(house.settings.kafka), group_id=name, enable_auto_commit=False)
    await consumer.start()
    place = TopicPartition(house.settings.kafka.topic_prefix + USAGE_RECORDED.name, 0)
    consumer.assign([place])
    await consumer.commit({place: consumed})
    await consumer.stop()


def recorded(house: House) -> LoggedEpoch:
    return LoggedEpoch(house.settings, house.publisher, SystemClock())


async def test_a_loss_ends_by_itself(house: House, watch: TableWatch):
    """Within a look; nobody asked for it. What another process rebuilds is waited for."""
    stored = StoredEpoch(house.redis, house.prefix)
    first = await stored.read()
    rebuilder = TableRebuilder(house.settings, watch, recorded(house))
    await rebuilder.start()
    try:
        async with asyncio.timeout(SOON_S):
            await house.forget()
            await take_lease(house.redis, stored.lease, "another", 60)
            await watch.wait_for("lost")
            await asyncio.sleep(0.5)
            assert await stored.read() == ""
            await release_lease(house.redis, stored.lease, "another")
            await watch.wait_for("whole")
    finally:
        await rebuilder.stop()
    account = await ReadModels(house.redis, house.prefix).accounts.get("a", "a")
    assert account is not None
    assert account.email == "ann@example.com"
    assert await stored.read() == await recorded(house).read() != first
    assert not await house.redis.execute_command("EXISTS", stored.lease)


async def test_what_is_lost_again_meanwhile_does_not_count(house: House, watch: TableWatch):
    """The second loss takes the lease with it."""
    stored, losses = StoredEpoch(house.redis, house.prefix), [True]
    await house.forget()
    await watch.wait_for("lost")

    class Again(LoggedEpoch):
        async def write(self, epoch: str) -> None:
            await super().write(epoch)
            if losses:
                losses.pop()
                await house.forget()

    def ignore(_table: str, _result: RebuildResult, _seconds: float) -> None: ...

    log = Again(house.settings, house.publisher, SystemClock())
    with pytest.raises(Unavailable) as lost:
        await rebuild_all(house.settings, house.redis, log, ignore)
    assert lost.value.code == "tables_lost"
    assert await watch.check() == "lost"
    await rebuild_all(house.settings, house.redis, log, ignore)
    assert await watch.check() == "whole"
    assert await stored.read() == await recorded(house).read()


async def test_a_redis_that_went_back_while_nothing_ran(house: House, watch: TableWatch):
    """Its counters end before what was counted; those that are ahead of the commit, as after a death, are in order."""
    counter = usage_counter(house.redis, house.prefix, house.settings.kafka.partitions)
    await counter.apply(0, 41, "an-event", (), after=await counter.mark(0))
    assert await counter.mark(0) == 41
    for consumed in (0, 41, 42):
        await commit(house, consumed)
        assert await find_setback(house.settings, house.redis) == ""
        await SetbackCheck(house.settings, watch).start()
        assert watch.state == "whole"
    await commit(house, 43)
    assert await find_setback(house.settings, house.redis) == "usage of partition 0 ends at 41, and 42 was counted"
    await SetbackCheck(house.settings, watch).start()
    assert watch.state == "lost"
