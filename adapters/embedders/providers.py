"""Embeddings of a provider: BigModel through its SDK, or any server that speaks OpenAI's wire format."""

import asyncio
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
import numpy as np
import structlog
from msgspec import Struct
from numpy.typing import NDArray

from adapters.concurrency import ConcurrencyLimits, Permit, Priority
from adapters.embedders.port import TEXT_CHARS_MAX
from adapters.models.breaker import CircuitBreaker
from adapters.models.providers import provider_errors, retries
from adapters.models.providers.presets import PRESETS as CHAT_PRESETS
from adapters.models.providers.provider_errors import PermitLost, TransientFailure
from adapters.models.providers.retries import RetryPolicy
from adapters.models.stop_sequences import truncate_to_tokens
from schemas.errors import Refused, Unavailable
from schemas.settings import RetrievalSettings

TEXTS_PER_CALL = 64  # what both providers accept
CALLS_MAX = 4  # to a provider at once, per process
REPLY_BYTES_MAX = 32 * 1024 * 1024
FAILURES_MAX, PAUSE_S = 5, 10.0  # of the breaker: after so many failures in a row no call is made for so long

_log = structlog.get_logger(__name__)


class _CallBudget(Struct, frozen=True):
    """Time limits: for a permit, for one call, and for all attempts together."""

    permit_s: float
    call_s: float
    patience: RetryPolicy


# A question continues without its vector rather than wait. A document waits behind questions for as long as its worker may stand still.
_CALL_BUDGETS = {
    Priority.PEOPLE: _CallBudget(permit_s=1.0, call_s=3.0, patience=RetryPolicy(attempts=2, window_s=2.0)),
    Priority.DOCUMENTS: _CallBudget(permit_s=120.0, call_s=20.0, patience=RetryPolicy(attempts=6, window_s=60.0)),
}


class _EmbeddingPreset(Struct, frozen=True):
    """``text_tokens_max``: of one text, estimated; a longer one is refused by the provider, so only its beginning is embedded."""

    base_url: str
    model: str
    dimensions: int
    text_tokens_max: int


PRESETS = {
    "openai": _EmbeddingPreset(CHAT_PRESETS["openai"].base_url, "text-embedding-3-small", 1536, 8_000),
    "zhipu": _EmbeddingPreset(CHAT_PRESETS["zhipu"].base_url, "embedding-3", 1024, 3_000),
}


class _ProviderEmbedder:
    """The common part of both providers: preset, name, batches, bounded and repeated calls, checked replies."""

    def __init__(
        self,
        settings: RetrievalSettings,
        limits: ConcurrencyLimits,
        priority: Priority = Priority.DOCUMENTS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        preset = PRESETS[settings.embedding]
        self._base_url = settings.embedding_base_url or preset.base_url
        self._model = settings.embedding_name or preset.model
        self._key = settings.embedding_api_key.reveal()
        self._asked_dimensions = settings.embedding_dimensions  # 0: not asked for
        self._text_tokens_max = preset.text_tokens_max
        self.dimensions = settings.embedding_dimensions or preset.dimensions
        self.name = f"{settings.embedding}-{self._model}-{self.dimensions}"
        self._calls = asyncio.Semaphore(CALLS_MAX)
        self._limit, self._priority, self._effort = limits.for_embedding(self._base_url, self._model), priority, _CALL_BUDGETS[priority]
        self._breaker = CircuitBreaker(self.name, failures_max=FAILURES_MAX, pause_s=PAUSE_S)
        self._jitter = jitter

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        batches = [texts[first : first + TEXTS_PER_CALL] for first in range(0, len(texts), TEXTS_PER_CALL)]
        arrays = await asyncio.gather(*(self._embed_batch([self._truncate(text) for text in batch]) for batch in batches))
        return np.concatenate(arrays) if arrays else np.empty((0, self.dimensions), np.float32)

    async def _embed_batch(self, texts: list[str]) -> NDArray[np.float32]:
        async with self._calls:
            rows = await self._call_with_retries(texts)
        rows.sort(key=lambda row: row[0])
        if [index for index, _ in rows] != list(range(len(texts))):
            raise Unavailable("model_unavailable", f"the provider returned {len(rows)} vectors for {len(texts)} texts")
        if any(len(vector) != self.dimensions for _, vector in rows):
            raise Refused(
                "model_refused",
                f"{self.name} returned vectors of {len(rows[0][1])} dimensions: set CLAW_RETRIEVAL_EMBEDDING_DIMENSIONS",
            )
        vectors = np.asarray([vector for _, vector in rows], dtype=np.float32)
        if not np.isfinite(vectors).all():
            raise Unavailable("model_unavailable", f"{self.name} returned values that are not finite")
        return vectors

    def _truncate(self, text: str) -> str:
        """The text within the limit of the provider, and never empty."""
        return truncate_to_tokens(text[:TEXT_CHARS_MAX], self._text_tokens_max) or " "

    async def _call_with_retries(self, texts: list[str]) -> list[tuple[int, list[float]]]:
        """Repeat calls that fail transiently, no earlier than the provider asks for."""
        now, patience = asyncio.get_running_loop().time, self._effort.patience
        began = now()
        for attempt in range(1, patience.attempts + 1):
            try:
                with self._breaker.call():
                    async with self._limit.permit(self._priority, self._effort.permit_s) as permit:
                        return await self._call_under_permit(permit, texts)
            except TransientFailure as error:
                pause_s = retries.pause_s(error, attempt, jitter=self._jitter())
                if attempt == patience.attempts or now() - began + pause_s >= patience.window_s:
                    raise retries.as_unavailable(error) from error
                _log.info("embedding_call_retried", model=self.name, attempt=attempt, pause_s=round(pause_s, 3), detail=error.detail)
                await asyncio.sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    async def _call_under_permit(self, permit: Permit, texts: list[str]) -> list[tuple[int, list[float]]]:
        """One call under its permit."""
        try:
            async with permit.guard():
                return await self._request_embeddings(texts)
        except TimeoutError as error:
            if permit.lost:
                raise PermitLost("The call's permit could not be renewed: the call was closed.") from error
            raise TransientFailure("embeddings: the provider did not answer in time") from error

    async def _request_embeddings(self, texts: list[str]) -> list[tuple[int, list[float]]]:
        """Index and vector of every text, in any order; raises TransientFailure or Refused."""
        raise NotImplementedError


class ZhipuEmbedder(_ProviderEmbedder):
    """BigModel's embeddings through the official ``zhipuai`` SDK, which is synchronous: on threads, at most CALLS_MAX.

    The SDK cannot close a call under way: an abandoned one ends within its timeout, and occupies its thread until then.
    """

    def __init__(self, settings: RetrievalSettings, limits: ConcurrencyLimits, priority: Priority = Priority.DOCUMENTS) -> None:
        super().__init__(settings, limits, priority)
        self._client: Any = None
        self._threads = ThreadPoolExecutor(CALLS_MAX, thread_name_prefix="embed")

    async def start(self) -> None:
        self._client = await asyncio.get_running_loop().run_in_executor(self._threads, self._create_client)

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, client.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _request_embeddings(self, texts: list[str]) -> list[tuple[int, list[float]]]:
        if self._client is None:
            raise Unavailable("model_unavailable", "the embedder is not open")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call_sdk, texts)

    def _create_client(self) -> Any:
        from zhipuai import ZhipuAI  # noqa: PLC0415 - half a second of import that only this provider needs

        return ZhipuAI(api_key=self._key or "none", base_url=self._base_url, timeout=self._effort.call_s, max_retries=0)

    def _call_sdk(self, texts: list[str]) -> list[tuple[int, list[float]]]:
        import zhipuai.core._errors as sdk  # noqa: PLC0415

        try:
            reply = self._client.embeddings.create(input=texts, model=self._model, dimensions=self.dimensions)
        except sdk.APIStatusError as error:
            headers = error.response.headers
            raise _failure(error.status_code, error.response.content, headers.get("Retry-After"), headers.get("Date"), self._key) from error
        except sdk.ZhipuAIError as error:  # connection, timeout, malformed reply
            raise TransientFailure(f"embeddings: {type(error).__name__}") from error
        return [(row.index, row.embedding) for row in reply.data]


