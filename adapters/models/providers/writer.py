"""Short texts that a provider's model writes for the product itself, beside answers and after them."""

import asyncio
import random
from collections.abc import Callable

import structlog

from adapters.concurrency import UNLIMITED, ConcurrencyLimit, Priority
from adapters.models import metrics
from adapters.models.breaker import CircuitBreaker
from adapters.models.port import Completion
from adapters.models.prompts import ProviderChatMessage
from adapters.models.providers import retries, wire
from adapters.models.providers.endpoint import Endpoint
from adapters.models.providers.provider_errors import TransientFailure
from adapters.models.providers.retries import SHORT_TEXT
from schemas.errors import Refused, Unavailable
from schemas.settings import ModelSettings

TEMPERATURE = 0.0  # the same text is condensed the same way
BODY_BYTES_MAX = 1_048_576  # of a reply; a short text is a few KB

log = structlog.get_logger(__name__)


class ModelWriter:
    """A ``Writer`` whose calls get permits after those of answers.

    The model is told not to think. One that cannot be told, or was seen to think all the same, gets ``text_thinking_tokens`` on top. A
    model that wrote nothing is left alone for ``text_pause_s``.
    """

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
        self._settings, self._limit, self._jitter = settings, limit, jitter
        self._breaker = CircuitBreaker.of(self.name, settings)
        self._thinks = False  # although it was told not to
        self._silent_until_s = 0.0

    async def start(self) -> None:
        await self._endpoint.start()

    async def stop(self) -> None:
        await self._endpoint.stop()

    async def write(self, instructions: str, text: str, *, max_tokens: int, timeout_s: float) -> Completion:
        """See ``Writer``. A call that fails is repeated once, if the time allows."""
        now = asyncio.get_running_loop().time
        if (left_s := self._silent_until_s - now()) > 0:
            raise Refused("model_answer_empty", f"{self.name} wrote nothing, and is not asked for short texts for another {left_s:.0f} s.")
        sent = [ProviderChatMessage("system", instructions), ProviderChatMessage("user", text)]
        body = self._request_body(sent, max_tokens)
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
                written = wire.parse_completion(bytes(reply), sent, opened=self._endpoint.opens_thinking)
        usage = written.usage
        metrics.count_tokens(self.name, usage)
        self._thinks = self._thinks or written.thought
        if not written.text.strip():
            self._silent_until_s = asyncio.get_running_loop().time() + self._settings.text_pause_s
            log.warning("model_wrote_nothing", model=self.name, completion_tokens=usage.completion_tokens, thought=written.thought)
        cost_micros = self._endpoint.speaker("").prices.cost_micros(usage)
        return Completion(text=written.text, usage=usage, model=self.name, provider=self.provider, cost_micros=cost_micros)

    def _request_body(self, sent: list[ProviderChatMessage], max_tokens: int) -> bytes:
        budget = self._settings.text_thinking_tokens
        thinking = self._endpoint.thinking_fields("off", budget=budget)
        if thinking.thinks or self._thinks:
            max_tokens += budget
        return self._endpoint.request_body(sent, max_tokens=max_tokens, temperature=TEMPERATURE, stream=False, thinking=thinking)
