"""Configuration: who changed what to which revision, and an update of an older revision is refused."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from adapters.redis.client import RedisClient
from domain.configs.configs import Configs, ConfigWriter
from domain.configs.records import CONFIG_HISTORY
from domain.configs.topics import CONFIGS_CHANGED, CONFIGS_RECORDED
from domain.read_models import ReadModels
from schemas.errors import Refused, Unavailable
from schemas.settings import KafkaSettings
from streams.clock import SystemClock
from streams.log.outgoing import LogOffset, LogPublisher, Outgoing
from streams.log.publisher import KafkaPublisher
from streams.tables.record_writer import RecordWriter

pytestmark = pytest.mark.stack


async def test_a_change_names_its_author_and_needs_the_newest_revision(
    redis: RedisClient, prefix: str, kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]
) -> None:
    """Revisions grow by one; a refused change writes nothing; None is a value that was removed."""
    await topics(CONFIGS_CHANGED, CONFIGS_RECORDED)
    publisher, configs, clock = (
        KafkaPublisher(kafka_settings, topics=(CONFIGS_CHANGED, CONFIGS_RECORDED)),
        Configs(kafka_settings),
        SystemClock(),
    )
    await publisher.start()
    await configs.start()
    try:
        tables = ReadModels(redis, prefix)
        records = RecordWriter(redis, prefix, publisher, tables, clock)
        writer = ConfigWriter(configs, records, publisher, clock, secrets.token_bytes, "test")
        first = await writer.change("k", {"limit": 1}, by="ada", reason="a busy day", expected=0)
        assert (first.revision, first.changed_by, first.reason) == (1, "ada", "a busy day")
        with pytest.raises(Refused, match="revision 1, not 0"):
            await writer.change("k", {"limit": 2}, by="bob", expected=0)
        assert configs.get("k") == first
        gone = await writer.change("k", None, by="bob", expected=1)
        assert (gone.revision, gone.value, configs.get("k")) == (2, None, gone)
        assert configs.get("other") is None
        same = await writer.change("k", None, by="eve", unchanged=lambda present: present is None)
        assert same == gone  # no change, no revision
        assert (await tables.of(CONFIG_HISTORY).list("k", limit=9)).items == [gone, first]
    finally:
        await configs.stop()
        await publisher.stop()


class BrokenPublisher:
    """Publishes history, and dies before the change."""

    def __init__(self, publisher: KafkaPublisher) -> None:
        self.publisher, self.is_broken = publisher, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.publisher, name)

    async def publish(self, outgoing: Outgoing) -> LogOffset:
        if self.is_broken and outgoing.topic is CONFIGS_CHANGED:
            raise Unavailable("kafka_unavailable")
        return await self.publisher.publish(outgoing)


async def test_a_revision_that_was_recorded_only_is_replaced_by_the_next_change(
    redis: RedisClient, prefix: str, kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]
) -> None:
    """As after the death of a writer between the two: the repeat has the same number, and the history has it once."""
    await topics(CONFIGS_CHANGED, CONFIGS_RECORDED)
    publisher = KafkaPublisher(kafka_settings, topics=(CONFIGS_CHANGED, CONFIGS_RECORDED))
    configs, clock, tables = Configs(kafka_settings), SystemClock(), ReadModels(redis, prefix)
    await publisher.start()
    await configs.start()
    try:
        broken = BrokenPublisher(publisher)
        records = RecordWriter(redis, prefix, publisher, tables, clock)
        writer = ConfigWriter(configs, records, cast("LogPublisher", broken), clock, secrets.token_bytes, "test")
        with pytest.raises(Unavailable):
            await writer.change("k", 1, by="ada")
        assert configs.get("k") is None
        broken.is_broken = False
        config = await writer.change("k", 2, by="ada")
        assert (config.revision, (await tables.of(CONFIG_HISTORY).list("k", limit=9)).items) == (1, [config])
    finally:
        await configs.stop()
        await publisher.stop()
