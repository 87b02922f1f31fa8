"""The number of partitions of topics, from the broker, and the partition of a key."""

import asyncio
from collections.abc import Collection
from functools import lru_cache

from aiokafka import errors as kafka_errors
from aiokafka.partitioner import murmur2

from adapters.kafka import TopicPartition, connection_options, open_admin
from adapters.kafka_metadata import RETRY_S_MAX, RETRY_S_MIN, count_partitions
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.connection import Backoff

REQUEST_MS = 10_000  # one administrative call
INCOMPLETE_S_MAX = 5.0  # a broker that has just started knows its topics by then
NO_ERROR = kafka_errors.NoError.errno
KEYS_KEPT = 16_384  # the records of a key come close together, and hashing is slow
NEVER_COUNTED = (kafka_errors.UnknownTopicOrPartitionError.errno, kafka_errors.TopicAuthorizationFailedError.errno)


async def fetch_partition_counts(kafka: KafkaSettings, names: Collection[str]) -> dict[str, int]:
    """Partitions by physical topic name, of those that exist. An answer that leaves some of a topic's partitions open is asked for again.

    Raises Unavailable when the broker cannot be reached, or still gives no complete answer after 5 s.
    """
    backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX)
    try:
        async with open_admin(connection_options(kafka), request_ms=REQUEST_MS) as admin, asyncio.timeout(INCOMPLETE_S_MAX):
            while True:
                described = [each for each in await admin.describe_topics(sorted(names)) if each["error_code"] not in NEVER_COUNTED]
                counts = {each["topic"]: count_partitions([one["partition"] for one in each["partitions"]]) for each in described}
                if all(counts.values()) and all(each["error_code"] == NO_ERROR for each in described):
                    return counts
                await backoff.wait()
    except (kafka_errors.KafkaError, OSError) as error:  # TimeoutError is an OSError
        raise Unavailable("kafka_unavailable", f"the topics of the broker cannot be described: {error!r}") from error


async def list_partitions(kafka: KafkaSettings, name: str) -> list[TopicPartition]:
    """All partitions of the topic of this physical name; raises Unavailable when there are none, as for ``fetch_partition_counts``."""
    count = (await fetch_partition_counts(kafka, {name})).get(name, 0)
    if not count:
        raise Unavailable("kafka_unavailable", f"there is no topic {name}: run `claw topics apply`")
    return [TopicPartition(name, number) for number in range(count)]


@lru_cache(maxsize=KEYS_KEPT)
def partition_of(key: str, partitions: int) -> int:
    """The partition of a key on a topic with so many partitions, as every Kafka client computes it."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions
