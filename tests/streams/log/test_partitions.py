"""The partitions of topics, asked of a real broker, and of keys."""

import asyncio
import gc
import warnings

import pytest

from domain.documents.topics import DOCUMENTS_SUBMITTED
from schemas.settings import KafkaSettings
from streams.log.partitions import fetch_partition_counts


@pytest.mark.stack
async def test_whoever_is_cancelled_leaves_no_connection_open(kafka_settings: KafkaSettings, topics) -> None:
    """At any moment of the connection: a client that is cut off while it starts forgets the connection that it has just made."""
    await topics(DOCUMENTS_SUBMITTED)
    name = kafka_settings.topic_prefix + DOCUMENTS_SUBMITTED.name
    assert await fetch_partition_counts(kafka_settings, {name}) == {name: kafka_settings.partitions}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        gc.freeze()  # what other tests left need not be searched again and again
        for turns in range(30):
            fetching = asyncio.ensure_future(fetch_partition_counts(kafka_settings, {name}))
            for _ in range(turns):
                await asyncio.sleep(0.0003)
            fetching.cancel()
            await asyncio.wait([fetching])
            gc.collect()
        gc.unfreeze()
    assert [str(each.message) for each in caught if issubclass(each.category, ResourceWarning)] == []
