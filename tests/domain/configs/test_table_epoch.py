"""The epoch of the tables lies on the log, apart for each prefix of keys in Redis."""

import msgspec
import pytest

from domain.configs.table_epoch import LoggedEpoch
from domain.configs.topics import CONFIGS_CHANGED
from schemas.errors import Unavailable
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher

pytestmark = pytest.mark.stack


async def test_the_newest_counts(settings: Settings, topics):
    """Also for another process; a log without the topic says nothing, and not that there is none."""
    publisher = KafkaPublisher(settings.kafka, (CONFIGS_CHANGED,))
    await publisher.start()
    try:
        epoch = LoggedEpoch(settings, publisher, SystemClock())
        with pytest.raises(Unavailable):
            await epoch.read()
    finally:
        await publisher.stop()
    await topics(CONFIGS_CHANGED)
    publisher = KafkaPublisher(settings.kafka, (CONFIGS_CHANGED,))
    await publisher.start()
    other_prefix = msgspec.structs.replace(settings, redis=msgspec.structs.replace(settings.redis, key_prefix="other"))
    try:
        epoch = LoggedEpoch(settings, publisher, SystemClock())
        assert await epoch.read() == ""
        await epoch.write("first")
        await epoch.write("second")
        assert await LoggedEpoch(settings, publisher, SystemClock()).read() == "second"
        assert await LoggedEpoch(other_prefix, publisher, SystemClock()).read() == ""
    finally:
        await publisher.stop()