class _EmbeddingRow(msgspec.Struct):
    index: int
    embedding: list[float]


class _EmbeddingReply(msgspec.Struct):
    data: list[_EmbeddingRow]


class OpenAIEmbedder(_ProviderEmbedder):
    """``POST /embeddings`` of any server that speaks OpenAI's wire format."""

    def __init__(self, settings: RetrievalSettings, limits: ConcurrencyLimits, priority: Priority = Priority.DOCUMENTS) -> None:
        super().__init__(settings, limits, priority)
        self._session: aiohttp.ClientSession | None = None
        self._decoder = msgspec.json.Decoder(_EmbeddingReply)

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=aiohttp.ClientTimeout(total=self._effort.call_s),
            connector=aiohttp.TCPConnector(limit=CALLS_MAX),
        )

    async def stop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _request_embeddings(self, texts: list[str]) -> list[tuple[int, list[float]]]:
        if self._session is None:
            raise Unavailable("model_unavailable", "the embedder is not open")
        body: dict[str, object] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if self._asked_dimensions:
            body["dimensions"] = self._asked_dimensions
        try:
            async with self._session.post(
                f"{self._base_url.rstrip('/')}/embeddings", data=msgspec.json.encode(body), headers={"Content-Type": "application/json"}
            ) as response:
                content = await _read_bounded(response)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            raise TransientFailure(f"embeddings: {type(error).__name__}") from error
        if response.status != HTTPStatus.OK:
            headers = response.headers
            raise _failure(response.status, content, headers.get("Retry-After"), headers.get("Date"), self._key)
        try:
            return [(row.index, row.embedding) for row in self._decoder.decode(content).data]
        except msgspec.DecodeError as error:
            raise TransientFailure("embeddings: the reply cannot be read") from error


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for part in response.content.iter_chunked(65_536):
        content += part
        if len(content) > REPLY_BYTES_MAX:
            raise TransientFailure(f"embeddings: the reply is larger than {REPLY_BYTES_MAX:,} bytes")
    return bytes(content)


def _failure(status: int, body: bytes, retry_after: str | None, date: str | None, key: str) -> Refused | TransientFailure:
    """A provider's error by what the caller does next; the provider's message goes to the log."""
    error = provider_errors.parse_error(body)
    _log.warning("embedding_call_failed", status=status, code=error.code, message=provider_errors.log_text(error, key))
    return provider_errors.failure(status, error, provider_errors.parse_retry_after(retry_after, date), provider_errors.parse_date(date))
