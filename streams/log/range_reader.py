"""Reading a stretch of one partition again: what counters need when Redis lost its last writes, or a repeat skipped ahead."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from adapters.kafka import connection_options, make_consumer
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.topics import Topic

POLL_MS = 500
BATCH_MAX = 500  # records held in memory at once
SILENT_S_MAX = 10.0  # no progress for this long: the broker is as good as gone


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as it lies on the log."""

    offset: int
    value: bytes | None
    key: bytes = b""


class RangeSource(Protocol):
    """Whoever can read a partition again."""

    def records(self, partition: int, start: int, stop: int | None = None) -> AsyncGenerator[LogRecord, None]:
        """The records from offset ``start`` up to, not including, ``stop`` (None: the present end), in order; what retention or compaction
        removed is left out. Raises Unavailable("kafka_unavailable").
        """
        ...


class RangeReader:
    """Implements ``Gaps`` with a consumer that lives as long as one read."""

    def __init__(self, kafka: KafkaSettings, topic: Topic) -> None:
        self._kafka = kafka
        self._topic = kafka.topic_prefix + topic.name

    async def records(self, partition: int, start: int, stop: int | None = None) -> AsyncGenerator[LogRecord, None]:
        """See ``Gaps.records``."""
        place = TopicPartition(self._topic, partition)
        async with self._consumer(place) as consumer:
            begin = max(start, (await consumer.beginning_offsets([place]))[place])
            end = (await consumer.end_offsets([place]))[place]
            end = end if stop is None else min(stop, end)
            if begin >= end:
                return
            consumer.seek(place, begin)
            silent_s = 0.0
            while await consumer.position(place) < end:
                before = await consumer.position(place)
                found = (await consumer.getmany(place, timeout_ms=POLL_MS, max_records=BATCH_MAX)).get(place, ())
                for record in found:
                    if record.offset >= end:
                        return
                    yield LogRecord(record.offset, record.value, record.key or b"")
                silent_s = 0.0 if found or await consumer.position(place) > before else silent_s + POLL_MS / 1000
                if silent_s >= SILENT_S_MAX:
                    raise Unavailable("kafka_unavailable")

    @asynccontextmanager
    async def _consumer(self, place: TopicPartition) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = make_consumer(connection_options(self._kafka), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            async with asyncio.timeout(SILENT_S_MAX):
                await consumer.start()
            consumer.assign([place])
            yield consumer
        except (KafkaError, TimeoutError) as error:
            raise Unavailable("kafka_unavailable") from error
        finally:
            await consumer.stop()
