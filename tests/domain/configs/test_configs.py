"""Configuration: who changed what to which revision, and an update of an older revision is refused."""

import secrets
from collections.abc import Awaitable, Callable

import pytest

from adapters.redis.client import RedisClient
from domain.configs.configs import Configs, ConfigWriter
from domain.configs.records import CONFIG_HISTORY
from domain.configs.topics import CONFIGS_CHANGED, CONFIGS_RECORDED
from domain.read_models import ReadModels
from schemas.errors import Refused
from schemas.settings import KafkaSettings
from streams.clock import SystemClock
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
