"""One provider's chat endpoint: its connections, its requests, and its failures as errors of this product."""

from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus

import aiohttp
import msgspec
import structlog

from adapters.concurrency import Permit
from adapters.models import prompts
from adapters.models.candidates import find_problem
from adapters.models.port import Speaker
from adapters.models.prices import choose_prices
from adapters.models.providers import provider_errors, reasoning, wire
from adapters.models.providers.families import family_of, list_prices
from adapters.models.providers.presets import PRESETS
from adapters.models.providers.provider_errors import PermitLost, TransientFailure
from adapters.models.providers.reasoning import ThinkingFields
from adapters.models.providers.sse import EventTooLarge
from schemas.errors import ConfigurationError, Refused
from schemas.settings import ModelSettings
from schemas.thinking import ReasoningEffort, Thinking

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
        if problem := find_problem(settings, variables):
            raise ConfigurationError(problem)
        self.base_url = settings.base_url or self.preset.base_url
        self.model = settings.name or self.preset.model
        self.family = family_of(self.model)
        self._server = reasoning.server_of(settings.provider, self.base_url)
        self._control = reasoning.control_of(settings.provider, self.base_url, self.family)
        self._prices = choose_prices(
            list_prices(self.model, settings.price_currency), settings.price_prompt, settings.price_completion, settings.price_cached_prompt
        )
        self._url = self.base_url.rstrip("/") + "/chat/completions"
        self._variables = variables
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        if self._session is None:
            key = self.settings.api_key.reveal()
            headers = {"Accept-Encoding": "identity", "Content-Type": "application/json", "User-Agent": "claw"}
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.settings.concurrency, keepalive_timeout=KEEP_ALIVE_S),
                headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}),
                cookie_jar=aiohttp.DummyCookieJar(),
            )

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def stops_max(self) -> int:
        """The number of stop sequences that the server takes."""
        return 0 if self.family.fixed_sampling else self.preset.stops_max

    @property
    def limits_thinking(self) -> bool:
        """Whether thinking counts against the limit of the answer's tokens."""
        return self._server.limits_thinking

    @property
    def opens_thinking(self) -> bool:
        """Whether texts may begin inside the thinking: as the settings say, or as templates of such models do on servers that may have no
        parser.
        """
        return self.settings.thinking_opened or (self.family.opened and self._control == "template")

    def speaker(self, prompt_hash: str) -> Speaker:
        """The model that answers here, for the record."""
        return Speaker(model=self.model, provider=self.settings.provider, prompt_hash=prompt_hash, prices=self._prices)

    def thinking_fields(self, mode: Thinking = "auto", effort: ReasoningEffort = "", *, budget: int) -> ThinkingFields:
        """The fields for a wish of the caller; what it leaves open is decided by the settings."""
        settings = self.settings
        if mode == "auto" and not effort:
            mode = settings.thinking
        effort = effort or settings.reasoning_effort
        return reasoning.thinking_fields(self.family, self._control, mode, effort, budget=budget, preset=self._server)

    def request_body(
        self,
        sent: list[prompts.ProviderChatMessage],
        *,
        max_tokens: int,
        temperature: float,
        stop: tuple[str, ...] = (),
        stream: bool,
        thinking: ThinkingFields,
    ) -> bytes:
        """The body of the request."""
        sampled: float | None = temperature
        if self.preset.open_temperature:
            sampled = min(temperature, TEMPERATURE_OPEN_MAX) if temperature > 0 else None
        fixed = self.family.fixed_sampling
        request = wire.ChatRequest(
            model=self.model,
            messages=sent,
            max_tokens=None if fixed else max_tokens,
            max_completion_tokens=max_tokens if fixed else None,
            temperature=None if fixed else sampled,
            do_sample=fixed or sampled is not None,
            stop=stop if len(stop) <= self.stops_max else (),
            stream=stream,
            stream_options=wire.ProviderStreamOptions(include_usage=True) if stream and self.preset.asks_for_usage else None,
            **thinking.members(),
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
        error = provider_errors.parse_error(await _read_error_body(response.content))
        message = provider_errors.log_text(error, self.settings.api_key.reveal())
        _log.warning("model_call_failed", model=self.model, status=response.status, code=error.code, message=message)
        date = response.headers.get("Date")
        if response.status == HTTPStatus.OK and (error.code or error.type):
            return provider_errors.failure(None, error, now=provider_errors.parse_date(date))
        if response.status == HTTPStatus.OK:
            url = f"{self._variables}BASE_URL"
            return Refused("model_refused", f"The provider sent {response.content_type}, not an answer: is {url} right?")
        asked_s = provider_errors.parse_retry_after(response.headers.get("Retry-After"), date)
        return provider_errors.failure(response.status, error, asked_s, provider_errors.parse_date(date))


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
