"""The one publisher to the log: ``acks=all``, idempotent, bounded in time and in pending records.

Every record has its own deadline, which aiokafka's producer does not give; once the log has stopped acknowledging, the producer is
replaced, and while there is none publishing fails at once.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.partitioner import murmur2

from adapters.kafka import TopicPartition, end_offset
from schemas.errors import Refused, Unavailable
from schemas.events import encode
from schemas.settings import KafkaSettings
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.producer import RECONNECT_S_MAX, ProducerLink
from streams.topics import DEAD_LETTERS, Topic

CONTENT_TYPE = ("content-type", b"application/cloudevents+json; charset=UTF-8")
RECORDS_PENDING_MAX = 20_000  # unacknowledged records per process; about a second at ten times the measured peak
BYTES_PENDING_MAX = 64 * 1_048_576  # and their bytes: the memory that an outage may take before callers are refused
RECORD_OVERHEAD_BYTES = 256  # batch header, lengths, timestamps and the content-type header, rounded up
KEYS_KEPT = 16_384  # partitions of recently used keys
FRESH_S = 3.0  # a log that acknowledged an event so lately can be expected to take the next one
STALLED_S_MAX = 10.0  # one partition silent this long while others move: its batches are stuck in the producer, which is replaced
LATE_S = 0.05  # the loop itself was late: acknowledgements in the socket get this long to be read before any caller fails
HARMLESS = (  # the record never reached the producer's batches: no other record is affected
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.UnknownTopicOrPartitionError,
)


@dataclass(slots=True)
class _PendingRecord:
    """A record that the log has not acknowledged; its caller awaits ``done``; ``since`` is in the loop's time."""

    done: asyncio.Future[LogOffset]
    size: int
    since: float


