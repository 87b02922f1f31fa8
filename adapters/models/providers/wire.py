"""The chat wire format of OpenAI-compatible servers: requests, and the parts of answers that are read.

Only the fields that matter are decoded; whatever else a server adds is skipped without being built. A model's thinking comes as
``reasoning_content`` (DeepSeek, GLM, Qwen) or ``reasoning`` (Ollama, OpenRouter, vLLM): it is counted, and is no part of the answer.
"""

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from adapters.models.prompts import ProviderChatMessage, estimate_prompt_tokens
from adapters.models.providers.provider_errors import TransientFailure, failure, parse_error_object
from adapters.models.providers.reasoning import ThinkingType
from adapters.models.providers.thinking import split_thinking
from adapters.text.language import estimate_tokens
from schemas.chats import Usage
from schemas.errors import Refused

TOKENS_MAX = 100_000_000  # of one answer; a larger count is a mistake and must not be charged

_REASONS = {"sensitive": "content_filter", "model_context_window_exceeded": "length"}  # BigModel's -> OpenAI's
_FAILED_REASONS = frozenset({"network_error", "error", "insufficient_system_resource"})  # the last one is DeepSeek's
_DONE = b"[DONE]"


class ProviderStreamOptions(Struct, frozen=True):
    include_usage: bool = True


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of ``POST /chat/completions``."""

    model: str
    messages: list[ProviderChatMessage]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None  # the name of the limit for OpenAI's reasoning models
    temperature: float | None = None
    do_sample: bool = True  # BigModel: False instead of temperature 0
    stop: tuple[str, ...] = ()
    stream: bool = False
    stream_options: ProviderStreamOptions | None = None
    thinking: ThinkingType | None = None  # this and the next four: see ``adapters.models.providers.reasoning``
    enable_thinking: bool | None = None
    thinking_budget: int | None = None
    chat_template_kwargs: dict[str, bool] | None = None
    reasoning_effort: str | None = None


class ProviderDelta(Struct, frozen=True):
    """Thinking is read with tolerance: whatever form it has, the text beside it is good."""

    content: str | None = None
    reasoning_content: Raw = Raw()
    reasoning: Raw = Raw()


class ProviderChunkChoice(Struct, frozen=True):
    delta: ProviderDelta | None = None
    finish_reason: str | None = None


class ProviderTokens(Struct, frozen=True):
    """``prompt_cache_hit_tokens`` is DeepSeek's. The details are read with tolerance, like the whole."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Raw = Raw()
    completion_tokens_details: Raw = Raw()
    prompt_cache_hit_tokens: Raw = Raw()


class ProviderTokenDetails(Struct, frozen=True):
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class ProviderChunk(Struct, frozen=True):
    """One event of a streamed answer. ``usage`` is read with tolerance: whatever it holds, the text is good."""

    choices: list[ProviderChunkChoice] | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


class ProviderChoice(Struct, frozen=True):
    message: ProviderDelta | None = None
    finish_reason: str | None = None


class ProviderCompletion(Struct, frozen=True):
    """An answer that came whole."""

    choices: list[ProviderChoice] | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


_chunk_decoder = msgspec.json.Decoder(ProviderChunk)
_completion_decoder = msgspec.json.Decoder(ProviderCompletion)
_tokens_decoder = msgspec.json.Decoder(ProviderTokens | None)
_details_decoder = msgspec.json.Decoder(ProviderTokenDetails)
_count_decoder = msgspec.json.Decoder(int)


class CompletionReader:
    """What was read of one streamed answer so far."""

    __slots__ = ("_estimate", "_thinking", "_thinking_estimate", "_usage", "done", "failed", "reason", "thoughts")

    def __init__(self) -> None:
        self.reason = ""  # the finish reason, once there is one
        self.done = False  # nothing more will come
        self.failed: TransientFailure | Refused | None = None  # what followed the text that was taken last
        self.thoughts = 0  # frames that carried thinking
        self._thinking: list[str] = []
        self._usage: Usage | None = None
        self._estimate = 0
        self._thinking_estimate = 0

    def feed(self, events: list[bytes]) -> str:
        """The text in ``events``; raises TransientFailure or Refused on an error object, a frame that cannot be read, or a failed finish.

        When text came before it in the same bytes, that is returned and the error is in ``failed``: the text does not depend on how
        the network cut it.
        """
        text = ""
        for event in events:
            if event == _DONE:
                self.done = True
                break
            try:
                text += self._decode_text(event)
            except (TransientFailure, Refused) as error:
                if not text:
                    raise
                self.failed = error
                break
        self._estimate += estimate_tokens(text) if text else 0
        return text

    def finish(self) -> None:
        """The body ended; raises TransientFailure when the answer had not."""
        if not (self.done or self.reason):
            raise TransientFailure("The provider ended the stream before the answer was finished.")
        self.done = True

    def take_thinking(self) -> str:
        """What the model thought since this was last called."""
        thought, self._thinking = "".join(self._thinking), []
        return thought

    def add_thinking(self, text: str) -> None:
        """Count thinking that was found in the text of the answer; its tokens were counted with the text."""
        self._thinking_estimate += estimate_tokens(text)

    def usage(self, sent: list[ProviderChatMessage]) -> Usage:
        """The usage that the provider counted, or an estimate. A provider that does not count thinking apart is helped by an estimate."""
        if self._usage is None:
            return Usage(
                prompt_tokens=estimate_prompt_tokens(sent),
                completion_tokens=self._estimate,
                estimated=True,
                reasoning_tokens=min(self._thinking_estimate, self._estimate),
            )
        if self._usage.reasoning_tokens or not self._thinking_estimate:
            return self._usage
        return replace(self._usage, reasoning_tokens=min(self._thinking_estimate, self._usage.completion_tokens))

    def _decode_text(self, event: bytes) -> str:
        try:
            frame = _chunk_decoder.decode(event)
        except msgspec.DecodeError as error:
            raise TransientFailure("The provider sent a frame that cannot be read.") from error
        if (error_object := bytes(frame.error)) and error_object != b"null":
            raise failure(None, parse_error_object(error_object))
        self._usage = parse_usage(frame.usage) or self._usage
        if not frame.choices:
            return ""
        choice = frame.choices[0]
        if choice.finish_reason:
            if choice.finish_reason in _FAILED_REASONS:
                raise TransientFailure(f"The provider stopped ({choice.finish_reason}).")
            self.reason = _REASONS.get(choice.finish_reason, choice.finish_reason)
        if choice.delta is None:
            return ""
        if thought := parse_thinking(choice.delta):
            self.thoughts += 1
            self._thinking.append(thought)
            tokens = estimate_tokens(thought)
            self._estimate += tokens
            self._thinking_estimate += tokens
        return choice.delta.content or ""


