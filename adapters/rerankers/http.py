"""A reranker behind ``POST /rerank``, in any of the formats of ``adapters.rerankers.formats``."""

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus

import aiohttp
import msgspec

from adapters.models.breaker import CircuitBreaker
from adapters.models.providers.provider_errors import TransientFailure
from adapters.rerankers import metrics
from adapters.rerankers.formats import RerankFormat
from schemas.errors import ClawError, Refused, Unavailable
from schemas.settings import RetrievalSettings

CALLS_MAX = 16  # at once, per process
REPLY_BYTES_MAX = 4 * 1024 * 1024
DETAIL_CHARS_MAX = 300  # of a server's refusal
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class HttpReranker:
    """A ``Reranker`` with one attempt per question: its caller goes on without it.

    All calls of a question together have the timeout of the settings. After failures in a row it is left alone for a while, so that a
    server which is down does not hold up every question for that long.
    """

    def __init__(self, settings: RetrievalSettings, kind: RerankFormat, base_url: str) -> None:
        self.name = settings.rerank_name or kind.model or "rerank"
        self._kind, self._model = kind, settings.rerank_name
        self._url = f"{base_url.rstrip('/')}/rerank"
        self._key = settings.rerank_api_key.reveal()
        self._timeout_s = settings.rerank_timeout_s
        self._breaker = CircuitBreaker(self.name, failures_max=settings.rerank_breaker_failures, pause_s=settings.rerank_breaker_pause_s)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            connector=aiohttp.TCPConnector(limit=CALLS_MAX),
        )

    async def stop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        if self._session is None:
            raise Unavailable("model_unavailable", "the reranker is not open")
        began = time.monotonic()
        try:
            with self._breaker.call():
                scores = await self._score_all(self._session, question, texts)
        except TransientFailure as error:
            metrics.TIME_S.labels("failed").observe(time.monotonic() - began)
            raise Unavailable("model_unavailable", f"rerank: {error.detail}") from error
        except ClawError:
            metrics.TIME_S.labels("failed").observe(time.monotonic() - began)
            raise
        metrics.TIME_S.labels("done").observe(time.monotonic() - began)
        return scores

    async def _score_all(self, session: aiohttp.ClientSession, question: str, texts: Sequence[str]) -> list[float]:
        """The scores of all texts, in as few calls at once as the server takes; the first failure is the failure of all."""
        size = self._kind.texts_max
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        calls = [asyncio.ensure_future(self._score(session, question, part)) for part in parts]
        try:
            async with asyncio.timeout(self._timeout_s):
                scored = await asyncio.gather(*calls)
        except TimeoutError as error:
            raise TransientFailure(f"no scores within {self._timeout_s:g} s") from error
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        return [score for part in scored for score in part]

    async def _score(self, session: aiohttp.ClientSession, question: str, texts: Sequence[str]) -> list[float]:
        """One call; raises TransientFailure, or Refused when the server will never take it as it is."""
        body = self._kind.request(self._model, question, texts)
        try:
            async with session.post(self._url, data=body, headers={"Content-Type": "application/json"}) as response:
                content = await _read_bounded(response)
        except aiohttp.ClientError as error:
            raise TransientFailure(str(error) or type(error).__name__) from error
        if response.status != HTTPStatus.OK:
            detail = f"{response.status}: {content[:DETAIL_CHARS_MAX].decode('utf-8', 'replace')}"
            if response.status in _PASSING or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise TransientFailure(detail)
            raise Refused("model_refused", f"rerank: {detail}")
        try:
            return self._kind.scores(content, len(texts))
        except (ValueError, msgspec.MsgspecError) as error:
            raise TransientFailure(f"the reply cannot be used: {error}") from error


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for part in response.content.iter_chunked(65_536):
        content += part
        if len(content) > REPLY_BYTES_MAX:
            raise TransientFailure(f"the reply is larger than {REPLY_BYTES_MAX:,} bytes")
    return bytes(content)
