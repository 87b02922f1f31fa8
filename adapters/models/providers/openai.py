"""Any OpenAI-compatible server as an answering model: one lean streaming client, with presets for OpenAI and BigModel (GLM).

aiohttp for the connection, events cut by hand, msgspec for the frames: the official clients cost several times the CPU per answer.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import aiohttp
import structlog
from msgspec import Struct

from adapters.concurrency import UNLIMITED, ConcurrencyLimit, Priority
from adapters.models import metrics, prompts
from adapters.models.breaker import BreakerCall, CircuitBreaker
from adapters.models.fingerprint import hash_messages
from adapters.models.port import AnswerPart, AnswerRequest, EmptyAnswer, Finish, Piece, Speaker, Spent, ThoughtPiece
from adapters.models.providers import retries, wire
from adapters.models.providers.endpoint import Endpoint
from adapters.models.providers.provider_errors import TransientFailure
from adapters.models.providers.retries import RetryPolicy
from adapters.models.providers.sse import EventSplitter
from adapters.models.providers.thinking import ThinkingFilter
from adapters.models.stop_sequences import AnswerTruncator
from schemas.errors import Refused, Unavailable
from schemas.settings import ModelSettings

RESPONSE_BYTES_MAX = 16_777_216  # 131,072 tokens in frames of 128 bytes
NOT_STREAMS = frozenset({"application/json", "text/html"})
TAIL_S = 2.0  # how long usage may take after the last token
PROMPT_TOKENS_MIN = 1_000  # of a prompt, however long the answer may become
LINGER_S = 0.05  # how long the end of the body may take after [DONE]; then the connection is closed, not reused

_log = structlog.get_logger(__name__)


class OpenAIModel:
    """An AnswerModel. Calls pass ``limit``, one permit per attempt, and the breaker of ``settings``."""

    def __init__(
        self,
        settings: ModelSettings,
        *,
        tokens_max: int = prompts.PROMPT_TOKENS_MAX,
        limit: ConcurrencyLimit = UNLIMITED,
        patience: RetryPolicy = retries.LAST_MODEL,
        variables: str = "CLAW_MODEL_",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._endpoint = Endpoint(settings, variables=variables)
        self.name, self.provider = self._endpoint.model, settings.provider
        self.names = (self.name,)
        self._settings, self._tokens_max, self._limit = settings, tokens_max, limit
        self._breaker = CircuitBreaker.of(self.name, settings)
        self._opened = False  # texts were seen to begin inside the thinking
        self._patience, self._jitter = patience, jitter

    async def start(self) -> None:
        await self._endpoint.start()

    async def stop(self) -> None:
        await self._endpoint.stop()

    async def answer(self, request: AnswerRequest) -> AsyncGenerator[AnswerPart, None]:
        """See AnswerModel. Calls that fail before the first piece are repeated by the policy ``patience``, less often when another
        model is asked next.
        """
        call = self._prepare(request)
        total_s = self._settings.total_timeout_s if request.within_s is None else request.within_s
        patience = retries.EARLIER_MODEL if request.others_left else self._patience
        now = asyncio.get_running_loop().time
        began = now()
        for attempt in range(1, patience.attempts + 1):
            has_text = False
            try:
                async with aclosing(self._attempt(call, total_s - (now() - began))) as stream:
                    async for item in stream:
                        has_text = has_text or isinstance(item, Piece | Finish)
                        yield item
            except (TransientFailure, Refused) as error:
                if has_text:
                    raise Refused("answer_interrupted", error.detail) from error
                if isinstance(error, Refused):
                    raise
                if error.usage is not None:
                    yield Spent(usage=error.usage, speaker=call.speaker)
                pause_s = retries.pause_s(error, attempt, jitter=self._jitter())
                late = now() - began + pause_s >= min(patience.window_s, total_s)
                if late or attempt == patience.attempts:
                    raise retries.as_unavailable(error) from error
                _log.info("model_call_retried", model=self.name, attempt=attempt, pause_s=round(pause_s, 3), detail=error.detail)
                await asyncio.sleep(pause_s)
            else:
                return

    def _prepare(self, request: AnswerRequest) -> "_AnswerCall":
        """The call for a request. A model that thinks gets tokens for it on top of the answer's, where both count against one limit."""
        budget = self._settings.thinking_tokens
        thinking = self._endpoint.thinking_fields(request.thinking, request.reasoning_effort, budget=budget)
        max_tokens = request.max_tokens + (budget if thinking.thinks and self._endpoint.limits_thinking else 0)
        context = self._endpoint.family.context
        room = max(context - max_tokens, PROMPT_TOKENS_MIN) if context else self._tokens_max
        sent = prompts.build_messages(request, tokens_max=min(self._tokens_max, room))
        body = self._endpoint.request_body(
            sent, max_tokens=max_tokens, temperature=request.temperature, stop=request.stop, stream=True, thinking=thinking
        )
        return _AnswerCall(
            body=body,
            sent=sent,
            cuts=request.stop if len(request.stop) > self._endpoint.stops_max else (),
            speaker=self._endpoint.speaker(hash_messages(sent)),
            opened=(self._endpoint.opens_thinking or self._opened) and thinking.thinks is not False,
        )

    async def _attempt(self, call: "_AnswerCall", total_s: float) -> AsyncGenerator[AnswerPart, None]:
        """One call; raises TransientFailure, Refused, or Unavailable when it may not be made."""
        wait_s = min(self._settings.permit_wait_s, total_s)
        reading = wire.CompletionReader()
        try:
            with self._breaker.call() as watched:
                async with (
                    self._limit.permit(Priority.PEOPLE, wait_s) as permit,
                    self._endpoint.post(call.body, permit, total_s=total_s, stream=True) as response,
                ):
                    if response.content_type in NOT_STREAMS:
                        raise await self._endpoint.failure(response)
                    async with aclosing(self._read(call, response.content, reading, watched)) as parts:
                        async for part in parts:
                            yield part
        except TransientFailure as error:
            if reading.thoughts:
                error.usage = reading.usage(call.sent)
            raise

    async def _read(
        self, call: "_AnswerCall", content: aiohttp.StreamReader, reading: wire.CompletionReader, watched: BreakerCall
    ) -> AsyncGenerator[AnswerPart, None]:
        """The parts of one answer."""
        cutter, parser, spoke = AnswerTruncator(call.cuts), _ThinkingParser(call, reading), False
        async for text in _TextStream(content, reading):
            watched.mark_alive()
            shown = cutter.feed(parser.feed(text))
            if thought := parser.take_thinking():
                yield ThoughtPiece(thought, call.speaker)
            if parser.leaked:
                self._opened = True
                yield Spent(usage=reading.usage(call.sent), speaker=call.speaker)
                raise _leaked(self.name)
            if shown:
                spoke = True
                yield Piece(shown, call.speaker)
            if cutter.reason:
                break
        else:
            if held := cutter.feed(parser.finish(reading.reason)) + cutter.finish():
                spoke = True
                yield Piece(held, call.speaker)
            await _drain(content)
        self._opened = self._opened and not parser.mistaken
        reason, usage = cutter.reason or reading.reason or "stop", reading.usage(call.sent)
        metrics.count_tokens(self.name, usage)
        if not spoke:
            thought_only = bool(reading.thoughts) or parser.found
            raise EmptyAnswer(_empty_reason(reason, usage.completion_tokens, thought=thought_only), usage=usage, speaker=call.speaker)
        yield Finish(reason=reason, usage=usage, speaker=call.speaker)