class KafkaPublisher:
    """Implements ``Publisher``. One per process and event loop. ``topics``: those it may publish to, whose partitions it learns; then
    their names on this broker.

    Every method that reaches the log raises Unavailable("kafka_unavailable") within ``kafka.publish_timeout_s``, at once while the log is
    known to be down; Unavailable("overloaded") when too much is unacknowledged; Refused for a record over its topic's limit.
    """

    def __init__(self, kafka: KafkaSettings, topics: Sequence[Topic]) -> None:
        self._kafka = kafka
        self.topics = tuple(self.physical_name(topic) for topic in topics)
        self._link = ProducerLink(kafka, self.topics, self._fail_pending)
        self._pending: dict[int, _PendingRecord] = {}  # in order of sending
        self._pending_bytes = 0
        self._serial = 0
        self._acknowledged_s = 0.0
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> bool:
        """False while the log is known to be out of reach."""
        return self._link.ready

    @property
    def unknown_topics(self) -> list[str]:
        """Topics, by their names on this broker, whose partitions it has not named yet; nothing with a key can be published to them."""
        return self._link.unknown_topics

    @property
    def problem(self) -> str:
        """Why some events cannot be published now, in a sentence; "" when all can be."""
        if not self.ready:
            return "Kafka is out of reach for publishing"
        if unknown := self.unknown_topics:
            return f"Kafka has not named the partitions of {len(unknown)} topics, first {unknown[0]}: run `claw topics apply`"
        return ""

    @property
    def is_fresh(self) -> bool:
        """See ``Publisher``."""
        return asyncio.get_running_loop().time() - self._acknowledged_s < FRESH_S

    def physical_name(self, topic: Topic) -> str:
        """The topic's name on this broker."""
        return self._kafka.topic_prefix + topic.name

    async def start(self) -> None:
        """Connect. With the broker down this returns after ``publish_timeout_s`` and keeps trying in the background."""
        await self._link.start(self._kafka.publish_timeout_s)

    async def stop(self) -> None:
        """Wait at most ``publish_timeout_s`` for acknowledgements, then close; the remaining records fail with Unavailable."""
        self._link.stop_connecting()
        if self._pending:
            await asyncio.wait([pending.done for pending in self._pending.values()], timeout=self._kafka.publish_timeout_s)
        await self._link.stop()

    async def publish(self, outgoing: Outgoing) -> LogOffset:
        """Publish one event; returns its log offset."""
        return await (await self.enqueue(outgoing))

    async def publish_all(self, outgoing: Sequence[Outgoing]) -> list[LogOffset]:
        """Publish events in this order (per partition); on failure any of them may have been written."""
        places = [await self.enqueue(each) for each in outgoing]
        return [await place for place in places]

    async def enqueue(self, outgoing: Outgoing) -> Awaitable[LogOffset]:
        """Send now; the returned awaitable is done when the log has the event, and may be left unawaited."""
        event = outgoing.event
        key = (outgoing.key or event.subject).encode()
        return await self._send(
            self.physical_name(outgoing.topic),
            key,
            encode(event),
            [CONTENT_TYPE],
            partition=outgoing.partition,
            bytes_max=outgoing.topic.message_bytes_max,
        )

    async def publish_tombstone(self, topic: Topic, key: str, partition: int) -> Awaitable[LogOffset]:
        """Send a tombstone for ``key``; the returned awaitable is done when the log has it."""
        return await self._send(self.physical_name(topic), key.encode(), None, [], partition=partition, bytes_max=topic.message_bytes_max)

    async def publish_raw(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, bytes],
        *,
        partition: int | None = None,
        message_bytes_max: int = DEAD_LETTERS.message_bytes_max,
    ) -> LogOffset:
        """Publish raw bytes on the topic of this physical name; without key and ``partition`` they go to partition 0."""
        if key is None and value is None:
            value = b""  # a record of nothing cannot be written
        return await (await self._send(topic, key, value, list(headers.items()), partition=partition, bytes_max=message_bytes_max))

    def partition_for(self, topic: Topic, key: str) -> int:
        """The partition of ``key`` (murmur2, as every Kafka client computes it); Unavailable before the broker has named them all."""
        count = self._link.partitions(self.physical_name(topic))
        if count is None:
            detail = f"the partitions of {self.physical_name(topic)} are not known yet; if that lasts, run `claw topics apply`"
            raise Unavailable("kafka_unavailable", detail, retry_after_s=RECONNECT_S_MAX)
        return _partition(key.encode(), count)

    async def end_offset(self, topic: Topic, partition: int) -> int:
        """The offset that the next record of this partition will get."""
        return await self._end_offset(TopicPartition(self.physical_name(topic), partition))

    async def readable_end(self, place: TopicPartition) -> int:
        """The offset up to which a consumer can read: before the oldest open transaction, or the end."""
        return await self._end_offset(place, readable=True)

    async def _end_offset(self, place: TopicPartition, *, readable: bool = False) -> int:
        producer = self._link.producer()
        try:
            async with asyncio.timeout(self._kafka.publish_timeout_s):
                return await end_offset(producer, place.topic, place.partition, readable=readable)
        except (TimeoutError, kafka_errors.KafkaError) as error:
            raise Unavailable("kafka_unavailable", f"no end offset of {place.topic}: {error!r}") from error

    async def _send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
        *,
        partition: int | None,
        bytes_max: int,
    ) -> asyncio.Future[LogOffset]:
        producer = self._link.producer()
        size = len(key or b"") + len(value or b"") + sum(len(name) + len(content) for name, content in headers) + RECORD_OVERHEAD_BYTES
        if size > bytes_max:
            raise Refused("document_too_large", f"the event takes {size} bytes on the log; the limit is {bytes_max}")
        if len(self._pending) >= RECORDS_PENDING_MAX or self._pending_bytes + size > BYTES_PENDING_MAX:
            raise Unavailable("overloaded", "too many events wait for the log")
        number, pending = self._register(size)
        try:
            async with asyncio.timeout_at(pending.since + self._kafka.publish_timeout_s):
                count = self._link.partitions(topic) or await self._link.learn_partitions(producer, topic)
                if partition is None:
                    partition = 0 if key is None else _partition(key, count)
                elif partition >= count:
                    raise kafka_errors.UnknownTopicOrPartitionError(f"{topic}[{partition}]")
                sent = await producer.send(topic, value, key, partition, headers=headers)
        except (TimeoutError, kafka_errors.KafkaError) as error:
            failure = self._fail_send(number, producer, error)
            raise failure from error
        except asyncio.CancelledError:
            self._drop_pending(number)
            raise
        sent.add_done_callback(lambda future: self._on_acknowledgement(number, producer, future))
        return pending.done

    def _register(self, size: int) -> tuple[int, _PendingRecord]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[LogOffset] = loop.create_future()
        done.add_done_callback(_retrieve)
        self._serial += 1
        pending = self._pending[self._serial] = _PendingRecord(done, size, loop.time())
        self._pending_bytes += size
        if self._deadline is None:
            self._deadline = loop.call_later(self._kafka.publish_timeout_s, self._expire)
        return self._serial, pending

    def _drop_pending(self, number: int) -> _PendingRecord | None:
        pending = self._pending.pop(number, None)
        if pending is not None:
            self._pending_bytes -= pending.size
        return pending

    def _on_acknowledgement(self, number: int, producer: AIOKafkaProducer, sent: asyncio.Future[Any]) -> None:
        pending = self._drop_pending(number)
        if pending is None:
            return  # its producer was replaced and its caller has failed
        error = sent.exception()
        if error is None:
            self._acknowledged_s = asyncio.get_running_loop().time()
            if not pending.done.done():
                metadata = sent.result()
                pending.done.set_result(LogOffset(metadata.topic, metadata.partition, metadata.offset))
            return
        if not pending.done.done():
            pending.done.set_exception(_translate_error(error))
        # the producer has counted this batch's sequence numbers: the broker would refuse everything after the gap
        self._link.replace(producer, repr(error))

    def _fail_send(self, number: int, producer: AIOKafkaProducer, error: Exception) -> Refused | Unavailable:
        """Drop a record that never came into a batch, and replace the producer as well when it cannot continue."""
        self._drop_pending(number)
        if isinstance(error, TimeoutError):
            self._replace_if_silent(producer)
        elif not isinstance(error, HARMLESS):
            self._link.replace(producer, repr(error))
        return _translate_error(error)

    def _expire(self) -> None:
        """Fail the callers past their deadline; their records stay counted while they lie in the producer."""
        loop = asyncio.get_running_loop()
        timeout_s, now = self._kafka.publish_timeout_s, loop.time()
        if self._deadline is not None and now - self._deadline.when() > LATE_S:
            self._deadline = loop.call_later(LATE_S, self._expire)
            return
        self._deadline = None
        next_s, silent = 0.0, False
        for pending in self._pending.values():
            if not pending.done.done():
                if pending.since + timeout_s > now:
                    next_s = pending.since + timeout_s
                    break
                silent = True
                pending.done.set_exception(_translate_error(TimeoutError(f"no acknowledgement in {timeout_s} s")))
        if silent:
            self._replace_if_silent(self._link.producer())
        if self._pending:
            self._deadline = loop.call_at(next_s or now + timeout_s, self._expire)

    def _replace_if_silent(self, producer: AIOKafkaProducer) -> None:
        now = asyncio.get_running_loop().time()
        oldest = next(iter(self._pending.values()), None)
        if now - self._acknowledged_s >= self._kafka.publish_timeout_s or (oldest is not None and now - oldest.since >= STALLED_S_MAX):
            self._link.replace(producer, "no acknowledgement in time")

    def _fail_pending(self, cause: str) -> None:
        """Fail all pending records: their producer is closed."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        pending, self._pending, self._pending_bytes = self._pending, {}, 0
        for each in pending.values():
            if not each.done.done():
                each.done.set_exception(Unavailable("kafka_unavailable", cause, retry_after_s=RECONNECT_S_MAX))


@lru_cache(maxsize=KEYS_KEPT)
def _partition(key: bytes, count: int) -> int:
    """The partition of a key. Cached: the hash is slow in Python, and events of one document or conversation come close together."""
    return int(murmur2(key) & 0x7FFFFFFF) % count


def _translate_error(error: BaseException) -> Refused | Unavailable:
    if isinstance(error, kafka_errors.MessageSizeTooLargeError):
        return Refused("document_too_large", "the event is larger than its topic takes")
    return Unavailable("kafka_unavailable", f"the log did not take the event: {error}", retry_after_s=RECONNECT_S_MAX)


def _retrieve(done: asyncio.Future[LogOffset]) -> None:
    """Retrieve the exception, so that a result without an awaiting caller is no unhandled error."""
    if not done.cancelled():
        done.exception()
