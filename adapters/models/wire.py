"""The chat wire format of OpenAI-compatible servers: what is sent, what is read of the answer, and what its errors mean.

Only the fields that matter are decoded; whatever else a server adds is skipped without being built.
"""

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import isfinite

import msgspec
from msgspec import Raw, Struct

from adapters.language import estimated_tokens
from adapters.models.prompts import Message, prompt_tokens
from schemas.chats import Usage
from schemas.errors import Refused

RETRY_AFTER_S_MAX = 3_600.0

# Statuses and codes that pass by themselves; a quota that is used up comes as 429 but does not.
_PASSING_STATUSES = frozenset({408, 409, 425, 429})
_EXHAUSTED = frozenset({"insufficient_quota", "1113"})
# Inside a stream there is no status: only these say that the request itself was at fault (BigModel numbers its errors).
_REFUSING = frozenset({"invalid_request_error", "authentication_error", "permission_error", "invalid_api_key", "context_length_exceeded"})
_REFUSING_NUMBERS = frozenset(
    {"1000", "1001", "1002", "1003", "1004", "1110", "1111", "1112", "1210", "1211", "1212", "1213", "1214", "1261"}
)
_CODE_CHARS_MAX = 64
_MESSAGE_CHARS_MAX = 300

_REASONS = {"sensitive": "content_filter"}  # BigModel's word -> ours
_FAILED_REASONS = frozenset({"network_error", "error"})
_DONE = b"[DONE]"


class Passing(Exception):
    """The call failed in a way that passes by itself; ``retry_after_s`` when the provider said how long."""

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail, self.retry_after_s = detail, retry_after_s


class StreamOptions(Struct, frozen=True):
    include_usage: bool = True


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of ``POST /chat/completions``."""

    model: str
    messages: list[Message]
    max_tokens: int
    temperature: float | None = None
    do_sample: bool = True  # BigModel: False instead of temperature 0
    stream: bool = False
    stream_options: StreamOptions | None = None


class Delta(Struct, frozen=True):
    content: str | None = None


class Choice(Struct, frozen=True):
    delta: Delta | None = None
    finish_reason: str | None = None


class Tokens(Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Frame(Struct, frozen=True):
    """One event of a streamed answer."""

    choices: list[Choice] | None = None
    usage: Tokens | None = None
    error: Raw = Raw()


class ErrorBody(Struct, frozen=True):
    """``{"error": …}``, the body of a failed call."""

    error: Raw = Raw()


class ErrorDetail(Struct, frozen=True):
    """What servers put into it; some send numbers as codes."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None


_frames = msgspec.json.Decoder(Frame)


class Reading:
    """What was read of one streamed answer so far."""

    __slots__ = ("_estimate", "_usage", "done", "reason")

    def __init__(self) -> None:
        self.reason = ""  # why it finished, once it said so
        self.done = False  # nothing more will come
        self._usage: Tokens | None = None
        self._estimate = 0

    def take(self, events: list[bytes]) -> str:
        """The text in ``events``; raises Passing or Refused on an error object, a frame that cannot be read, or a failed finish."""
        text = ""
        for event in events:
            if event == _DONE:
                self.done = True
                break
            text += self._text(event)
        self._estimate += estimated_tokens(text) if text else 0
        return text

    def end(self) -> None:
        """The body ended; raises Passing when the answer had not."""
        if not (self.done or self.reason):
            raise Passing("The provider ended the stream before the answer was finished.")
        self.done = True

    def usage(self, sent: list[Message]) -> Usage:
        """What the provider counted, or an estimate."""
        counted = self._usage
        if counted is None or counted.prompt_tokens is None or counted.completion_tokens is None:
            return Usage(prompt_tokens=prompt_tokens(sent), completion_tokens=self._estimate, estimated=True)
        return Usage(prompt_tokens=counted.prompt_tokens, completion_tokens=counted.completion_tokens)

    def _text(self, event: bytes) -> str:
        try:
            frame = _frames.decode(event)
        except msgspec.DecodeError as error:
            raise Passing("The provider sent a frame that cannot be read.") from error
        if (error_object := bytes(frame.error)) and error_object != b"null":
            raise failure(None, error_in(frame.error))
        self._usage = frame.usage or self._usage
        if not frame.choices:
            return ""
        choice = frame.choices[0]
        if choice.finish_reason:
            if choice.finish_reason in _FAILED_REASONS:
                raise Passing(f"The provider gave up ({choice.finish_reason}).")
            self.reason = _REASONS.get(choice.finish_reason, choice.finish_reason)
        return (choice.delta.content or "") if choice.delta else ""


def error_in(body: bytes | Raw) -> ErrorDetail:
    """The error object in ``body`` (its own or under ``error``); an empty one when there is none that can be read."""
    try:
        inner = bytes(msgspec.json.decode(body, type=ErrorBody).error if isinstance(body, bytes) else body)
        if not inner.startswith(b"{"):
            return ErrorDetail(message=inner.decode() or None)
        return msgspec.json.decode(inner, type=ErrorDetail)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ErrorDetail()


def failure(status: int | None, error: ErrorDetail, retry_after_s: float | None = None) -> Refused | Passing:
    """The error to raise for an HTTP ``status``, or (None) for an error object inside a stream.

    Its detail names status and code only: the provider's own words may hold what is the operator's business and go to the log.
    """
    named = {str(error.code), str(error.type)}
    code = str(error.code or error.type or "")[:_CODE_CHARS_MAX]
    detail = ("The provider sent an error" if status is None else f"The provider answered HTTP {status}") + (f" ({code})." if code else ".")
    if status is None:
        passes = not named & (_REFUSING | _REFUSING_NUMBERS)
    else:
        passes = status in _PASSING_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return Passing(detail, retry_after_s) if passes and not named & _EXHAUSTED else Refused("model_refused", detail)


def loggable(error: ErrorDetail, key: str) -> str:
    """The provider's own words for the operator's log: bounded, without the key."""
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
