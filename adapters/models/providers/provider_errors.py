"""What a provider's errors mean: the error of this product, and whether the call is repeated, goes to the next model, or is given up.

BigModel numbers its errors, others name them, and some have only a status. docs/design/providers.md has the table. Inside a stream there is
no status. The provider's message may be confidential: it goes to the log only.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import isfinite
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from schemas.chats import Usage
from schemas.errors import ClawError, Refused

RETRY_AFTER_S_MAX = 3_600.0
RESET_S_MAX = 86_400.0  # an account that is said to be exhausted for longer is tried once a day: its owner may have paid
BEIJING = timezone(timedelta(hours=8))  # the clock of BigModel's messages
CODE_CHARS_MAX = 64
MESSAGE_CHARS_MAX = 300

# retry: it passes by itself. next: another model may answer, this one not now. exhausted: the same, and the model is left alone for a
# while. stop: it is about the question, and is not carried to another provider.
Action = Literal["retry", "next", "exhausted", "stop"]


class Meaning(Struct, frozen=True):
    """``code`` is in the catalogue of errors."""

    action: Action
    code: str


BUSY, OVERLOADED, PASSING = (
    Meaning("retry", "model_rate_limited"),
    Meaning("retry", "model_overloaded"),
    Meaning("retry", "model_unavailable"),
)
EXHAUSTED, ARREARS = Meaning("exhausted", "model_quota_exhausted"), Meaning("exhausted", "model_account_arrears")
BLOCKED, UNAUTHORIZED = Meaning("exhausted", "model_account_blocked"), Meaning("next", "model_unauthorized")
DENIED, UNKNOWN = Meaning("next", "model_access_denied"), Meaning("next", "model_unknown")
TOO_LONG, REFUSED = Meaning("next", "model_prompt_too_long"), Meaning("next", "model_refused")
FILTERED = Meaning("stop", "model_filtered")

BIGMODEL: Mapping[str, Meaning] = {
    "500": PASSING,
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), UNAUTHORIZED),
    **dict.fromkeys(("1110", "1111", "1112", "1121"), BLOCKED),
    "1113": ARREARS,
    **dict.fromkeys(("1120", "1200", "1230", "1231", "1234"), PASSING),
    **dict.fromkeys(("1210", "1213", "1214", "1215"), REFUSED),
    "1211": UNKNOWN,
    **dict.fromkeys(("1212", "1220", "1221", "1222", "1300"), DENIED),
    "1261": TOO_LONG,
    "1301": FILTERED,
    **dict.fromkeys(("1302", "1303"), BUSY),
    **dict.fromkeys(("1305", "1312"), OVERLOADED),
    **dict.fromkeys(("1304", "1308", "1309", "1310", "1311", "1313"), EXHAUSTED),
    **dict.fromkeys(("1316", "1317", "1318", "1319", "1320", "1321"), EXHAUSTED),
}
NAMED: Mapping[str, Meaning] = {
    "insufficient_quota": EXHAUSTED,
    "Arrearage": ARREARS,
    "invalid_api_key": UNAUTHORIZED,
    "InvalidApiKey": UNAUTHORIZED,
    "authentication_error": UNAUTHORIZED,
    "permission_error": DENIED,
    "AccessDenied": DENIED,
    "Model.AccessDenied": DENIED,
    "model_not_found": UNKNOWN,
    "ModelNotFound": UNKNOWN,
    "context_length_exceeded": TOO_LONG,
    "content_filter": FILTERED,
    "content_policy_violation": FILTERED,
    "data_inspection_failed": FILTERED,
    "DataInspectionFailed": FILTERED,
    "invalid_request_error": REFUSED,
}
STATUSES: Mapping[int, Meaning] = {
    HTTPStatus.UNAUTHORIZED: UNAUTHORIZED,
    HTTPStatus.PAYMENT_REQUIRED: ARREARS,
    HTTPStatus.FORBIDDEN: DENIED,
    HTTPStatus.NOT_FOUND: UNKNOWN,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TOO_LONG,
    **dict.fromkeys((408, 409, 425, 429), PASSING),
}
_TIME = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2})(?::(\d{2}))?(?!\d)")
MILLISECONDS_MIN = 10**11  # a number of at least this is in milliseconds


class TransientFailure(Exception):
    """The call failed transiently; ``retry_after_s`` when the provider gave one, ``code`` of the error when it does not pass in time.
    ``usage``: what the call had cost by then, estimated.
    """

    usage: Usage | None = None

    def __init__(self, detail: str, retry_after_s: float | None = None, *, code: str = "model_unavailable") -> None:
        super().__init__(detail)
        self.detail, self.retry_after_s, self.code = detail, retry_after_s, code


class PermitLost(TransientFailure):
    """The call was closed by this process: its permit was lost."""


class Exhausted(Refused):
    """The account cannot be used for now; ``reset_s`` until the provider's own limit begins anew, None when it did not say."""

    def __init__(self, code: str, detail: str, reset_s: float | None) -> None:
        super().__init__(code, detail, retry_after_s=0 if reset_s is None else int(reset_s + 0.999))
        self.reset_s = reset_s


