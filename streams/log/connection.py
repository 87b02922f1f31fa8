"""A consumer and its replacement after a failure: the one reconnect loop of everything that reads the log by itself.

Errors of Kafka never leave it: some are logged, the first of an outage among them, and the next attempt comes after a pause that doubles
up to a limit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from adapters.kafka import Consumer, start_client
from schemas.errors import Unavailable
from streams.log.outage import OutageLog, describe

__all__ = ["Backoff", "Connect", "ConnectionLimits", "ConsumerConnection", "OffsetOutOfRangeError"]

Connect = Callable[[], Consumer]
"""Makes a consumer, not started."""

T = TypeVar("T")


class Backoff:
    """Pauses between attempts: ``pause_s_min``, then twice as long each time, up to ``pause_s_max``."""

    def __init__(self, pause_s_min: float, pause_s_max: float) -> None:
        self._pause_s_min, self._pause_s_max = pause_s_min, pause_s_max
        self._pause_s = pause_s_min

    def reset(self) -> None:
        """The next pause is the shortest again."""
        self._pause_s = self._pause_s_min

    async def wait(self) -> None:
        """One pause."""
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, self._pause_s_max)
        await asyncio.sleep(pause_s)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """``connect_s_max``: one attempt to reach the broker; ``retry_s_min`` and ``retry_s_max``: the pauses after failures."""

    connect_s_max: float
    retry_s_min: float
    retry_s_max: float


class ConsumerConnection:
    """At most one live consumer. ``failure_event`` is the log event of a failure, with ``context`` and the error.

    Use ``run`` in a loop, or until it returns something; ``close`` when nothing more is read.
    """

    def __init__(self, connect: Connect, limits: ConnectionLimits, failure_event: str, **context: object) -> None:
        self._connect, self._limits = connect, limits
        self._outage = OutageLog(failure_event, context)
        self._backoff = Backoff(limits.retry_s_min, limits.retry_s_max)
        self._consumer: Consumer | None = None
        self._confirmed = False

    @property
    def consumer(self) -> Consumer | None:
        """The consumer that is at work, once ``confirm`` was called."""
        return self._consumer if self._confirmed else None

    def confirm(self) -> None:
        """For the work inside ``run``: the log answers, so the pause after the next failure is the shortest again."""
        self._confirmed = True
        self._recover()

    async def run(self, work: Callable[[Consumer], Awaitable[T]], **context: object) -> T | None:
        """The result of ``work(consumer)``, with the consumer of the run before or a new one that was started.

        None after a failure of Kafka, when it has been logged with ``context``, the consumer is closed, and the pause is over.
        """
        try:
            if self._consumer is None:
                self._consumer = self._connect()
                await start_client(self._consumer, self._limits.connect_s_max)
            result = await work(self._consumer)
        except (KafkaError, OSError, Unavailable) as error:  # TimeoutError is an OSError
            self._outage.report(describe(error), **context)
            await self.close()
            await self._backoff.wait()
            return None
        except BaseException:
            await self.close()
            raise
        self._recover()
        return result

    def _recover(self) -> None:
        self._backoff.reset()
        self._outage.end()

    async def close(self) -> None:
        """Close the consumer, if there is one."""
        consumer, self._consumer, self._confirmed = self._consumer, None, False
        if consumer is not None:
            await consumer.stop()
