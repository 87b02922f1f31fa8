"""The life of the process's Kafka producer: connected in the background, replaced when it cannot continue.

aiokafka's idempotent producer retries a batch for ever and keeps counting sequence numbers past one that failed, so after an outage, or
after any failed batch, it is either stuck or refused by the broker: the cure for both is another producer.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors

from adapters.kafka import close_without_flush, connection_options, make_producer, start_client
from adapters.kafka_metadata import count_partitions
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.connection import Backoff
from streams.log.outage import OutageLog
from streams.topics import DEAD_LETTERS

BATCH_BYTES_MAX = 262_144  # aiokafka's 16 KiB holds senders up behind each round trip; a batch must stay below a topic's record limit
REQUEST_TIMEOUT_MS = 10_000  # a produce request without an answer: the connection is dropped and the batch sent again
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.1, 1.0  # back-off between attempts to reach the broker: recovery is noticed within a second
CONNECT_TIMEOUT_S = 5.0  # one attempt to connect, authenticate and get a producer id
LEARN_TRIES = 2  # for a topic that nobody asked for: a request that is under way may have begun without it

log = structlog.get_logger(__name__)


class ProducerLink:
    """At most one live producer. ``dropped(cause)`` is called when it is closed: records without an acknowledgement will get none.

    The partitions of ``topics`` are asked for until all are known: without them no key has a place, and an answer that lacks a topic, or
    half of its partitions, is that of a broker that does not know it yet.
    """

    def __init__(self, kafka: KafkaSettings, topics: Sequence[str], dropped: Callable[[str], None]) -> None:
        self._connection = connection_options(kafka)
        self._topics = topics
        self._dropped = dropped
        self._producer: AIOKafkaProducer | None = None
        self._others: set[str] = set()  # topics of records that were sent besides
        self._counts: dict[str, int] = {}  # partitions by physical topic; they never change
        self._connecting: asyncio.Task[None] | None = None
        self._learning: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._outage = OutageLog("kafka_unreachable")

    @property
    def ready(self) -> bool:
        """False while there is no connection to the log."""
        return self._producer is not None

    @property
    def unknown_topics(self) -> list[str]:
        """Those of ``topics`` whose partitions are not known."""
        return [topic for topic in self._topics if topic not in self._counts]

    def producer(self) -> AIOKafkaProducer:
        """The live producer; raises Unavailable when there is none."""
        if self._producer is None:
            raise Unavailable("kafka_unavailable", "the log is out of reach", retry_after_s=RECONNECT_S_MAX)
        return self._producer

    def partitions(self, topic: str) -> int | None:
        """The number of partitions of a topic; None when it is not known yet."""
        return self._counts.get(topic)

    async def learn_partitions(self, producer: AIOKafkaProducer, topic: str) -> int:
        """The number of partitions, from the broker when it is not known; raises aiokafka's UnknownTopicOrPartitionError."""
        self._others.add(topic)
        for _ in range(LEARN_TRIES):
            if topic not in self._counts:
                await asyncio.shield(self._ask(producer))
        if topic not in self._counts:
            self._others.discard(topic)
            raise kafka_errors.UnknownTopicOrPartitionError(topic)
        return self._counts[topic]

    async def start(self, patience_s: float) -> None:
        """Connect and learn the partitions; after ``patience_s`` without success keep trying in the background."""
        self._stopped = False
        await asyncio.wait([self._connect()], timeout=patience_s)
        if self._learning is not None:
            await asyncio.wait([self._learning], timeout=patience_s)

    def stop_connecting(self) -> None:
        """Stop reconnecting: the present producer is the last."""
        self._stopped = True
        for task in (self._connecting, self._learning):
            if task is not None:
                task.cancel()

    async def stop(self) -> None:
        """Close without flushing."""
        self.stop_connecting()
        if under_way := [task for task in (self._connecting, self._learning) if task is not None]:
            await asyncio.wait(under_way)
        if self._producer is not None:
            self._drop("the publisher stopped")
        if self._leaving:
            await asyncio.wait(self._leaving)

    def replace(self, producer: AIOKafkaProducer, cause: str) -> None:
        """Close ``producer``, unless that has happened already, and begin to connect the next."""
        if producer is not self._producer:
            return
        log.warning("kafka_producer_replaced", cause=cause)
        self._drop(cause)
        if not self._stopped:
            self._connect()

    def _drop(self, cause: str) -> None:
        producer, self._producer = self._producer, None
        self._leave(producer)
        self._dropped(cause)

    def _leave(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(close_without_flush(producer, CONNECT_TIMEOUT_S), name="kafka-producer-leaving")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _connect(self) -> asyncio.Task[None]:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect_until_reached(), name="kafka-producer-connecting")
        return self._connecting

    async def _connect_until_reached(self) -> None:
        backoff = Backoff(RECONNECT_S_MIN, RECONNECT_S_MAX)
        while not await self._connect_once():
            await backoff.wait()

    async def _connect_once(self) -> bool:
        producer = make_producer(
            self._connection,
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
            await start_client(producer, CONNECT_TIMEOUT_S)
            reached = True
            self._outage.end()
        except (TimeoutError, OSError, kafka_errors.KafkaError) as error:
            self._outage.report(repr(error))
        finally:  # also when cancelled half-way
            if reached:
                self._producer = producer
                self._learning = asyncio.create_task(self._learn_all(producer), name="kafka-producer-learning")
            else:
                self._leave(producer)
        return reached

    async def _learn_all(self, producer: AIOKafkaProducer) -> None:
        """Until the partitions of every topic are known, or there is another producer, which does the same."""
        backoff, began_s, missed = Backoff(RECONNECT_S_MIN, RECONNECT_S_MAX), time.monotonic(), False
        while producer is self._producer:
            await asyncio.shield(self._ask(producer))
            if not (unknown := self.unknown_topics):
                break
            if not missed:
                log.warning("kafka_topics_unknown", topics=unknown, remedy="run `claw topics apply`, unless Kafka has just started")
                missed = True
            await backoff.wait()
        if missed and not self.unknown_topics:
            log.info("kafka_topics_known", after_s=round(time.monotonic() - began_s, 1))

    def _ask(self, producer: AIOKafkaProducer) -> asyncio.Task[None]:
        """One metadata request for all topics; whoever asks while it is under way waits for the same one."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._request_partitions(producer), name="kafka-producer-asking")
        return self._asking

    async def _request_partitions(self, producer: AIOKafkaProducer) -> None:
        client = producer.client
        client.set_topics({*self._topics, *self._others, *self._counts})
        with suppress(TimeoutError):  # of a producer that is closed meanwhile, nobody answers
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await (
                    client.force_metadata_update()
                )  # set_topics alone requests nothing for names it has: a topic created later stayed unknown
        for topic in (*self._topics, *self._others):
            if count := count_partitions(client.cluster.partitions_for_topic(topic) or ()):
                self._counts[topic] = count
