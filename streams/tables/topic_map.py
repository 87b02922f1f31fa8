"""A compacted topic as a map in memory: the newest value of every key, followed by each process and changed by compare-and-set.

Readers learn of a change within milliseconds of each other, not together. A writer holds the lease of the key in Redis, reads the partition
to its end, decides, publishes, and puts what it published into its own map.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import msgspec
import structlog

from adapters.kafka import StoredRecord
from schemas.errors import Unavailable
from schemas.events import Event
from schemas.settings import KafkaSettings
from streams.log.outgoing import LogPublisher, Outgoing
from streams.log.replica import TopicReplica
from streams.tables.record_writer import RecordWriter
from streams.topics import Topic

READ_S_MAX = 5.0  # a start waits this long for what is on the log
POLL_MS = 500  # of an idle topic; a new record arrives at once

V = TypeVar("V")

log = structlog.get_logger(__name__)


class TopicMap(Generic[V]):
    """The values of ``topic`` by key; ``parse`` makes the value of a record and raises msgspec.DecodeError or UnicodeDecodeError.

    A record that cannot be parsed changes nothing. Of one key the highest offset stays, whatever the order of arrival.
    """

    def __init__(self, kafka: KafkaSettings, topic: Topic, parse: Callable[[bytes], V], *, read_s_max: float = READ_S_MAX) -> None:
        self._topic, self._parse, self._read_s_max = topic, parse, read_s_max
        self._values: dict[str, tuple[int, V]] = {}  # with the offset
        self._watchers: list[tuple[str, Callable[[str, V | None], None]]] = []
        self._changed = asyncio.Event()  # set and replaced at every change
        self._change_count = 0
        self._replica = TopicReplica(kafka, topic, self._fold_record, fetch_bytes_min=1, wait_ms=POLL_MS)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def ready(self) -> bool:
        """Whether everything that was on the topic at the start has been read."""
        return self._replica.ready

    @property
    def change_count(self) -> int:
        """The number of records that changed a value."""
        return self._change_count

    async def start(self) -> None:
        """Read the topic for at most ``read_s_max``; with the log out of reach it keeps trying in the background."""
        await self._replica.start()
        if not await self._replica.wait_ready(self._read_s_max):
            log.warning("topic_map_not_read", topic=self._topic.name, waited_s=self._read_s_max)

    async def stop(self) -> None:
        """Stop following; the values stay."""
        await self._replica.stop()

    async def catch_up(self, partition: int, end: int) -> None:
        """Read a partition up to this offset; raises Unavailable("kafka_unavailable")."""
        await self._replica.catch_up(partition, end, self._read_s_max)

    async def wait_change(self, since: int, timeout_s: float) -> int:
        """``change_count`` as soon as it is above ``since``, or after so long."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._change_count <= since:
                    await self._changed.wait()
        except TimeoutError:
            pass
        return self._change_count

    def watch(self, prefix: str, watcher: Callable[[str, V | None], None]) -> None:
        """Call ``watcher(key, value)`` at every change of a key with this prefix, with None when the key is gone. It must not raise.

        Watchers that are there before ``start`` see every key.
        """
        self._watchers.append((prefix, watcher))

    def get(self, key: str) -> V | None:
        """The value of a key; None without one."""
        found = self._values.get(key)
        return None if found is None else found[1]

    def values(self) -> list[V]:
        """The value of every key, in no order."""
        return [value for _, value in self._values.values()]

    def find_by_prefix(self, prefix: str) -> Sequence[V]:
        """The values of every key that begins like this, in the order of the keys."""
        return [value for key, (_, value) in sorted(self._values.items(), key=lambda item: item[0]) if key.startswith(prefix)]

    def fold(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Apply one record; without a value the key is removed."""
        name = (key or b"").decode(errors="replace")
        known = self._values.get(name)
        if known is not None and known[0] >= offset:
            return
        if value is None:
            if known is not None:
                del self._values[name]
                self._notify(name, None)
            return
        try:
            parsed = self._parse(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("topic_map_record_undecodable", topic=self._topic.name, key=name, offset=offset, error=str(error))
            return
        self.write_through(offset, name, parsed)

    def write_through(self, offset: int, key: str, value: V) -> None:
        """Store a value that lies on the log at ``offset`` before it is read back."""
        known = self._values.get(key)
        if known is None or known[0] < offset:
            self._values[key] = (offset, value)
            self._notify(key, value)

    def _notify(self, key: str, value: V | None) -> None:
        self._change_count += 1
        self._changed.set()
        self._changed = asyncio.Event()
        for prefix, watcher in self._watchers:
            if key.startswith(prefix):
                watcher(key, value)

    def _fold_record(self, record: StoredRecord) -> None:
        self.fold(record.offset, record.key, record.value)


class TopicMapWriter(Generic[V]):
    """Compare-and-set on a topic map. ``lease`` begins the name of a key's lease; ``keys_max`` is what every process can hold in memory.

    ``record`` is called with a value before it is published, under the lease: what it raises prevents the change.
    """

    def __init__(
        self,
        values: TopicMap[V],
        topic: Topic,
        records: RecordWriter,
        publisher: LogPublisher,
        *,
        lease: str,
        keys_max: int,
        record: Callable[[V], Awaitable[None]] | None = None,
    ) -> None:
        self._values, self._topic, self._records, self._publisher = values, topic, records, publisher
        self._lease, self._keys_max, self._record = lease, keys_max, record

    async def change(self, key: str, step: Callable[[V | None], tuple[Event, V] | None]) -> V | None:
        """The value of ``key`` after ``step``, which gets the newest value and returns the event of a change and the value it carries, or
        None for no change. Raises what ``step`` raises, and Unavailable: the log or Redis is out of reach, or there are too many keys.
        """
        async with self._records.lease(f"{self._lease}/{key}"):
            partition = self._publisher.partition_for(self._topic, key)
            await self._values.catch_up(partition, await self._publisher.end_offset(self._topic, partition))
            before = self._values.get(key)
            change = step(before)
            if change is None:
                return before
            if before is None and len(self._values) >= self._keys_max:
                raise Unavailable("overloaded", f"{self._topic.name} has {self._keys_max} keys, as many as every process holds in memory")
            event, after = change
            if self._record is not None:
                await self._record(after)
            written = await self._publisher.publish(Outgoing(self._topic, event, key))
            self._values.write_through(written.offset, key, after)
            return after
