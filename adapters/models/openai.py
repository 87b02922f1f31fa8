"""Any OpenAI-compatible server as an answering model: one lean streaming client, with presets for OpenAI and BigModel (GLM).

aiohttp for the connection, events cut by hand, msgspec for the frames: the official clients cost several times the CPU per answer.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager
from http import HTTPStatus

import aiohttp
import msgspec
import structlog
from msgspec import Struct

from adapters.models import prompts, wire
from adapters.models.port import AnswerRequest, Finish, Piece, Said
from adapters.models.sse import EventSplitter, EventTooLarge
from adapters.models.wire import Passing
from schemas.errors import ConfigurationError, Refused, Unavailable
from schemas.settings import Model

ATTEMPTS_MAX = 3
RETRY_S_MAX = 10.0  # no further attempt starts this long after the call began: a person is waiting for the first word
BACK_OFF_S = 0.2  # doubles; each pause is drawn from its upper half
RESPONSE_BYTES_MAX = 16_777_216  # 131,072 tokens in frames of 128 bytes
ERROR_BODY_BYTES_MAX = 8_192
TEMPERATURE_OPEN_MAX = 0.99
NOT_STREAMS = frozenset({"application/json", "text/html"})
TAIL_S = 2.0  # how long usage may take after the last token
LINGER_S = 0.05  # how long the end of the body may take after [DONE]; then the connection is closed instead of kept
KEEP_ALIVE_S = 15.0  # below the idle limit of common servers, so that a kept connection is rarely dead

_log = structlog.get_logger(__name__)
_encoder = msgspec.json.Encoder()


class Preset(Struct, frozen=True, kw_only=True):
    """What differs between the servers that speak this format."""

    base_url: str
    model: str
    asks_for_usage: bool  # sends stream_options; BigModel always reports usage
    open_temperature: bool = False  # BigModel takes 0 < temperature < 1 only


PRESETS: dict[str, Preset] = {
    "openai": Preset(base_url="https://api.openai.com/v1", model="gpt-4o-mini", asks_for_usage=True),
    "zhipu": Preset(base_url="https://open.bigmodel.cn/api/paas/v4", model="glm-4-flash", asks_for_usage=False, open_temperature=True),
}


class OpenAIModel:
    """An AnswerModel with one session of at most ``settings.concurrency`` connections, from open() to close()."""

    def __init__(
        self, settings: Model, *, tokens_max: int = prompts.PROMPT_TOKENS_MAX, jitter: Callable[[], float] = random.random
    ) -> None:
        self._preset = PRESETS[settings.provider]
        base = settings.base_url or self._preset.base_url
        if not base.startswith(("http://", "https://")):
            raise ConfigurationError(f"CLAW_MODEL_BASE_URL: expected an http:// or https:// URL, got {base!r}")
        if not settings.api_key and not settings.base_url:
            raise ConfigurationError(f"CLAW_MODEL_API_KEY: provider {settings.provider!r} needs a key")
        self.name = settings.name or self._preset.model
        self._url = base.rstrip("/") + "/chat/completions"
        self._settings = settings
        self._tokens_max = tokens_max
        self._jitter = jitter
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        if self._session is None:
            key = self._settings.api_key.reveal()
            headers = {
                "Accept": "text/event-stream",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": "claw",
            }
            connector = aiohttp.TCPConnector(limit=self._settings.concurrency, keepalive_timeout=KEEP_ALIVE_S)
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}),
                cookie_jar=aiohttp.DummyCookieJar(),
            )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def answer(self, request: AnswerRequest) -> AsyncGenerator[Said, None]:
        """See AnswerModel. Calls that fail before the first piece are repeated at most ATTEMPTS_MAX times within RETRY_S_MAX."""
        sent = prompts.messages(request, tokens_max=self._tokens_max)
        body = _encoder.encode(self._call(request, sent))
        total_s = self._settings.total_timeout_s
        now = asyncio.get_running_loop().time
        began = now()
        for attempt in range(1, ATTEMPTS_MAX + 1):
            said = False
            try:
                async with aclosing(self._stream(body, sent, total_s - (now() - began))) as stream:
                    async for item in stream:
                        said = True
                        yield item
            except Passing as error:
                if said:
                    raise Refused("answer_interrupted", error.detail) from error
                pause_s = max(BACK_OFF_S * 2 ** (attempt - 1) * (0.5 + self._jitter() / 2), error.retry_after_s or 0.0)
                if attempt == ATTEMPTS_MAX or now() - began + pause_s >= min(RETRY_S_MAX, total_s):
                    after_s = 1.0 if error.retry_after_s is None else error.retry_after_s
                    raise Unavailable("model_unavailable", error.detail, retry_after_s=after_s) from error
                _log.info("model_call_retried", model=self.name, attempt=attempt, pause_s=round(pause_s, 3), detail=error.detail)
                await asyncio.sleep(pause_s)
            else:
                return

    def _call(self, request: AnswerRequest, sent: list[prompts.Message]) -> wire.ChatRequest:
        temperature: float | None = request.temperature
        if self._preset.open_temperature:
            temperature = min(request.temperature, TEMPERATURE_OPEN_MAX) if request.temperature > 0 else None
        return wire.ChatRequest(
            model=self.name,
            messages=sent,
            max_tokens=request.max_tokens,
            temperature=temperature,
            do_sample=temperature is not None,
            stream=True,
            stream_options=wire.StreamOptions(include_usage=True) if self._preset.asks_for_usage else None,
        )

    async def _stream(self, body: bytes, sent: list[prompts.Message], total_s: float) -> AsyncGenerator[Said, None]:
        """One attempt; raises Passing or Refused."""
        if self._session is None:
            raise RuntimeError("answer() before open()")
        timeout = aiohttp.ClientTimeout(
            total=total_s,
            connect=self._settings.connect_timeout_s,
            sock_connect=self._settings.connect_timeout_s,
            sock_read=self._settings.idle_timeout_s,
        )
        with _translated():
            async with self._session.post(self._url, data=body, timeout=timeout, allow_redirects=False) as response:
                if response.status != HTTPStatus.OK or response.content_type in NOT_STREAMS:
                    raise await self._failure(response)
                events, reading, size = EventSplitter(), wire.Reading(), 0
                while not reading.done:
                    chunk = await _next_chunk(response.content, reading)
                    size += len(chunk)
                    if size > RESPONSE_BYTES_MAX:
                        raise Passing(f"The answer is larger than {RESPONSE_BYTES_MAX} bytes.")
                    if text := reading.take(events.feed(chunk) if chunk else events.finish()):
                        yield Piece(text)
                    if not chunk:
                        reading.end()
                await _drained(response.content)
                yield Finish(reason=reading.reason or "stop", usage=reading.usage(sent))

    async def _failure(self, response: aiohttp.ClientResponse) -> Refused | Passing:
        error = wire.error_in(await _body_start(response.content))
        said = wire.loggable(error, self._settings.api_key.reveal())
        _log.warning("model_call_failed", model=self.name, status=response.status, code=error.code, said=said)
        if response.status == HTTPStatus.OK:
            return Refused("model_refused", f"The provider sent {response.content_type}, not a stream: is CLAW_MODEL_BASE_URL right?")
        asked_s = wire.retry_after_s(response.headers.get("Retry-After"), response.headers.get("Date"))
        return wire.failure(response.status, error, asked_s)


@contextmanager
def _translated() -> Generator[None, None, None]:
    """The client library's errors as ours."""
    try:
        yield
    except EventTooLarge as error:
        raise Passing("The provider sent an event without end.") from error
    except aiohttp.ClientSSLError as error:
        raise Refused(
            "model_refused", "No secure connection to the provider could be made: is the certificate valid, and is it https?"
        ) from error
    except TimeoutError as error:
        raise Passing("The provider did not answer in time.") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Passing(f"The connection to the provider failed ({type(error).__name__}).") from error


async def _next_chunk(content: aiohttp.StreamReader, reading: wire.Reading) -> bytes:
    """The next bytes, empty at the end. Once the answer has finished only its usage is missing: that is worth TAIL_S and no error."""
    if not reading.reason:
        return await content.readany()
    try:
        async with asyncio.timeout(TAIL_S):
            return await content.readany()
    except (TimeoutError, aiohttp.ClientError, OSError):
        return b""


async def _body_start(content: aiohttp.StreamReader) -> bytes:
    """At most ERROR_BODY_BYTES_MAX of a body."""
    body = b""
    while len(body) < ERROR_BODY_BYTES_MAX and (chunk := await content.readany()):
        body += chunk
    return body[:ERROR_BODY_BYTES_MAX]


async def _drained(content: aiohttp.StreamReader) -> None:
    """Read the end of the body, so that the connection can be kept; one that lingers is closed instead."""
    try:
        async with asyncio.timeout(LINGER_S):
            while not content.at_eof() and await content.readany():
                pass
    except (TimeoutError, aiohttp.ClientError, OSError):
        return
