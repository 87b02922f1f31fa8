"""A consumer that fails is closed and replaced after a pause; errors of Kafka end the attempt, never the loop."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka.errors import KafkaError
from structlog.testing import capture_logs

from adapters.kafka import Consumer, connection_options, make_consumer
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.connection import Backoff, ConnectionLimits, ConsumerConnection

LIMITS = ConnectionLimits(connect_s_max=10.0, retry_s_min=0.001, retry_s_max=0.004)
NOWHERE = KafkaSettings(bootstrap="127.0.0.1:1")


class Consumers:
    """Makes consumers of a broker, and remembers them."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self.made: list[Consumer] = []

    def __call__(self) -> Consumer:
        self.made.append(make_consumer(connection_options(self._kafka), group_id=None))
        return self.made[-1]


async def assignable(consumer: Consumer) -> str:
    return f"{len(consumer.assignment())} partitions"


async def test_pauses_double_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """And begin anew once something worked."""
    pauses: list[float] = []

    async def note(pause_s: float) -> None:
        pauses.append(pause_s)

    monkeypatch.setattr(asyncio, "sleep", note)
    backoff = Backoff(0.1, 0.5)
    for _ in range(4):
        await backoff.wait()
    backoff.reset()
    await backoff.wait()
    assert pauses == [0.1, 0.2, 0.4, 0.5, 0.1]


@pytest.mark.stack
async def test_a_consumer_serves_until_it_is_closed(kafka_settings: KafkaSettings) -> None:
    """Several pieces of work share one connection; after ``close`` the next one gets a new one."""
    consumers = Consumers(kafka_settings)
    connection = ConsumerConnection(consumers, LIMITS, "test_interrupted")
    assert [await connection.run(assignable) for _ in range(3)] == ["0 partitions"] * 3
    assert len(consumers.made) == 1
    await connection.close()
    await connection.close()
    assert await connection.run(assignable) == "0 partitions"
    assert len(consumers.made) == 2
    await connection.close()


@pytest.mark.stack
@pytest.mark.parametrize("failure", [KafkaError, OSError, TimeoutError, lambda text: Unavailable("kafka_unavailable", text)])
async def test_a_failure_is_logged_and_the_consumer_replaced(kafka_settings: KafkaSettings, failure: Callable[[str], Exception]) -> None:
    """Nothing is raised, and the consumer that failed is nobody's any more."""
    consumers = Consumers(kafka_settings)
    connection = ConsumerConnection(consumers, LIMITS, "test_interrupted", topic="t")
    seen: list[Consumer | None] = []

    async def fail(consumer: Consumer) -> str:
        seen.append(connection.consumer)
        connection.confirm()
        seen.append(connection.consumer)
        raise failure("the broker left")

    with capture_logs() as logs:
        assert await connection.run(fail, partition=3) is None
    assert seen == [None, consumers.made[0]]
    assert connection.consumer is None
    (entry,) = logs
    assert (entry["event"], entry["topic"], entry["partition"]) == ("test_interrupted", "t", 3)
    assert "the broker left" in entry["error"]
    assert await connection.run(assignable) == "0 partitions"
    assert len(consumers.made) == 2
    await connection.close()


async def test_an_unreachable_broker_is_tried_again() -> None:
    """Each attempt has a consumer of its own."""
    consumers = Consumers(NOWHERE)
    connection = ConsumerConnection(consumers, LIMITS, "test_interrupted")
    for attempt in range(1, 4):
        assert await connection.run(assignable) is None
        assert len(consumers.made) == attempt


@pytest.mark.stack
async def test_bugs_and_cancellation_pass(kafka_settings: KafkaSettings) -> None:
    """They close the consumer and reach the caller."""
    consumers = Consumers(kafka_settings)
    connection = ConsumerConnection(consumers, LIMITS, "test_interrupted")

    async def bug(consumer: Consumer) -> None:
        connection.confirm()
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        await connection.run(bug)
    assert connection.consumer is None
    waiting = asyncio.Event()

    async def wait(consumer: Consumer) -> None:
        connection.confirm()
        waiting.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(connection.run(wait))
    await waiting.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert connection.consumer is None
