"""``POST /rerank`` as Jina, Cohere, vLLM, Text Embeddings Inference behind a gateway, Xinference and BigModel answer it."""

import asyncio
import math
from collections.abc import Sequence
from http import HTTPStatus

import aiohttp
import msgspec

from schemas.errors import Refused, Unavailable
from schemas.settings import RetrievalSettings

TEXT_CHARS_MAX = 4_000  # of one passage; common models read 512 tokens
CALLS_MAX = 16  # at once, per process
REPLY_BYTES_MAX = 4 * 1024 * 1024


class _RerankRow(msgspec.Struct):
    index: int
    relevance_score: float


class _RerankReply(msgspec.Struct):
    results: list[_RerankRow]


class HttpReranker:
    """A ``Reranker`` behind HTTP, one attempt per question: its caller goes on without it."""

    def __init__(self, settings: RetrievalSettings) -> None:
        self.name = settings.rerank_name
        self._url = f"{settings.rerank_url.rstrip('/')}/rerank"
        self._key = settings.rerank_api_key.reveal()
        self._timeout_s = settings.rerank_timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._decoder = msgspec.json.Decoder(_RerankReply)

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            connector=aiohttp.TCPConnector(limit=CALLS_MAX),
        )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        if self._session is None:
            raise Unavailable("model_unavailable", "the reranker is not open")
        body = {"model": self.name, "query": question, "documents": [text[:TEXT_CHARS_MAX] for text in texts], "return_documents": False}
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._session.post(self._url, data=msgspec.json.encode(body), headers={"Content-Type": "application/json"}) as response,
            ):
                content = await _read_bounded(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable("model_unavailable", f"rerank: {error or type(error).__name__}") from error
        if response.status != HTTPStatus.OK:
            detail = f"rerank: {response.status}: {content[:300].decode('utf-8', 'replace')}"
            if (
                response.status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
                or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            ):
                raise Unavailable("model_unavailable", detail)
            raise Refused("model_refused", detail)
        return self._parse_scores(content, len(texts))

    def _parse_scores(self, content: bytes, count: int) -> list[float]:
        """The scores in order; passages that the server leaves out (it may return only the best) come last."""
        try:
            rows = self._decoder.decode(content).results
        except msgspec.MsgspecError as error:
            raise Unavailable("model_unavailable", f"rerank: the reply cannot be read: {error}") from error
        scores = [-math.inf] * count
        for row in rows:
            if not 0 <= row.index < count or not math.isfinite(row.relevance_score):
                raise Unavailable("model_unavailable", f"rerank: the reply names passage {row.index} of {count}")
            scores[row.index] = row.relevance_score
        return scores


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for part in response.content.iter_chunked(65_536):
        content += part
        if len(content) > REPLY_BYTES_MAX:
            raise Unavailable("model_unavailable", f"rerank: the reply is larger than {REPLY_BYTES_MAX:,} bytes")
    return bytes(content)
