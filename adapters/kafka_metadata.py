"""What Kafka's clients know of topics: an incomplete answer is no answer, and is asked for again.

A broker that has just started, or has lost its controller, answers without a topic or without the leaders of its partitions. aiokafka takes
that for the truth until its next regular request, which is up to five minutes away.
"""

import asyncio
from collections.abc import Collection

from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata

RETRY_S_MIN, RETRY_S_MAX = 0.1, 2.0  # between two requests, doubling: a topic that does not exist costs one small request in two seconds


def count_partitions(numbers: Collection[int]) -> int:
    """How many partitions a topic has by these numbers of them; 0 while some are missing. They count from 0 without a gap."""
    return len(numbers) if numbers and max(numbers) == len(numbers) - 1 else 0


def is_complete(cluster: ClusterMetadata, topic: str) -> bool:
    """Whether every partition of the topic is known, and the leader of each. Nothing more is known of one that may not be described."""
    if topic in cluster.unauthorized_topics:
        return True
    partitions = cluster.partitions_for_topic(topic) or ()
    return count_partitions(partitions) == len(cluster.available_partitions_for_topic(topic) or ()) > 0


class MetadataRequests:
    """Repeats the metadata requests of a client, with pauses that double, until it knows everything about the topics that it uses."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client
        self._request = client._metadata_update  # noqa: SLF001 - aiokafka has no setting for this
        self._pause_s = RETRY_S_MIN
        self._next: asyncio.TimerHandle | None = None
        self._closed = False
        client._metadata_update = self._update  # noqa: SLF001

    def close(self) -> None:
        """Request nothing any more."""
        self._closed = True
        if self._next is not None:
            self._next.cancel()

    async def _update(self, cluster: ClusterMetadata, topics: Collection[str] | None) -> bool:
        answered = bool(await self._request(cluster, topics))
        if cluster is self._client.cluster and not self._closed:
            if answered and all(is_complete(cluster, topic) for topic in topics or ()):
                self._pause_s = RETRY_S_MIN
            else:
                self._request_later()
        return answered

    def _request_later(self) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = asyncio.get_running_loop().call_later(self._pause_s, self._client.force_metadata_update)
        self._pause_s = min(2 * self._pause_s, RETRY_S_MAX)
