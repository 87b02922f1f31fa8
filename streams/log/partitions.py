"""The number of partitions of topics, from the broker, and the partition of a key."""

from collections.abc import Collection

from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from adapters.kafka import connection_options, open_admin
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings

REQUEST_MS = 10_000  # one administrative call


async def fetch_partition_counts(kafka: KafkaSettings, names: Collection[str]) -> dict[str, int]:
    """Partitions by physical topic name, of those that exist; raises Unavailable when the broker cannot be reached."""
    try:
        async with open_admin(connection_options(kafka), request_ms=REQUEST_MS) as admin:
            described = await admin.describe_topics(sorted(names))
    except (KafkaError, OSError) as error:
        raise Unavailable("kafka_unavailable", f"the topics of the broker cannot be described: {error!r}") from error
    return {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"] and topic["partitions"]}


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key on a topic with so many partitions, as every Kafka client computes it."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions
