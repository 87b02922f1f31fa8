"""The connection that every Kafka client of this product shares, its consumers, and the three things aiokafka has no public call for."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.offset import OffsetRequest

from adapters.kafka_fetches import FETCH_POLICY, FetchPolicy, screen_fetches
from adapters.kafka_metadata import MetadataRequests
from adapters.kafka_padding import hide_padding
from schemas.errors import ConfigurationError
from schemas.settings import KafkaSettings

__all__ = [
    "Consumer",
    "StoredRecord",
    "TopicPartition",
    "close_without_flush",
    "connection_options",
    "end_offset",
    "make_consumer",
    "make_producer",
    "open_admin",
    "start_client",
]

LATEST = -1  # ListOffsets: the offset the next record will get
READ_UNCOMMITTED, READ_COMMITTED = 0, 1
CONSUMER_REPLICA = -1
CANCEL_GRACE_S = 1.0  # what was cancelled gets this long to end; with a broker that answers at all it needs milliseconds


class StoredRecord(Protocol):
    """A record as the client library gives it; ``timestamp`` is in ms since 1970."""

    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Consumer(Protocol):
    """The part of the client library's consumer that is used here; methods raise KafkaError."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def assign(self, partitions: Collection[TopicPartition]) -> None: ...

    def seek(self, partition: TopicPartition, offset: int) -> None: ...

    async def seek_to_end(self, *partitions: TopicPartition) -> bool: ...

    def pause(self, *partitions: TopicPartition) -> None: ...

    async def position(self, partition: TopicPartition) -> int: ...

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[StoredRecord]]: ...

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]: ...

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]: ...

    async def offsets_for_times(self, timestamps: Mapping[TopicPartition, int]) -> dict[TopicPartition, Any]: ...

    def assignment(self) -> frozenset[TopicPartition]: ...

    def partitions_for_topic(self, topic: str) -> set[int] | None: ...


def connection_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments of any aiokafka client: the address of the broker and the credentials.

    Raises ConfigurationError naming the variable when a PEM file cannot be used.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in kafka.servers.split(",") if server.strip()],
        "security_protocol": kafka.security_protocol,
    }
    if kafka.security_protocol.startswith("SASL_"):
        if not kafka.sasl_username:
            raise ConfigurationError(f"CLAW_KAFKA_SASL_USERNAME is empty: {kafka.security_protocol} needs a user and its password")
        arguments |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password.reveal(),
        }
    if kafka.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = _ssl_context(kafka)
    return arguments


def make_consumer(connection: Mapping[str, Any], *topics: str, **options: Any) -> Consumer:
    """A consumer of this product, not started; ``options`` are aiokafka's. No other code constructs one (a test checks it).

    It reads committed records only: those of a transaction that is open, or was aborted, are never delivered. So its end offsets
    are last stable offsets, and a partition may end in records that never arrive (an aborted batch, a transaction's marker): a loop that
    reads up to an end offset compares the consumer's position with it, never the offset of the last record.

    Nor does a batch arrive that cannot be read: the position passes it once it was set aside (``FetchPolicy``). Nor does the padding of a
    restore (``hide_padding``).
    """
    consumer: Consumer = _StoppableConsumer(*topics, **connection, isolation_level="read_committed", **options)
    return consumer


class _StoppableConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's fetcher loses a cancellation that arrives while it drops its fetches after a change of the assignment (a topic that was
    deleted, a partition that was added, a rebalance), and ``stop()`` then waits for it for ever. Here it is cancelled again until it ends.

    And its ``stop()`` ends with the cancellation of a fetch that had not begun, its connections open and its caller seemingly cancelled.
    Here the connections are closed in any case.
    """

    def __init__(self, *topics: str, **options: Any) -> None:
        super().__init__(*topics, check_crcs=False, **options)  # they are checked where the fetches are screened
        _prepare(self._client)
        screen_fetches(self._client, FETCH_POLICY.get(FetchPolicy()))

    async def start(self) -> None:
        await super().start()
        hide_padding(self._fetcher)

    async def stop(self) -> None:
        stopping = asyncio.ensure_future(super().stop())
        try:
            while not (await asyncio.wait([stopping], timeout=CANCEL_GRACE_S))[0]:
                if self._fetcher is not None and self._fetcher._closed:  # noqa: SLF001
                    self._fetcher._fetch_task.cancel()  # noqa: SLF001
        except asyncio.CancelledError:
            await asyncio.wait([stopping], timeout=CANCEL_GRACE_S)
            stopping.cancel()
            raise
        finally:
            await self._client.close()
        if not stopping.cancelled():
            stopping.result()


def make_producer(connection: Mapping[str, Any], **options: Any) -> AIOKafkaProducer:
    """A producer of this product, not started; ``options`` are aiokafka's."""
    producer = AIOKafkaProducer(**connection, **options)
    _prepare(producer.client)
    return producer


def _prepare(client: AIOKafkaClient) -> None:
    """Incomplete metadata is requested again, and ``close()`` ends.

    The task that follows the metadata loses a cancellation that arrives together with an answer (Python 3.11's ``asyncio.wait_for`` does
    that), and ``close()`` waits for it for ever, its connections open. Here it is cancelled again until it ends.
    """
    close_connections, requests = client.close, MetadataRequests(client)

    async def close() -> None:
        requests.close()
        try:
            if client._sync_task is not None:  # noqa: SLF001
                await _cancel_until_done(client._sync_task)  # noqa: SLF001
        finally:  # also for who is cancelled meanwhile
            await close_connections()

    client.close = close


async def _cancel_until_done(task: asyncio.Future[Any]) -> None:
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_GRACE_S)


def _ssl_context(kafka: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"CLAW_KAFKA_SSL_CA_FILE: {kafka.ssl_ca_file!r} is not a readable PEM file: {error}") from error
    if bool(kafka.ssl_cert_file) != bool(kafka.ssl_key_file):
        raise ConfigurationError("CLAW_KAFKA_SSL_CERT_FILE and CLAW_KAFKA_SSL_KEY_FILE belong together: set both or neither")
    if kafka.ssl_cert_file:
        try:
            context.load_cert_chain(kafka.ssl_cert_file, kafka.ssl_key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"CLAW_KAFKA_SSL_CERT_FILE, CLAW_KAFKA_SSL_KEY_FILE: not a readable PEM certificate with its key: {error}"
            ) from error
    return context


class KafkaClient(Protocol):
    """An aiokafka producer or consumer."""

    async def start(self) -> None:
        """Connect; raises KafkaError."""


async def start_client(client: KafkaClient, timeout_s: float) -> None:
    """Start a client; raises TimeoutError or aiokafka's KafkaError, and the client is the caller's to stop in any case.

    When cancelled it gives ``client.start()`` a moment to end: cut off, that leaves the connection it has just made open. In any case that
    has ended when this returns: one that went on would connect a client that has been stopped.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.wait([starting], timeout=timeout_s)
    except asyncio.CancelledError:
        await asyncio.wait([starting], timeout=min(timeout_s, CANCEL_GRACE_S))
        if starting.done() and not starting.cancelled():
            starting.exception()  # retrieved here: the caller is gone
        raise
    finally:
        in_time = starting.done()
        await _cancel_until_done(starting)
    if not in_time:
        raise TimeoutError(f"Kafka did not answer in {timeout_s} s")
    starting.result()


@asynccontextmanager
async def open_admin(connection: Mapping[str, Any], *, request_ms: int, **options: Any) -> AsyncIterator[AIOKafkaAdminClient]:
    """An administrative client, started and closed at the end; raises TimeoutError or aiokafka's KafkaError."""
    admin = AIOKafkaAdminClient(**connection, request_timeout_ms=request_ms, **options)
    _prepare(admin._client)  # noqa: SLF001
    try:
        await start_client(admin, request_ms / 1000)
        yield admin
    finally:
        await admin.close()


async def end_offset(producer: AIOKafkaProducer, topic: str, partition: int, *, readable: bool = False) -> int:
    """The offset the next record of this partition will get, asked of its leader; raises aiokafka's KafkaError.

    Records of an open transaction count: a reader that needs everything before a change must wait for that transaction to end.
    ``readable``: they do not, as for the consumers of this product.
    """
    await producer.partitions_for(topic)
    leader = producer.client.cluster.leader_for_partition(TopicPartition(topic, partition))
    if leader is None or leader == -1:
        raise kafka_errors.LeaderNotAvailableError(f"{topic}[{partition}]")
    request = OffsetRequest(CONSUMER_REPLICA, READ_COMMITTED if readable else READ_UNCOMMITTED, [(topic, [(partition, LATEST)])])
    response = await producer.client.send(leader, request)
    ((_, ((_, error_code, _, offset),)),) = response.topics
    if error_code:
        producer.client.force_metadata_update()
        raise kafka_errors.for_code(error_code)(f"{topic}[{partition}]")
    return int(offset)


async def close_without_flush(producer: AIOKafkaProducer, timeout_s: float) -> None:
    """Close without flushing. ``stop()`` waits for every batch, and an idempotent producer retries a batch for ever: with the broker
    down it would wait for ever.
    """
    producer._closed = True  # noqa: SLF001
    try:
        async with asyncio.timeout(timeout_s):
            await producer._sender.close()  # noqa: SLF001
    except (TimeoutError, kafka_errors.KafkaError):
        pass  # the sender was cancelled or had failed: it is closed either way
    await producer.client.close()