class _AnswerCall(Struct, frozen=True, kw_only=True):
    """The request of one answer. ``cuts``: stop sequences that the server does not take. ``opened``: its text may begin inside thinking."""

    body: bytes
    sent: list[prompts.ProviderChatMessage]
    cuts: tuple[str, ...]
    speaker: Speaker
    opened: bool = False


class _ThinkingParser:
    """Separates thinking in the text of one answer, and collects that which came in fields of its own. ``mistaken``: the text was expected
    to begin inside thinking, and was an answer. A server that has sent thinking apart has a parser: its text is the answer.
    """

    def __init__(self, call: _AnswerCall, reading: wire.CompletionReader) -> None:
        self._call, self._reading = call, reading
        self._filter: ThinkingFilter | None = None
        self.mistaken = False

    @property
    def leaked(self) -> bool:
        return self._filter is not None and self._filter.leaked

    @property
    def found(self) -> bool:
        return self._filter is not None and (self._filter.found or self._filter.is_thinking)

    def feed(self, text: str) -> str:
        """The part of ``text`` that is the answer."""
        if not text:
            return ""
        if self._filter is None:
            self._filter = ThinkingFilter(opened=self._call.opened and not self._reading.thoughts)
        return self._filter.feed(text)

    def take_thinking(self) -> str:
        """All thinking since this was last called."""
        inside = "" if self._filter is None else self._filter.take_thinking()
        if inside:
            self._reading.add_thinking(inside)
        return self._reading.take_thinking() + inside

    def finish(self, reason: str) -> str:
        """The rest of the answer."""
        if self._filter is None:
            return ""
        was_thinking = self._filter.is_thinking
        held = self._filter.finish(reason)
        self.mistaken = was_thinking and bool(held)
        return held


