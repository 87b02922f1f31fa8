"""The one way onto the log: ``acks=all``, idempotent, bounded in time and in what waits.

aiokafka's idempotent producer retries a batch for ever and keeps counting sequence numbers past one that failed, so after an outage, or
after any failed batch, it is either stuck or refused by the broker. This publisher gives every record its own deadline, and replaces the
whole producer once the log has stopped acknowledging; while there is none, publishing fails at once.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.partitioner import murmur2

from adapters.kafka import abandon, connection, end_offset, start
from schemas.errors import Refused, Unavailable
from schemas.events import encode
from schemas.settings import Kafka
from streams.agent import Outgoing, Place
from streams.topics import DEAD_LETTERS, TOPICS, Topic

CONTENT_TYPE = ("content-type", b"application/cloudevents+json; charset=UTF-8")
RECORDS_PENDING_MAX = 20_000  # unacknowledged records per process; about a second at ten times the measured peak
BYTES_PENDING_MAX = 64 * 1_048_576  # and their bytes: what an outage may cost in memory before callers are refused
RECORD_OVERHEAD_BYTES = 256  # batch header, lengths, timestamps and the content-type header, rounded up
BATCH_BYTES_MAX = 262_144  # aiokafka's 16 KiB holds senders up behind each round trip; a batch must stay below a topic's record limit
REQUEST_TIMEOUT_MS = 10_000  # a produce request without an answer: the connection is dropped and the batch sent again
STALLED_S_MAX = 10.0  # one partition silent this long while others move: its batches are stuck in the producer, which is replaced
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.1, 1.0  # back-off between attempts to reach the broker: recovery is noticed within a second
CONNECT_TIMEOUT_S = 5.0  # one attempt to connect, authenticate and get a producer id
HARMLESS = (  # the record never reached the producer's batches: nobody else is hurt
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.UnknownTopicOrPartitionError,
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Pending:
    """A record that the log has not acknowledged; ``done`` is what its caller awaits, ``since`` in the loop's time."""

    done: asyncio.Future[Place]
    size: int
    since: float


