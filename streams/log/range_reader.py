"""Reading a range of one partition again: what counters need when Redis lost its last writes, or a repeat skipped ahead."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from schemas.settings import KafkaSettings
from streams.log.reader import open_log_reader
from streams.topics import Topic

SILENCE_S_MAX = 10.0  # no progress for this long: the broker is as good as gone
FETCH_BYTES = 1_048_576  # asked of the partition at once


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as it lies on the log."""

    offset: int
    value: bytes | None
    key: bytes = b""


class RangeSource(Protocol):
    """Reads ranges of a topic's partitions."""

    def records(self, partition: int, start: int, stop: int | None = None) -> AsyncGenerator[LogRecord, None]:
        """The records from offset ``start`` up to, not including, ``stop`` (None: the present end), in order; what retention or compaction
        removed is left out. Raises Unavailable("kafka_unavailable").
        """
        ...


class RangeReader:
    """Implements ``RangeSource`` with a consumer that lives as long as one read."""

    def __init__(self, kafka: KafkaSettings, topic: Topic) -> None:
        self._kafka, self._topic = kafka, topic

    async def records(self, partition: int, start: int, stop: int | None = None) -> AsyncGenerator[LogRecord, None]:
        """See ``RangeSource``."""
        async with open_log_reader(self._kafka, fetch_bytes=FETCH_BYTES, silence_s_max=SILENCE_S_MAX) as reader:
            place = reader.topic_partition(self._topic, partition)
            begin, end = (await reader.bounds([place]))[place]
            async with aclosing(reader.batches(place, max(start, begin), end if stop is None else min(stop, end))) as batches:
                async for batch in batches:
                    for record in batch:
                        yield LogRecord(record.offset, record.value, record.key or b"")