def parse_thinking(message: ProviderDelta) -> str:
    """The thinking in a message or a piece of one; servers that send it under both names mean the same."""
    for given in (message.reasoning_content, message.reasoning):
        try:
            thought = msgspec.json.decode(given) if bytes(given) else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if isinstance(thought, str) and thought:
            return thought
    return ""


def parse_usage(usage: Raw) -> Usage | None:
    """The usage that the provider counted; None when it is missing or impossible."""
    given = bytes(usage)
    if given in (b"", b"null"):
        return None
    try:
        tokens = _tokens_decoder.decode(given)
    except msgspec.DecodeError:
        return None
    if tokens is None or tokens.prompt_tokens is None or tokens.completion_tokens is None:
        return None
    if not (0 <= tokens.prompt_tokens <= TOKENS_MAX and 0 <= tokens.completion_tokens <= TOKENS_MAX):
        return None
    cached = _parse_details(tokens.prompt_tokens_details).cached_tokens or _parse_count(tokens.prompt_cache_hit_tokens)
    reasoning = _parse_details(tokens.completion_tokens_details).reasoning_tokens
    return Usage(
        prompt_tokens=tokens.prompt_tokens,
        completion_tokens=tokens.completion_tokens,
        reasoning_tokens=min(max(reasoning, 0), tokens.completion_tokens),
        cached_tokens=min(max(cached, 0), tokens.prompt_tokens),
    )


def _parse_details(details: Raw) -> ProviderTokenDetails:
    try:
        return _details_decoder.decode(details) if bytes(details) not in (b"", b"null") else ProviderTokenDetails()
    except msgspec.DecodeError:
        return ProviderTokenDetails()


def _parse_count(given: Raw) -> int:
    try:
        return _count_decoder.decode(given) if bytes(given) not in (b"", b"null") else 0
    except msgspec.DecodeError:
        return 0


class WholeText(Struct, frozen=True, kw_only=True):
    """An answer that came whole. ``thought``: whether the model thought before it."""

    text: str
    usage: Usage
    thought: bool = False


def parse_completion(body: bytes, sent: list[ProviderChatMessage], *, opened: bool = False) -> WholeText:
    """Text and usage of an answer that came whole, without its thinking; raises TransientFailure or Refused. ``opened``: the text begins
    inside the thinking, and is all thinking when its tokens were used up before ``</think>``.
    """
    try:
        read = _completion_decoder.decode(body)
    except msgspec.DecodeError as error:
        raise TransientFailure("The provider sent an answer that cannot be read.") from error
    if (error_object := bytes(read.error)) and error_object != b"null":
        raise failure(None, parse_error_object(error_object))
    choice = read.choices[0] if read.choices else ProviderChoice()
    if choice.finish_reason in _FAILED_REASONS:
        raise TransientFailure(f"The provider stopped ({choice.finish_reason}).")
    message = choice.message or ProviderDelta()
    text, thinking = message.content or "", parse_thinking(message)
    answer, inside = split_thinking(text)
    if opened and not thinking and not inside and choice.finish_reason == "length":
        answer, inside = "", text
    tokens = estimate_tokens(text) + estimate_tokens(thinking)
    reasoning = min(estimate_tokens(thinking + inside), tokens)
    estimate = Usage(prompt_tokens=estimate_prompt_tokens(sent), completion_tokens=tokens, estimated=True, reasoning_tokens=reasoning)
    usage = parse_usage(read.usage) or estimate
    if not usage.reasoning_tokens and reasoning:
        usage = replace(usage, reasoning_tokens=min(reasoning, usage.completion_tokens))
    return WholeText(text=answer, usage=usage, thought=bool(thinking or inside) or usage.reasoning_tokens > 0)