class KafkaPublisher:
    """Implements ``streams.agent.Publisher``. One per process and event loop.

    Every method that reaches the log raises Unavailable("kafka_unavailable") within ``kafka.publish_timeout_s``, at once while the log is
    known to be down; Unavailable("overloaded") when too much is unacknowledged; Refused for a record over its topic's limit.
    """

    def __init__(self, kafka: Kafka, *, topics: Sequence[Topic] = TOPICS) -> None:
        self._kafka = kafka
        self._connection = connection(kafka)
        self._topics = topics
        self._producer: AIOKafkaProducer | None = None
        self._counts: dict[str, int] = {}  # partitions by physical topic; they never change
        self._pending: dict[int, _Pending] = {}  # in order of sending
        self._pending_bytes = 0
        self._serial = 0
        self._acknowledged_s = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def ready(self) -> bool:
        """False while the log is known to be out of reach."""
        return self._producer is not None

    def physical(self, topic: Topic) -> str:
        """The topic's name on this broker."""
        return self._kafka.topic_prefix + topic.name

    async def start(self) -> None:
        """Connect. With the broker down this returns after ``publish_timeout_s`` and goes on trying in the background."""
        self._stopped = False
        connecting = self._connect()
        await asyncio.wait([connecting], timeout=self._kafka.publish_timeout_s)

    async def stop(self) -> None:
        """Wait at most ``publish_timeout_s`` for what is unacknowledged, then close; what is left fails with Unavailable."""
        self._stopped = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._pending:
            await asyncio.wait([pending.done for pending in self._pending.values()], timeout=self._kafka.publish_timeout_s)
        self._drop("the publisher stopped")
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def publish(self, outgoing: Outgoing) -> Place:
        """Put one event on the log; returns its place."""
        return await (await self.enqueue(outgoing))

    async def publish_all(self, outgoing: Sequence[Outgoing]) -> list[Place]:
        """Put events on the log in this order (per partition); on failure any of them may have been written."""
        places = [await self.enqueue(each) for each in outgoing]
        return [await place for place in places]

    async def enqueue(self, outgoing: Outgoing) -> Awaitable[Place]:
        """Send now; the returned awaitable is done when the log has the event, and may be left unawaited."""
        event = outgoing.event
        key = (outgoing.key or event.subject).encode()
        return await self._send(
            self.physical(outgoing.topic),
            key,
            encode(event),
            [CONTENT_TYPE],
            partition=outgoing.partition,
            bytes_max=outgoing.topic.message_bytes_max,
        )

    async def publish_raw(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, bytes],
        *,
        partition: int | None = None,
        message_bytes_max: int = DEAD_LETTERS.message_bytes_max,
    ) -> Place:
        """Put bytes as they are on the topic of this physical name; without a key they go to partition 0 unless told otherwise."""
        if key is None and value is None:
            value = b""  # a record of nothing cannot be written
        return await (await self._send(topic, key, value, list(headers.items()), partition=partition, bytes_max=message_bytes_max))

    def partition_for(self, topic: Topic, key: str) -> int:
        """The partition of ``key`` (murmur2, as every Kafka client computes it); Unavailable before the broker was reached once."""
        count = self._counts.get(self.physical(topic))
        if count is None:
            raise Unavailable("kafka_unavailable", f"the partitions of {self.physical(topic)} are not known yet")
        return _partition(key.encode(), count)

    async def end_offset(self, topic: Topic, partition: int) -> int:
        """The offset that the next record of this partition will get."""
        producer = self._ready_producer()
        try:
            async with asyncio.timeout(self._kafka.publish_timeout_s):
                return await end_offset(producer, self.physical(topic), partition)
        except (TimeoutError, kafka_errors.KafkaError) as error:
            raise Unavailable("kafka_unavailable", f"no end offset of {topic.name}: {error!r}") from error

    # the way of one record

    async def _send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
        *,
        partition: int | None,
        bytes_max: int,
    ) -> asyncio.Future[Place]:
        producer = self._ready_producer()
        size = len(key or b"") + len(value or b"") + sum(len(name) + len(content) for name, content in headers) + RECORD_OVERHEAD_BYTES
        if size > bytes_max:
            raise Refused("document_too_large", f"the event takes {size} bytes on the log; the limit is {bytes_max}")
        if len(self._pending) >= RECORDS_PENDING_MAX or self._pending_bytes + size > BYTES_PENDING_MAX:
            raise Unavailable("overloaded", "too many events wait for the log")
        number, pending = self._register(size)
        try:
            count = await self._count(producer, topic)
            if partition is None:
                partition = 0 if key is None else _partition(key, count)
            elif partition >= count:
                raise kafka_errors.UnknownTopicOrPartitionError(f"{topic}[{partition}]")
            async with asyncio.timeout_at(pending.since + self._kafka.publish_timeout_s):
                sent = await producer.send(topic, value, key, partition, headers=headers)
        except (TimeoutError, kafka_errors.KafkaError) as error:
            failure = self._failed(number, producer, error)
            raise failure from error
        except asyncio.CancelledError:
            self._forget(number)
            raise
        sent.add_done_callback(lambda future: self._acknowledged(number, producer, future))
        return pending.done

    def _ready_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise Unavailable("kafka_unavailable", "the log is out of reach", retry_after_s=RECONNECT_S_MAX)
        return self._producer

    async def _count(self, producer: AIOKafkaProducer, topic: str) -> int:
        if topic not in self._counts:
            async with asyncio.timeout(self._kafka.publish_timeout_s):
                await self._learn_partitions(producer, [topic])
        if topic not in self._counts:
            raise kafka_errors.UnknownTopicOrPartitionError(topic)
        return self._counts[topic]

    def _register(self, size: int) -> tuple[int, _Pending]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Place] = loop.create_future()
        done.add_done_callback(_retrieve)
        self._serial += 1
        pending = self._pending[self._serial] = _Pending(done, size, loop.time())
        self._pending_bytes += size
        if self._deadline is None:
            self._deadline = loop.call_later(self._kafka.publish_timeout_s, self._expire)
        return self._serial, pending

    def _forget(self, number: int) -> _Pending | None:
        pending = self._pending.pop(number, None)
        if pending is not None:
            self._pending_bytes -= pending.size
        return pending

    def _acknowledged(self, number: int, producer: AIOKafkaProducer, sent: asyncio.Future[Any]) -> None:
        pending = self._forget(number)
        if pending is None:
            return  # its producer was replaced and its caller told
        error = sent.exception()
        if error is None:
            self._acknowledged_s = asyncio.get_running_loop().time()
            if not pending.done.done():
                metadata = sent.result()
                pending.done.set_result(Place(metadata.topic, metadata.partition, metadata.offset))
            return
        if not pending.done.done():
            pending.done.set_exception(_translated(error))
        # the producer has counted this batch's sequence numbers: the broker would refuse everything after the gap
        self._lose(producer, repr(error))

    def _failed(self, number: int, producer: AIOKafkaProducer, error: Exception) -> Refused | Unavailable:
        """A record that never came into a batch: forget it, and the producer as well when it cannot go on."""
        self._forget(number)
        if isinstance(error, TimeoutError):
            self._lose_if_silent(producer)
        elif not isinstance(error, HARMLESS):
            self._lose(producer, repr(error))
        return _translated(error)

    def _expire(self) -> None:
        """Tell the callers whose time is up; their records stay counted while they lie in the producer."""
        loop = asyncio.get_running_loop()
        timeout_s, now = self._kafka.publish_timeout_s, loop.time()
        self._deadline = None
        producer, next_s, silent = self._producer, 0.0, False
        for pending in self._pending.values():
            if not pending.done.done():
                if pending.since + timeout_s > now:
                    next_s = pending.since + timeout_s
                    break
                silent = True
                pending.done.set_exception(_translated(TimeoutError(f"no acknowledgement in {timeout_s} s")))
        if producer is not None and silent:
            self._lose_if_silent(producer)
        if self._pending:
            self._deadline = loop.call_at(next_s or now + timeout_s, self._expire)

    def _lose_if_silent(self, producer: AIOKafkaProducer) -> None:
        now = asyncio.get_running_loop().time()
        oldest = next(iter(self._pending.values()), None)
        if now - self._acknowledged_s >= self._kafka.publish_timeout_s or (oldest is not None and now - oldest.since >= STALLED_S_MAX):
            self._lose(producer, "no acknowledgement in time")

    # the producer's life

    def _lose(self, producer: AIOKafkaProducer, cause: str) -> None:
        """Give this producer up, unless that has happened already, and begin to build the next."""
        if producer is not self._producer:
            return
        log.warning("kafka_producer_replaced", cause=cause, records_pending=len(self._pending))
        self._drop(cause)
        if not self._stopped:
            self._connect()

    def _drop(self, cause: str) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            self._leave(producer)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        pending, self._pending, self._pending_bytes = self._pending, {}, 0
        for each in pending.values():
            if not each.done.done():
                each.done.set_exception(Unavailable("kafka_unavailable", cause, retry_after_s=RECONNECT_S_MAX))

    def _leave(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(abandon(producer, CONNECT_TIMEOUT_S), name="kafka-producer-leaving")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _connect(self) -> asyncio.Task[None]:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect_until_reached(), name="kafka-producer-connecting")
        return self._connecting

    async def _connect_until_reached(self) -> None:
        wait_s = RECONNECT_S_MIN
        while not await self._connect_once():
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RECONNECT_S_MAX)

    async def _connect_once(self) -> bool:
        producer = AIOKafkaProducer(
            **self._connection,
            client_id="claw-publisher",
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=DEAD_LETTERS.message_bytes_max,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        reached = False
        try:
            await start(producer, CONNECT_TIMEOUT_S)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._learn_partitions(producer, [self.physical(topic) for topic in self._topics])
            self._acknowledged_s = asyncio.get_running_loop().time()
            reached = True
        except (TimeoutError, OSError, kafka_errors.KafkaError) as error:
            log.warning("kafka_unreachable", error=repr(error))
        finally:  # also when cancelled half-way
            if reached:
                self._producer = producer
            else:
                self._leave(producer)
        return reached

    async def _learn_partitions(self, producer: AIOKafkaProducer, names: Sequence[str]) -> None:
        """One metadata request for every topic, so that no request waits for its first record's."""
        client = producer.client
        await client.set_topics({*names, *self._counts})
        for name in names:
            partitions = client.cluster.partitions_for_topic(name)
            if partitions:
                self._counts[name] = len(partitions)
        client.set_topics(list(self._counts))  # what does not exist is not asked for again and again


def _partition(key: bytes, count: int) -> int:
    return int(murmur2(key) & 0x7FFFFFFF) % count


def _translated(error: BaseException) -> Refused | Unavailable:
    if isinstance(error, kafka_errors.MessageSizeTooLargeError):
        return Refused("document_too_large", "the event is larger than its topic takes")
    return Unavailable("kafka_unavailable", f"the log did not take the event: {error}", retry_after_s=RECONNECT_S_MAX)


def _retrieve(done: asyncio.Future[Place]) -> None:
    """An awaitable that nobody awaited is no unhandled error."""
    if not done.cancelled():
        done.exception()
