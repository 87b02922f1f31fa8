"""The index as other processes ask it: requests over the log to the query service, and their answers."""

import secrets
from collections.abc import Callable
from datetime import timedelta

import msgspec

from domain.retrieval.topics import REQUESTS_ANSWERED, REQUESTS_ASKED
from schemas import ids
from schemas.errors import CATALOGUE, Problem, Refused, Unavailable
from schemas.requests import Answer, Ask, Request, RequestAnswered, RequestAsked, Result
from schemas.settings import KafkaSettings
from streams.clock import Clock
from streams.log.outgoing import Publisher
from streams.log.request_reply import ANSWER_S_MAX, RETRY_AFTER_S, RequestReply

_DECODER = msgspec.json.Decoder(RequestAnswered)


class IndexClient:
    """One per process."""

    def __init__(
        self, kafka: KafkaSettings, publisher: Publisher, clock: Clock, *, choose: Callable[[int], int] = secrets.randbelow
    ) -> None:
        self._requests = RequestReply[Answer](
            kafka,
            publisher,
            asks=REQUESTS_ASKED,
            answers=REQUESTS_ANSWERED,
            decode=lambda value: _DECODER.decode(value).data,
            unavailable="index_unavailable",
            choose=choose,
        )
        self._clock = clock

    @property
    def open_count(self) -> int:
        """Questions without an answer."""
        return self._requests.open_count

    async def start(self) -> None:
        """Follow a partition of answers. With the log out of reach this returns after 5 s and goes on trying in the background."""
        await self._requests.start()

    async def stop(self) -> None:
        """End every open question with Unavailable."""
        await self._requests.stop()

    async def ask(self, ask: Ask, *, request_id: str, tenant: str, traceparent: str, timeout_s: float = ANSWER_S_MAX) -> Result:
        """What the query service answers within ``timeout_s``. ``request_id`` must be new.

        Raises Unavailable("index_unavailable") without an answer in time, Unavailable("kafka_unavailable") when the log does not take
        the question, and whatever problem the answer names.
        """
        now = self._clock.now()
        data = Request(
            request_id=request_id, reply_partition=self._requests.reply_partition(), deadline=now + timedelta(seconds=timeout_s), ask=ask
        )
        event = RequestAsked(
            id=ids.derive("request", request_id),
            source="/claw/api",
            subject=request_id,
            time=now,
            tenant=tenant,
            traceparent=traceparent,
            data=data,
        )
        return _result(await self._requests.ask(event, timeout_s))


def _result(answer: Answer) -> Result:
    if answer.result is not None:
        return answer.result
    problem = answer.problem or Problem(code="internal_error")
    code = problem.code if problem.code in CATALOGUE else "internal_error"
    if CATALOGUE[code].status >= 500:  # noqa: PLR2004 - not the caller's to mend
        raise Unavailable(code, problem.detail, retry_after_s=problem.retry_after_s or RETRY_AFTER_S)
    raise Refused(code, problem.detail, errors=problem.errors)
