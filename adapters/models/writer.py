"""Short texts that a provider's model writes for the product itself, beside answers and after them."""

import asyncio
import random
from collections.abc import Callable

import structlog

from adapters.concurrency import UNLIMITED, ConcurrencyLimit, Priority
from adapters.models import retries, wire
from adapters.models.breaker import CircuitBreaker
from adapters.models.endpoint import Endpoint
from adapters.models.port import Completion
from adapters.models.prices import Prices
from adapters.models.prompts import ProviderChatMessage
from adapters.models.retries import SHORT_TEXT
from adapters.models.wire import TransientFailure
from schemas.errors import Unavailable
from schemas.settings import ModelSettings

TEMPERATURE = 0.0  # the same text is condensed the same way
BODY_BYTES_MAX = 1_048_576  # of a reply; a short text is a few KB

log = structlog.get_logger(__name__)


class ModelWriter:
    """A ``Writer`` whose calls get permits after those of answers."""

    def __init__(
        self,
        settings: ModelSettings,
        *,
        limit: ConcurrencyLimit = UNLIMITED,
        variables: str = "CLAW_MODEL_",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._endpoint = Endpoint(settings, variables=variables)
        self.name, self.provider = self._endpoint.model, settings.provider
        self._prices = Prices(settings.price_prompt, settings.price_completion)
        self._limit, self._jitter = limit, jitter
        self._breaker = CircuitBreaker(self.name, failures_max=settings.breaker_failures, pause_s=settings.breaker_pause_s)

    async def open(self) -> None:
        await self._endpoint.open()

    async def close(self) -> None:
        await self._endpoint.close()

    async def write(self, instructions: str, text: str, *, max_tokens: int, timeout_s: float) -> Completion:
        """See ``Writer``. A call that fails is repeated once, if the time allows."""
        sent = [ProviderChatMessage("system", instructions), ProviderChatMessage("user", text)]
        body = self._endpoint.request_body(sent, max_tokens=max_tokens, temperature=TEMPERATURE, stream=False)
        now = asyncio.get_running_loop().time
        ends = now() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                for attempt in range(1, SHORT_TEXT.attempts + 1):
                    try:
                        return await self._attempt(body, sent, ends - now())
                    except TransientFailure as error:
                        pause_s = retries.pause_s(error, attempt, jitter=self._jitter())
                        if attempt == SHORT_TEXT.attempts or pause_s >= min(SHORT_TEXT.window_s, ends - now()):
                            raise retries.as_unavailable(error) from error
                        await asyncio.sleep(pause_s)
        except TimeoutError as error:
            raise Unavailable("model_unavailable", f"{self.name} wrote nothing within {timeout_s:g} s.") from error
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, body: bytes, sent: list[ProviderChatMessage], total_s: float) -> Completion:
        with self._breaker.call():
            async with (
                self._limit.permit(Priority.TEXTS, total_s) as permit,
                self._endpoint.post(body, permit, total_s=total_s, stream=False) as response,
            ):
                reply = bytearray()
                while chunk := await response.content.readany():
                    reply += chunk
                    if len(reply) > BODY_BYTES_MAX:
                        raise TransientFailure(f"The reply is larger than {BODY_BYTES_MAX} bytes.")
                text, usage = wire.parse_completion(bytes(reply), sent)
        if not text.strip():
            log.warning("model_wrote_nothing", model=self.name, completion_tokens=usage.completion_tokens)
        cost_micros = self._prices.cost_micros(usage)
        return Completion(text=text, usage=usage, model=self.name, provider=self.provider, cost_micros=cost_micros)
