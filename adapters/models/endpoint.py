"""One provider's chat endpoint: its connections, its requests, and its failures as errors of this product."""

from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus

import aiohttp
import msgspec
import structlog

from adapters.concurrency import Permit
from adapters.models import prompts, wire
from adapters.models.port import Speaker
from adapters.models.presets import PRESETS
from adapters.models.prices import Prices
from adapters.models.sse import EventTooLarge
from adapters.models.wire import PermitLost, TransientFailure
from schemas.errors import ConfigurationError, Refused
from schemas.settings import ModelSettings

ERROR_BODY_BYTES_MAX = 8_192
TEMPERATURE_OPEN_MAX = 0.99
KEEP_ALIVE_S = 15.0  # below the idle limit of common servers, so that an idle connection is rarely closed by the server

_log = structlog.get_logger(__name__)
_encoder = msgspec.json.Encoder()


class Endpoint:
    """Holds one session of at most ``settings.concurrency`` connections, from open() to close().

    ``variables`` is where the settings come from, for messages. Raises ConfigurationError when they cannot work.
    """

    def __init__(self, settings: ModelSettings, *, variables: str = "CLAW_MODEL_") -> None:
        self.preset = PRESETS[settings.provider]
        self.settings = settings
        self.base_url = settings.base_url or self.preset.base_url
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{variables}BASE_URL: expected an http:// or https:// URL, got {self.base_url!r}")
        if not settings.api_key and not settings.base_url:
            raise ConfigurationError(f"{variables}API_KEY: provider {settings.provider!r} needs a key")
        self.model = settings.name or self.preset.model
        self._url = self.base_url.rstrip("/") + "/chat/completions"
        self._variables = variables
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        if self._session is None:
            key = self.settings.api_key.reveal()
            headers = {"Accept-Encoding": "identity", "Content-Type": "application/json", "User-Agent": "claw"}
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.settings.concurrency, keepalive_timeout=KEEP_ALIVE_S),
                headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}),
                cookie_jar=aiohttp.DummyCookieJar(),
            )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def speaker(self, prompt_hash: str) -> Speaker:
        """The model that answers here, for the record."""
        prices = Prices(self.settings.price_prompt, self.settings.price_completion)
        return Speaker(model=self.model, provider=self.settings.provider, prompt_hash=prompt_hash, prices=prices)

    def request_body(
        self, sent: list[prompts.ProviderChatMessage], *, max_tokens: int, temperature: float, stop: tuple[str, ...] = (), stream: bool
    ) -> bytes:
        """The body of the request."""
        sampled: float | None = temperature
        if self.preset.open_temperature:
            sampled = min(temperature, TEMPERATURE_OPEN_MAX) if temperature > 0 else None
        request = wire.ChatRequest(
            model=self.model,
            messages=sent,
            max_tokens=max_tokens,
            temperature=sampled,
            do_sample=sampled is not None,
            stop=stop if len(stop) <= self.preset.stops_max else (),
            stream=stream,
            stream_options=wire.ProviderStreamOptions(include_usage=True) if stream and self.preset.asks_for_usage else None,
        )
        return _encoder.encode(request)

    @asynccontextmanager
    async def post(self, body: bytes, permit: Permit, *, total_s: float, stream: bool) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to one call, closed at the end; raises TransientFailure or Refused, also for failures inside.

        A lost permit closes the call at once, wherever it stands.
        """
        if self._session is None:
            raise RuntimeError("a call before open()")
        timeout = aiohttp.ClientTimeout(
            total=total_s,
            connect=self.settings.connect_timeout_s,
            sock_connect=self.settings.connect_timeout_s,
            sock_read=self.settings.idle_timeout_s,
        )
        accept = {"Accept": "text/event-stream" if stream else "application/json"}
        with _translate_errors(permit):
            async with permit.guard():
                response = await self._session.post(self._url, data=body, headers=accept, timeout=timeout, allow_redirects=False)
            async with response:
                permit.on_lost(response.close)
                if response.status != HTTPStatus.OK:
                    raise await self.failure(response)
                yield response

    async def failure(self, response: aiohttp.ClientResponse) -> Refused | TransientFailure:
        """The error for a response that is no answer."""
        error = wire.parse_error(await _read_error_body(response.content))
        message = wire.log_text(error, self.settings.api_key.reveal())
        _log.warning("model_call_failed", model=self.model, status=response.status, code=error.code, message=message)
        if response.status == HTTPStatus.OK:
            url = f"{self._variables}BASE_URL"
            return Refused("model_refused", f"The provider sent {response.content_type}, not an answer: is {url} right?")
        asked_s = wire.retry_after_s(response.headers.get("Retry-After"), response.headers.get("Date"))
        return wire.failure(response.status, error, asked_s)


@contextmanager
def _translate_errors(permit: Permit) -> Generator[None, None, None]:
    """Translate the client library's errors."""
    try:
        yield
    except EventTooLarge as error:
        raise TransientFailure("The provider sent an event without end.") from error
    except aiohttp.ClientSSLError as error:
        raise Refused(
            "model_refused", "No secure connection to the provider could be made: is the certificate valid, and is it https?"
        ) from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        if permit.lost:
            raise PermitLost("The call's permit could not be renewed: the call was closed.") from error
        if isinstance(error, TimeoutError):
            raise TransientFailure("The provider did not answer in time.") from error
        raise TransientFailure(f"The connection to the provider failed ({type(error).__name__}).") from error


async def _read_error_body(content: aiohttp.StreamReader) -> bytes:
    """At most ERROR_BODY_BYTES_MAX of a body."""
    body = b""
    while len(body) < ERROR_BODY_BYTES_MAX and (chunk := await content.readany()):
        body += chunk
    return body[:ERROR_BODY_BYTES_MAX]
