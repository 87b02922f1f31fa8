"""Fetches of consumers, screened: a batch that cannot be read is set aside, and its partition goes on.

aiokafka raises for it out of every read of every partition of its consumer, for ever.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest

from adapters.kafka_batches import UnreadableBatch, screen_records
from adapters.kafka_sessions import FetchSession, Positions
from schemas.errors import Unavailable

BATCH_BYTES_MAX = 16 * 1_048_576  # a batch after decompression; producers fill one with about 1 MiB before they compress it

log = structlog.get_logger(__name__)

SetAside = Callable[[TopicPartition, UnreadableBatch], Awaitable[None]]


async def log_unreadable(place: TopicPartition, batch: UnreadableBatch) -> None:
    """Name it in the log: all that is done where a process has no policy of its own."""
    fields = {"first_offset": batch.first, "last_offset": batch.last, "reason": batch.reason, "detail": batch.detail}
    log.warning("batch_unreadable", topic=place.topic, partition=place.partition, **fields)


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """What consumers do with a batch that cannot be read: they wait for ``set_aside`` and go on behind it; when that raises Unavailable
    they fetch it again. ``batch_bytes_max`` bounds a batch after decompression, and what is decompressed of one fetch.
    """

    set_aside: SetAside = log_unreadable
    batch_bytes_max: int = BATCH_BYTES_MAX


FETCH_POLICY: ContextVar[FetchPolicy] = ContextVar("FETCH_POLICY")
"""Set by a process before its first consumer is made: every consumer made in its tasks follows it."""


def screen_fetches(client: AIOKafkaClient, policy: FetchPolicy) -> None:
    """Let the fetcher of this client's consumer see only what it can read."""
    send = client.send
    doubted: dict[TopicPartition, int] = {}
    sessions: dict[int, FetchSession] = {}

    async def send_screened(node_id: int, request: Any, **options: Any) -> Any:
        if not isinstance(request, FetchRequest):
            return await send(node_id, request, **options)
        positions: Positions = {
            TopicPartition(topic, partition): (offset, bytes_max)
            for topic, partitions in request.topics
            for partition, offset, bytes_max in partitions
        }
        session = sessions.setdefault(node_id, FetchSession())
        response = await session.send(lambda fetch: send(node_id, fetch, **options), request, positions)
        response.topics = await _screen_topics(response.topics, positions, policy, doubted)
        return response

    client.send = send_screened


async def _screen_topics(
    topics: Sequence[tuple[str, Sequence[Sequence[Any]]]],
    positions: Positions,
    policy: FetchPolicy,
    doubted: dict[TopicPartition, int],
) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """The partitions of each topic, as ``(partition, error, high watermark, last stable offset, ..., records)``, their records screened.
    ``doubted``: what the last fetch left to this one, and this one to the next (see ``screen_records``).
    """
    room, screened = policy.batch_bytes_max, []
    for topic, partitions in topics:
        kept = []
        for partition, error, highwater, *rest in partitions:
            *fields, data = rest
            if data and not error:
                place = TopicPartition(topic, partition)
                stable = fields[0] if fields and fields[0] >= 0 else highwater
                records = screen_records(
                    bytes(data),
                    position=positions[place][0],
                    end=stable,
                    bytes_max=policy.batch_bytes_max,
                    expanded_bytes_max=room,
                    doubted=doubted.pop(place, -1),
                )
                if records.doubted >= 0:
                    doubted[place] = records.doubted
                room -= records.expanded_bytes
                for batch in records.unreadable:
                    await _set_aside(policy, place, batch)
                data = records.data
            kept.append((partition, error, highwater, *fields, data))
        screened.append((topic, kept))
    return screened


async def _set_aside(policy: FetchPolicy, place: TopicPartition, batch: UnreadableBatch) -> None:
    try:
        await policy.set_aside(place, batch)
    except Unavailable as error:
        raise KafkaError(f"an unreadable batch cannot be set aside yet: {error.detail}") from error  # the fetcher repeats its request
