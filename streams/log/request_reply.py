"""Questions of one process to the agents, and their answers: request and reply over the log.

A question goes onto ``claw.requests.asked.v1`` and names a partition of ``claw.requests.answered.v1`` that is followed here; an
answer finds whoever waits for it by the request's id. Replicas that share a partition pass over each other's answers.
"""

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta

import msgspec
import structlog

from domain.retrieval.topics import REQUESTS_ANSWERED, REQUESTS_ASKED
from schemas import ids
from schemas.errors import CATALOGUE, Problem, Refused, Unavailable
from schemas.requests import Answer, Ask, Request, RequestAnswered, RequestAsked, Result
from schemas.settings import KafkaSettings
from streams.clock import Clock
from streams.log.outgoing import Outgoing, Publisher
from streams.log.tail import RECONNECT_S_MAX, TopicTail

ANSWER_S_MAX = 5.0  # a search takes some 20 ms: beyond this the index, its lane or the log is not there
START_S_MAX = 5.0  # for the log to be reached when the process starts; then it goes on trying beside
WAITING_MAX = 2_000  # questions open at once in this process
RETRY_AFTER_S = 2.0

log = structlog.get_logger(__name__)

_decode = msgspec.json.Decoder(RequestAnswered).decode


class RequestReply:
    """One per process. ``choose`` gets the number of partitions and returns this process's."""

    def __init__(
        self, kafka: KafkaSettings, publisher: Publisher, clock: Clock, *, choose: Callable[[int], int] = secrets.randbelow
    ) -> None:
        self._publisher, self._clock = publisher, clock
        self._waiting: dict[bytes, asyncio.Future[Answer]] = {}
        self._tail = TopicTail(kafka, REQUESTS_ANSWERED, self._take_answer, choose=lambda count: (choose(count),))

    @property
    def open_count(self) -> int:
        """Questions without an answer."""
        return len(self._waiting)

    async def start(self) -> None:
        """Follow a partition. With the log out of reach this returns after 5 s and goes on trying beside."""
        self._tail.start()
        try:
            async with asyncio.timeout(START_S_MAX):
                await self._tail.reached.wait()
        except TimeoutError:
            log.warning("inquiries_not_followed_yet")

    async def stop(self) -> None:
        """Whoever still waits is told that there is no answer."""
        await self._tail.stop()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unavailable("index_unavailable", "this process is stopping", retry_after_s=RETRY_AFTER_S))

    async def ask(self, ask: Ask, *, request_id: str, tenant: str, traceparent: str, timeout_s: float = ANSWER_S_MAX) -> Result:
        """What an agent answers within ``timeout_s``. ``request_id`` must be new.

        Raises Unavailable("index_unavailable") when nobody answers in time, Unavailable("kafka_unavailable") when the log does not take
        the question, and what the agent says is wrong. A caller that is cancelled leaves nothing behind.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise Unavailable("overloaded", "too many questions wait for the index", retry_after_s=RETRY_AFTER_S)
        partition = next(iter(self._tail.partitions), None)
        if partition is None:
            raise Unavailable("kafka_unavailable", "the log of answers has not been reached yet", retry_after_s=RECONNECT_S_MAX)
        now = self._clock.now()
        data = Request(request_id=request_id, reply_partition=partition, deadline=now + timedelta(seconds=timeout_s), ask=ask)
        event = RequestAsked(
            id=ids.derive("request", request_id),
            source="/claw/api",
            subject=request_id,
            time=now,
            tenant=tenant,
            traceparent=traceparent,
            data=data,
        )
        return _result(await self._await_answer(event, timeout_s))

    async def _await_answer(self, event: RequestAsked, timeout_s: float) -> Answer:
        key = event.subject.encode()
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[key] = waiting
        try:
            async with asyncio.timeout(timeout_s):
                await self._publisher.publish(Outgoing(REQUESTS_ASKED, event))
                return await waiting
        except TimeoutError:
            raise Unavailable("index_unavailable", f"no answer within {timeout_s:g} s", retry_after_s=RETRY_AFTER_S) from None
        finally:
            del self._waiting[key]

    def _take_answer(self, partition: int, offset: int, key: bytes, value: bytes | None) -> None:
        waiting = self._waiting.get(key)
        if waiting is None or waiting.done() or value is None:
            return
        try:
            waiting.set_result(_decode(value).data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("answer_undecodable", partition=partition, offset=offset, error=str(error))


def _result(answer: Answer) -> Result:
    if answer.result is not None:
        return answer.result
    problem = answer.problem or Problem(code="internal_error")
    code = problem.code if problem.code in CATALOGUE else "internal_error"
    if CATALOGUE[code].status >= 500:  # noqa: PLR2004 - not the caller's to mend
        raise Unavailable(code, problem.detail, retry_after_s=problem.retry_after_s or RETRY_AFTER_S)
    raise Refused(code, problem.detail, errors=problem.errors)