class _TextStream:
    """The text of the answer as it comes, empty where the model only thought; iterating raises TransientFailure or Refused."""

    __slots__ = ("_content", "_events", "_reading", "_size")

    def __init__(self, content: aiohttp.StreamReader, reading: wire.CompletionReader) -> None:
        self._content, self._reading = content, reading
        self._events, self._size = EventSplitter(), 0

    def __aiter__(self) -> "_TextStream":
        return self

    async def __anext__(self) -> str:
        reading, events = self._reading, self._events
        while not reading.done:
            if reading.failed is not None:
                raise reading.failed
            chunk = await _next_chunk(self._content, reading)
            self._size += len(chunk)
            if self._size > RESPONSE_BYTES_MAX:
                raise TransientFailure(f"The answer is larger than {RESPONSE_BYTES_MAX} bytes.")
            thoughts = reading.thoughts
            text = reading.feed(events.feed(chunk) if chunk else events.finish())
            if text or reading.thoughts > thoughts:
                return text
            if not chunk:
                reading.finish()
        raise StopAsyncIteration


def _leaked(model: str) -> Unavailable:
    """What was given out was thinking: the answer has to be generated anew, and its text is then expected to begin inside thinking."""
    _log.warning("model_thinking_leaked", model=model, remedy="set CLAW_MODEL_THINKING_OPENED, or a reasoning parser at the server")
    return Unavailable("model_unavailable", "The text began inside the model's thinking, which its chat template had opened.")


def _empty_reason(reason: str, tokens: int, *, thought: bool) -> str:
    """Why there is no answer."""
    if reason == "content_filter":
        return "The provider's content filter withheld the whole answer."
    if reason == "length":
        where = "while the model thought" if thought else "at once"
        return f"The limit of tokens was reached {where}, after {tokens}, before the first word of the answer."
    return "The model thought, and ended without a word of an answer." if thought else "The model ended without a word."


async def _next_chunk(content: aiohttp.StreamReader, reading: wire.CompletionReader) -> bytes:
    """The next bytes, empty at the end. Once the answer has finished only its usage is missing: that is worth TAIL_S and no error."""
    if not reading.reason:
        return await content.readany()
    try:
        async with asyncio.timeout(TAIL_S):
            return await content.readany()
    except (TimeoutError, aiohttp.ClientError, OSError):
        return b""


async def _drain(content: aiohttp.StreamReader) -> None:
    """Read the end of the body, so that the connection can be reused; one that lingers is closed instead."""
    try:
        async with asyncio.timeout(LINGER_S):
            while not content.at_eof() and await content.readany():
                pass
    except (TimeoutError, aiohttp.ClientError, OSError):
        return
