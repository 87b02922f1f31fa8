"""Embeddings of a provider: BigModel through its SDK, or any server that speaks OpenAI's wire format."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.embedders.port import TEXT_CHARS_MAX
from schemas.errors import Refused, Unavailable
from schemas.settings import Retrieval

TEXTS_PER_CALL = 64  # what both providers accept
CALLS_MAX = 4  # to a provider at once, per process
TIMEOUT_S = 20.0  # of one call to a provider; the caller retries
REPLY_BYTES_MAX = 32 * 1024 * 1024

PRESETS = {
    "openai": ("https://api.openai.com/v1", "text-embedding-3-small", 1536),
    "zhipu": ("", "embedding-3", 1024),  # the SDK knows its own address
}


class _Provider:
    """What both providers have in common: preset, name, batches, bounded calls, checked replies."""

    def __init__(self, settings: Retrieval) -> None:
        base_url, model, dimensions = PRESETS[settings.embedding]
        self._base_url = settings.embedding_base_url or base_url
        self._model = settings.embedding_name or model
        self._key = settings.embedding_api_key.reveal()
        self._asked_dimensions = settings.embedding_dimensions  # 0: not asked for
        self.dimensions = settings.embedding_dimensions or dimensions
        self.name = f"{settings.embedding}-{self._model}-{self.dimensions}"
        self._calls = asyncio.Semaphore(CALLS_MAX)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        batches = [texts[first : first + TEXTS_PER_CALL] for first in range(0, len(texts), TEXTS_PER_CALL)]
        arrays = await asyncio.gather(*(self._embed_batch([text[:TEXT_CHARS_MAX] or " " for text in batch]) for batch in batches))
        return np.concatenate(arrays) if arrays else np.empty((0, self.dimensions), np.float32)

    async def _embed_batch(self, texts: list[str]) -> NDArray[np.float32]:
        async with self._calls:
            rows = await self._ask(texts)
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

    async def _ask(self, texts: list[str]) -> list[tuple[int, list[float]]]:
        raise NotImplementedError


class ZhipuEmbedder(_Provider):
    """BigModel's embeddings through the official ``zhipuai`` SDK, which is synchronous: on threads, at most four."""

    def __init__(self, settings: Retrieval) -> None:
        super().__init__(settings)
        self._client: Any = None
        self._threads = ThreadPoolExecutor(CALLS_MAX, thread_name_prefix="embed")

    async def open(self) -> None:
        self._client = await asyncio.get_running_loop().run_in_executor(self._threads, self._connect)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, client.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, texts: list[str]) -> list[tuple[int, list[float]]]:
        if self._client is None:
            raise Unavailable("model_unavailable", "the embedder is not open")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, texts)

    def _connect(self) -> Any:
        from zhipuai import ZhipuAI  # noqa: PLC0415 - half a second of import that only this provider needs

        return ZhipuAI(api_key=self._key or "none", base_url=self._base_url or None, timeout=TIMEOUT_S, max_retries=0)

    def _call(self, texts: list[str]) -> list[tuple[int, list[float]]]:
        import zhipuai.core._errors as sdk  # noqa: PLC0415

        try:
            reply = self._client.embeddings.create(input=texts, model=self._model, dimensions=self.dimensions)
        except sdk.APIStatusError as error:
            raise _refusal(error.status_code, str(error)) from error
        except sdk.ZhipuAIError as error:  # connection, timeout, a reply that is not one
            raise Unavailable("model_unavailable", f"embeddings: {error}") from error
        return [(row.index, row.embedding) for row in reply.data]


class _Row(msgspec.Struct):
    index: int
    embedding: list[float]


class _Reply(msgspec.Struct):
    data: list[_Row]


class OpenAIEmbedder(_Provider):
    """``POST /embeddings`` of any server that speaks OpenAI's wire format."""

    def __init__(self, settings: Retrieval) -> None:
        super().__init__(settings)
        self._session: aiohttp.ClientSession | None = None
        self._decoder = msgspec.json.Decoder(_Reply)

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            connector=aiohttp.TCPConnector(limit=CALLS_MAX),
        )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, texts: list[str]) -> list[tuple[int, list[float]]]:
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
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable("model_unavailable", f"embeddings: {error or type(error).__name__}") from error
        if response.status != 200:  # noqa: PLR2004
            raise _refusal(response.status, content[:300].decode("utf-8", "replace"))
        try:
            return [(row.index, row.embedding) for row in self._decoder.decode(content).data]
        except msgspec.DecodeError as error:
            raise Unavailable("model_unavailable", f"embeddings: the reply cannot be read: {error}") from error


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for part in response.content.iter_chunked(65_536):
        content += part
        if len(content) > REPLY_BYTES_MAX:
            raise Unavailable("model_unavailable", f"the provider's reply is larger than {REPLY_BYTES_MAX:,} bytes")
    return bytes(content)


def _refusal(status: int, detail: str) -> Refused | Unavailable:
    """A provider's error by what the caller does next: too many requests, timeouts and server errors pass by themselves."""
    if status in (408, 409, 429) or status >= 500:  # noqa: PLR2004
        return Unavailable("model_unavailable", f"embeddings: {status}: {detail}")
    return Refused("model_refused", f"embeddings: {status}: {detail}")