class ProviderErrorBody(Struct, frozen=True):
    """``{"error": …}``, the body of a failed call; BigModel's gateway sends ``code`` and ``msg`` without it."""

    error: Raw = Raw()
    code: str | int | None = None
    msg: str | None = None


class ProviderError(Struct, frozen=True):
    """What servers put into it; some send numbers as codes. ``next_flush_time``: when an exhausted limit of BigModel begins anew."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    next_flush_time: str | int | float | None = None


def is_final(error: ClawError) -> bool:
    """Whether no other model is asked after it."""
    return error.code == FILTERED.code


def parse_error(body: bytes) -> ProviderError:
    """The error object in the body of a failed call; an empty one when there is none that can be read."""
    try:
        whole = msgspec.json.decode(body, type=ProviderErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ProviderError()
    return parse_error_object(bytes(whole.error)) if bytes(whole.error) else ProviderError(message=whole.msg, code=whole.code)


def parse_error_object(given: bytes) -> ProviderError:
    """The error that stands under ``error``: an object, or a text."""
    try:
        if not given.startswith(b"{"):
            return ProviderError(message=given.decode() or None)
        return msgspec.json.decode(given, type=ProviderError)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ProviderError()


def meaning_of(status: int | None, error: ProviderError) -> Meaning:
    """Its number or name decides, the code before the type; else the status; inside a stream anything else passes."""
    for name in (str(error.code or ""), str(error.type or "")):
        if (meaning := BIGMODEL.get(name) or NAMED.get(name)) is not None:
            return meaning
    if status is None:
        return PASSING
    return STATUSES.get(status) or (PASSING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else REFUSED)


def failure(
    status: int | None, error: ProviderError, retry_after_s: float | None = None, now: datetime | None = None
) -> Refused | TransientFailure:
    """The error to raise for an HTTP ``status``, or (None) for an error object inside a stream. Its detail names status and code only.

    ``now``: the provider's time, by which the time until a reset is measured.
    """
    meaning = meaning_of(status, error)
    code = str(error.code or error.type or "")[:CODE_CHARS_MAX]
    detail = ("The provider sent an error" if status is None else f"The provider answered HTTP {status}") + (f" ({code})." if code else ".")
    if meaning.action == "retry":
        return TransientFailure(detail, retry_after_s, code=meaning.code)
    if meaning.action == "exhausted":
        left_s = seconds_to_reset(error, now or datetime.now(UTC))
        left_s = retry_after_s if left_s is None else left_s
        return Exhausted(meaning.code, detail if left_s is None else f"{detail} Its limit is reset in {left_s:.0f} s.", left_s)
    return Refused(meaning.code, detail)


def seconds_to_reset(error: ProviderError, now: datetime) -> float | None:
    """Seconds to ``next_flush_time``, a field or a time in the message; None without one, or when it is past."""
    at = _parse_time(error.next_flush_time) or _parse_time((error.message or "")[:MESSAGE_CHARS_MAX])
    left_s = None if at is None else (at - now).total_seconds()
    return None if left_s is None or left_s <= 0 else min(left_s, RESET_S_MAX)


def _parse_time(given: Any) -> datetime | None:
    """A time as BigModel writes it: milliseconds or seconds since 1970, or Beijing's clock in a text."""
    try:
        if isinstance(given, int | float):
            return datetime.fromtimestamp(given / 1000 if given >= MILLISECONDS_MIN else given, UTC)
        found = _TIME.search(given or "")
        return None if found is None else datetime(*(int(part or 0) for part in found.groups()), tzinfo=BEIJING)  # type: ignore[arg-type,misc]
    except (ValueError, OverflowError, OSError):
        return None


def log_text(error: ProviderError, key: str) -> str:
    """The provider's message for the log: bounded, without the key."""
    message = error.message or ""
    return (message.replace(key, "***") if key else message)[:MESSAGE_CHARS_MAX]


def parse_retry_after(header: str | None, date: str | None) -> float | None:
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


def parse_date(header: str | None) -> datetime | None:
    """The time of a response's Date header; None when there is none."""
    try:
        at = parsedate_to_datetime(header or "")
    except (ValueError, TypeError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
