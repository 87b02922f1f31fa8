"""The chat wire format of OpenAI-compatible servers: requests, the parts of answers that are read, and errors.

Only the fields that matter are decoded; whatever else a server adds is skipped without being built. A model's thinking comes as
``reasoning_content`` (DeepSeek, GLM, Qwen) or ``reasoning`` (Ollama, OpenRouter, vLLM): it is counted, and is no part of the answer.
"""

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import isfinite

import msgspec
from msgspec import Raw, Struct

from adapters.models.prompts import ProviderChatMessage, estimate_prompt_tokens
from adapters.models.thinking import strip_thinking
from adapters.text.language import estimate_tokens
from schemas.chats import Usage
from schemas.errors import Refused

RETRY_AFTER_S_MAX = 3_600.0
TOKENS_MAX = 100_000_000  # of one answer; a larger count is a mistake and must not be charged

# Transient statuses and codes; an exhausted quota comes as 429 but is not transient.
_TRANSIENT_STATUSES = frozenset({408, 409, 425, 429})
_QUOTA_CODES = frozenset({"insufficient_quota", "1113"})
# Inside a stream there is no status: only these mean that the request itself was at fault (BigModel numbers its errors).
_PERMANENT_CODES = frozenset(
    {"invalid_request_error", "authentication_error", "permission_error", "invalid_api_key", "context_length_exceeded"}
)
_PERMANENT_NUMBERS = frozenset(
    {"1000", "1001", "1002", "1003", "1004", "1110", "1111", "1112", "1210", "1211", "1212", "1213", "1214", "1261"}
)
_CODE_CHARS_MAX = 64
_MESSAGE_CHARS_MAX = 300

_REASONS = {"sensitive": "content_filter"}  # BigModel's -> OpenAI's
_FAILED_REASONS = frozenset({"network_error", "error"})
_DONE = b"[DONE]"


class TransientFailure(Exception):
    """The call failed transiently; ``retry_after_s`` when the provider gave one."""

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail, self.retry_after_s = detail, retry_after_s


class PermitLost(TransientFailure):
    """The call was closed by this process: its permit was lost."""


class ProviderStreamOptions(Struct, frozen=True):
    include_usage: bool = True


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of ``POST /chat/completions``."""

    model: str
    messages: list[ProviderChatMessage]
    max_tokens: int
    temperature: float | None = None
    do_sample: bool = True  # BigModel: False instead of temperature 0
    stop: tuple[str, ...] = ()
    stream: bool = False
    stream_options: ProviderStreamOptions | None = None


class ProviderDelta(Struct, frozen=True):
    """Thinking is read with tolerance: whatever form it has, the text beside it is good."""

    content: str | None = None
    reasoning_content: Raw = Raw()
    reasoning: Raw = Raw()


class ProviderChunkChoice(Struct, frozen=True):
    delta: ProviderDelta | None = None
    finish_reason: str | None = None


class ProviderTokens(Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


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


class ProviderErrorBody(Struct, frozen=True):
    """``{"error": …}``, the body of a failed call."""

    error: Raw = Raw()


class ProviderError(Struct, frozen=True):
    """What servers put into it; some send numbers as codes."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None


_chunk_decoder = msgspec.json.Decoder(ProviderChunk)
_completion_decoder = msgspec.json.Decoder(ProviderCompletion)
_tokens_decoder = msgspec.json.Decoder(ProviderTokens | None)


class CompletionReader:
    """What was read of one streamed answer so far."""

    __slots__ = ("_estimate", "_usage", "done", "failed", "reason", "thoughts")

    def __init__(self) -> None:
        self.reason = ""  # the finish reason, once there is one
        self.done = False  # nothing more will come
        self.failed: TransientFailure | Refused | None = None  # what followed the text that was taken last
        self.thoughts = 0  # frames that carried thinking
        self._usage: Usage | None = None
        self._estimate = 0

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

    def usage(self, sent: list[ProviderChatMessage]) -> Usage:
        """The usage that the provider counted, or an estimate."""
        return self._usage or Usage(prompt_tokens=estimate_prompt_tokens(sent), completion_tokens=self._estimate, estimated=True)

    def _decode_text(self, event: bytes) -> str:
        try:
            frame = _chunk_decoder.decode(event)
        except msgspec.DecodeError as error:
            raise TransientFailure("The provider sent a frame that cannot be read.") from error
        if (error_object := bytes(frame.error)) and error_object != b"null":
            raise failure(None, parse_error(frame.error))
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
            self._estimate += estimate_tokens(thought)
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
    return Usage(prompt_tokens=tokens.prompt_tokens, completion_tokens=tokens.completion_tokens)


def parse_completion(body: bytes, sent: list[ProviderChatMessage]) -> tuple[str, Usage]:
    """Text and usage of an answer that came whole, without its thinking; raises TransientFailure or Refused."""
    try:
        read = _completion_decoder.decode(body)
    except msgspec.DecodeError as error:
        raise TransientFailure("The provider sent an answer that cannot be read.") from error
    if (error_object := bytes(read.error)) and error_object != b"null":
        raise failure(None, parse_error(read.error))
    choice = read.choices[0] if read.choices else ProviderChoice()
    if choice.finish_reason in _FAILED_REASONS:
        raise TransientFailure(f"The provider stopped ({choice.finish_reason}).")
    message = choice.message or ProviderDelta()
    text = message.content or ""
    tokens = estimate_tokens(text) + estimate_tokens(parse_thinking(message))
    estimate = Usage(prompt_tokens=estimate_prompt_tokens(sent), completion_tokens=tokens, estimated=True)
    return strip_thinking(text), parse_usage(read.usage) or estimate


def parse_error(body: bytes | Raw) -> ProviderError:
    """The error object in ``body`` (its own or under ``error``); an empty one when there is none that can be read."""
    try:
        inner = bytes(msgspec.json.decode(body, type=ProviderErrorBody).error if isinstance(body, bytes) else body)
        if not inner.startswith(b"{"):
            return ProviderError(message=inner.decode() or None)
        return msgspec.json.decode(inner, type=ProviderError)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ProviderError()


def failure(status: int | None, error: ProviderError, retry_after_s: float | None = None) -> Refused | TransientFailure:
    """The error to raise for an HTTP ``status``, or (None) for an error object inside a stream.

    Its detail names status and code only: the provider's message may be confidential and goes to the log.
    """
    named = {str(error.code), str(error.type)}
    code = str(error.code or error.type or "")[:_CODE_CHARS_MAX]
    detail = ("The provider sent an error" if status is None else f"The provider answered HTTP {status}") + (f" ({code})." if code else ".")
    if status is None:
        passes = not named & (_PERMANENT_CODES | _PERMANENT_NUMBERS)
    else:
        passes = status in _TRANSIENT_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return TransientFailure(detail, retry_after_s) if passes and not named & _QUOTA_CODES else Refused("model_refused", detail)


def log_text(error: ProviderError, key: str) -> str:
    """The provider's message for the log: bounded, without the key."""
    message = error.message or ""
    return (message.replace(key, "***") if key else message)[:_MESSAGE_CHARS_MAX]


def retry_after_s(header: str | None, date: str | None) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as a date (compared with the response's own Date); None when unusable."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - parsedate_to_datetime(date or "")).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX) if isfinite(seconds) else None
