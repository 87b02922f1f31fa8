"""Request-reply over the log: a request on one topic, its answer on a partition of another that the requester follows.

The request names that partition; an answer finds its waiting caller by the record's key, the request id. Processes that share a
partition skip each other's answers.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec
import structlog

from schemas.errors import Unavailable
from schemas.events import Event
from schemas.settings import KafkaSettings
from streams.log.outgoing import Outgoing, Publisher
from streams.log.tail import RECONNECT_S_MAX, TopicTail
from streams.topics import Topic

ANSWER_S_MAX = 5.0  # an answer takes milliseconds: beyond this the answering agent, or the log, is down
START_S_MAX = 5.0  # for the log to be reached when the process starts; then it keeps trying in the background
WAITING_MAX = 2_000  # open requests of this process
RETRY_AFTER_S = 2.0

log = structlog.get_logger(__name__)

A = TypeVar("A")


class RequestReply(Generic[A]):
    """The requester, one per process and pair of topics.

    ``decode`` makes an answer of a record's value; raises msgspec.DecodeError. ``unavailable`` is the error code of a request that is
    not answered in time. ``choose`` gets the number of partitions and returns this process's.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        publisher: Publisher,
        *,
        asks: Topic,
        answers: Topic,
        decode: Callable[[bytes], A],
        unavailable: str,
        choose: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self._publisher, self._asks, self._decode, self._unavailable = publisher, asks, decode, unavailable
        self._waiting: dict[bytes, asyncio.Future[A]] = {}
        self._tail = TopicTail(kafka, answers, self._take_answer, choose=lambda count: (choose(count),))

    @property
    def open_count(self) -> int:
        """The number of open requests."""
        return len(self._waiting)

    async def start(self) -> None:
        """Follow a partition. With the log out of reach this returns after 5 s and keeps trying in the background."""
        self._tail.start()
        try:
            async with asyncio.timeout(START_S_MAX):
                await self._tail.reached.wait()
        except TimeoutError:
            log.warning("inquiries_not_followed_yet")

    async def stop(self) -> None:
        """End every open request with Unavailable."""
        await self._tail.stop()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unavailable(self._unavailable, "this process is stopping", retry_after_s=RETRY_AFTER_S))

    def reply_partition(self) -> int:
        """The partition for answers.

        Raises Unavailable("overloaded") when too many requests are open, Unavailable("kafka_unavailable") until the log was reached.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise Unavailable("overloaded", "too many requests wait for an answer", retry_after_s=RETRY_AFTER_S)
        partition = next(iter(self._tail.partitions), None)
        if partition is None:
            raise Unavailable("kafka_unavailable", "the log of answers has not been reached yet", retry_after_s=RECONNECT_S_MAX)
        return partition

    async def ask(self, event: Event, timeout_s: float = ANSWER_S_MAX) -> A:
        """Publish ``event``, whose subject is a new request id, and return its answer. A caller that is cancelled leaves nothing behind.

        Raises Unavailable with the code ``unavailable`` when no answer comes in time, "kafka_unavailable" when the log does not take it.
        """
        key = event.subject.encode()
        waiting: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting[key] = waiting
        try:
            async with asyncio.timeout(timeout_s):
                await self._publisher.publish(Outgoing(self._asks, event))
                return await waiting
        except TimeoutError:
            raise Unavailable(self._unavailable, f"no answer within {timeout_s:g} s", retry_after_s=RETRY_AFTER_S) from None
        finally:
            del self._waiting[key]

    def _take_answer(self, partition: int, offset: int, key: bytes, value: bytes | None) -> None:
        waiting = self._waiting.get(key)
        if waiting is None or waiting.done() or value is None:
            return
        try:
            waiting.set_result(self._decode(value))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("answer_undecodable", partition=partition, offset=offset, error=str(error))
