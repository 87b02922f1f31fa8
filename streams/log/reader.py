"""One-shot reads of the log, outside of any consumer group: a record at its offset, a range of a partition, the offsets of a group.

A reader is opened for one task (redriving, the reconciler, rebuilding tables) and closed again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import TypeVar

from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from adapters.kafka import Consumer, StoredRecord, TopicPartition, connection_options, make_consumer, open_admin, start_client
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.partitions import fetch_partition_counts, list_partitions
from streams.topics import DEAD_LETTERS, Topic

REQUEST_MS = 5_000  # one administrative call
COORDINATOR_TRIES, COORDINATOR_PAUSE_S = 20, 0.25
POLL_MS = 500
BATCH_MAX = 500  # records of one batch
WAIT_MS = 10  # of the broker, for more: what is read is there, and a wait for one partition would hold up the next one
CLOCK_SKEW_S = 2.0  # clocks of API replicas, workers and broker differ by less
SILENCE_S_MAX = 5.0  # the broker does not connect, or the log holds more and none of it comes
GROUP_PREFIX = "claw."  # of the name of a worker group's consumer group, after the prefix of the installation

T = TypeVar("T")


class LogReader:
    """Made by ``open_log_reader``, which translates the KafkaError of its methods into Unavailable("kafka_unavailable")."""

    def __init__(self, kafka: KafkaSettings, consumer: Consumer, silence_s_max: float) -> None:
        self._kafka, self._consumer, self._silence_s_max = kafka, consumer, silence_s_max

    async def all_bounds(self, topics: Iterable[Topic]) -> dict[str, dict[TopicPartition, tuple[int, int]]]:
        """``bounds`` of every partition, by the names of the topics without prefix, in three requests for whoever reads them all.

        Raises Unavailable, also when a topic does not exist.
        """
        names = {self._kafka.topic_prefix + topic.name: topic.name for topic in topics}
        counts = await fetch_partition_counts(self._kafka, names)
        if missing := sorted(names.keys() - counts.keys()):
            raise Unavailable("kafka_unavailable", f"there is no topic {missing[0]}: run `claw topics apply`")
        bounds = await self.bounds([TopicPartition(name, number) for name in names for number in range(counts[name])])
        return {names[name]: {place: bounds[place] for place in bounds if place.topic == name} for name in names}

    async def partitions(self, topic: Topic) -> list[TopicPartition]:
        """All of a topic; raises Unavailable when there are none: who takes a missing topic for an empty one forgets what it held."""
        return await list_partitions(self._kafka, self._kafka.topic_prefix + topic.name)

    def topic_partition(self, topic: Topic | str, partition: int) -> TopicPartition:
        """A partition by the topic's name without prefix."""
        return TopicPartition(self._kafka.topic_prefix + (topic if isinstance(topic, str) else topic.name), partition)

    async def bounds(self, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """The first offset there is, and where reading ends: at the oldest open transaction, or at the offset the next record will get."""
        begins, ends = await self._consumer.beginning_offsets(list(places)), await self._consumer.end_offsets(list(places))
        return {place: (begins[place], ends[place]) for place in places}

    async def offsets_for_time(self, places: Collection[TopicPartition], timestamp_ms: int) -> dict[TopicPartition, int | None]:
        """The first offset written at that time or later; None when there is none."""
        found = await self._consumer.offsets_for_times(dict.fromkeys(places, timestamp_ms))
        return {place: found[place].offset if found.get(place) else None for place in places}

    async def offset_since(self, place: TopicPartition, timestamp_ms: int) -> int | None:
        """An offset no later than what a process wrote at that time of its own clock; None when nothing was written since."""
        return (await self.offsets_for_time([place], timestamp_ms - int(CLOCK_SKEW_S * 1000)))[place]

    async def read_record(self, place: TopicPartition, offset: int) -> StoredRecord | None:
        """The record at this offset; None when retention removed it, or it is not there yet."""
        begin, end = (await self.bounds([place]))[place]
        if not begin <= offset < end:
            return None
        found = await self.read_first(place, offset, offset + 1)
        return found if found is not None and found.offset == offset else None

    async def read_first(self, place: TopicPartition, begin: int, end: int) -> StoredRecord | None:
        """The first record from ``begin`` on that lies before ``end``; compaction may have left none."""
        found = await self.read_range(place, begin, end, at_most=1)
        return found[0] if found else None

    async def batches(
        self, place: TopicPartition, begin: int, end: int, *, records_max: int = BATCH_MAX
    ) -> AsyncGenerator[list[StoredRecord], None]:
        """Records from ``begin`` up to, not including, ``end`` (which must have been written), as they come, at most so many at once."""
        if begin >= end:
            return  # aiokafka cannot stop a consumer whose assignment changed twice without a pause
        self._consumer.assign([place])
        self._consumer.seek(place, begin)
        silent_s = 0.0
        while (at := await self._consumer.position(place)) < end:
            batch = (await self._consumer.getmany(place, timeout_ms=POLL_MS, max_records=records_max)).get(place, [])
            if found := [record for record in batch if record.offset < end]:
                yield found
            if batch and batch[-1].offset >= end - 1:
                return
            silent_s = 0.0 if batch or await self._consumer.position(place) > at else silent_s + POLL_MS / 1000
            if silent_s >= self._silence_s_max:
                raise Unavailable("kafka_unavailable", f"{place.topic}[{place.partition}] does not give offset {at}")

    async def read_range(self, place: TopicPartition, begin: int, end: int, *, at_most: int = 0) -> list[StoredRecord]:
        """Records from ``begin`` up to, not including, ``end`` (which must have been written), at most so many; 0: all."""
        found: list[StoredRecord] = []
        async with aclosing(self.batches(place, begin, end, records_max=at_most or max(1, end - begin))) as batches:
            async for batch in batches:
                found += batch
                if at_most and len(found) >= at_most:
                    break
        return found[: at_most or None]


@asynccontextmanager
async def open_log_reader(
    kafka: KafkaSettings, *, fetch_bytes: int = DEAD_LETTERS.message_bytes_max, silence_s_max: float = SILENCE_S_MAX
) -> AsyncIterator[LogReader]:
    """A reader; ``fetch_bytes`` are asked of a partition at once (a larger record comes all the same). ``silence_s_max``: for so long the
    broker may take to connect, or give nothing although there is more.

    Raises Unavailable("kafka_unavailable"), also for what goes wrong inside the block.
    """
    consumer = make_consumer(
        connection_options(kafka),
        group_id=None,
        enable_auto_commit=False,
        max_partition_fetch_bytes=fetch_bytes,
        fetch_max_wait_ms=WAIT_MS,
    )
    try:
        await start_client(consumer, silence_s_max)
        yield LogReader(kafka, consumer, silence_s_max)
    except (KafkaError, TimeoutError, OSError) as error:
        raise Unavailable("kafka_unavailable", f"the log cannot be read: {error!r}") from error
    finally:
        await consumer.stop()


async def read_group_offsets(kafka: KafkaSettings, lanes: Iterable[str]) -> Mapping[TopicPartition, int]:
    """The offsets that the groups of these lanes have committed; what they have never read is missing. Raises Unavailable."""
    offsets: dict[TopicPartition, int] = {}
    try:
        async with open_admin(connection_options(kafka), request_ms=REQUEST_MS) as admin:
            for lane in lanes:
                group = f"{kafka.topic_prefix}{GROUP_PREFIX}{lane}"
                found = await retry_for_coordinator(partial(admin.list_consumer_group_offsets, group))
                offsets.update({place: at.offset for place, at in found.items() if at.offset >= 0})
    except (KafkaError, TimeoutError, OSError) as error:
        raise Unavailable("kafka_unavailable", f"the offsets of consumer groups cannot be read: {error!r}") from error
    return offsets


async def retry_for_coordinator(ask: Callable[[], Awaitable[T]]) -> T:
    """The result of ``ask``, a request about a consumer group, once the group has a coordinator: the client looks for one only once, and a
    broker that has just started has none yet. Raises KafkaError.
    """
    for _ in range(COORDINATOR_TRIES - 1):
        try:
            return await ask()
        except GroupCoordinatorNotAvailableError:
            await asyncio.sleep(COORDINATOR_PAUSE_S)
    return await ask()
