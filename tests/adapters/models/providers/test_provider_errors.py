"""What the errors of providers mean, on bodies as they really come."""

import json
from datetime import UTC, datetime

import pytest

from adapters.models.providers import provider_errors
from adapters.models.providers.provider_errors import (
    BIGMODEL,
    RESET_S_MAX,
    Exhausted,
    ProviderError,
    TransientFailure,
    failure,
    parse_error,
)
from adapters.models.providers.wire import CompletionReader
from schemas.errors import CATALOGUE, Refused
from schemas.errors_zh import CHINESE

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)  # 20:00 in Beijing

RETRIED = {
    "500": "model_unavailable",
    "1120": "model_unavailable",
    "1200": "model_unavailable",
    "1230": "model_unavailable",
    "1231": "model_unavailable",
    "1234": "model_unavailable",
    "1302": "model_rate_limited",
    "1303": "model_rate_limited",
    "1305": "model_overloaded",
    "1312": "model_overloaded",
}
EXHAUSTED = {
    "1110": "model_account_blocked",
    "1112": "model_account_blocked",
    "1113": "model_account_arrears",
    "1304": "model_quota_exhausted",
    "1308": "model_quota_exhausted",
    "1309": "model_quota_exhausted",
    "1310": "model_quota_exhausted",
    "1311": "model_quota_exhausted",
    "1313": "model_quota_exhausted",
}
REFUSED = {
    "1000": "model_unauthorized",
    "1001": "model_unauthorized",
    "1002": "model_unauthorized",
    "1003": "model_unauthorized",
    "1004": "model_unauthorized",
    "1210": "model_refused",
    "1211": "model_unknown",
    "1212": "model_access_denied",
    "1213": "model_refused",
    "1214": "model_refused",
    "1215": "model_refused",
    "1220": "model_access_denied",
    "1221": "model_access_denied",
    "1222": "model_access_denied",
    "1261": "model_prompt_too_long",
    "1300": "model_access_denied",
    "1301": "model_filtered",
}


def of(number: str, status: int | None = 429) -> Refused | TransientFailure:
    """The error for a body of BigModel: the code is a text, and sometimes a number."""
    body = {"error": {"code": number, "message": "…"}}
    found = failure(status, parse_error(json.dumps(body).encode()), now=NOW)
    body["error"]["code"] = int(number)  # type: ignore[assignment]
    again = failure(status, parse_error(json.dumps(body).encode()), now=NOW)
    assert (type(found), found.code) == (type(again), again.code)
    return found


@pytest.mark.parametrize("status", [400, 401, 429, 434, 500, None])
def test_a_number_decides_whatever_the_status(status: int | None) -> None:
    """In a response and, without a status, inside a stream."""
    for number, code in RETRIED.items():
        error = of(number, status)
        assert isinstance(error, TransientFailure), number
        assert error.code == code
    for number, code in EXHAUSTED.items():
        error = of(number, status)
        assert isinstance(error, Exhausted), number
        assert (error.code, error.reset_s) == (code, None)
    for number, code in REFUSED.items():
        error = of(number, status)
        assert isinstance(error, Refused), number
        assert not isinstance(error, Exhausted)
        assert error.code == code


def test_every_number_has_a_meaning_and_every_meaning_a_remedy() -> None:
    assert set(BIGMODEL) >= {*RETRIED, *EXHAUSTED, *REFUSED}
    for meaning in (*BIGMODEL.values(), *provider_errors.NAMED.values(), *provider_errors.STATUSES.values()):
        assert CATALOGUE[meaning.code].remedy
        assert CHINESE[meaning.code][1]


def test_what_does_not_pass_is_lasting_in_the_catalogue() -> None:
    """By it clients of a server's own statuses are told not to repeat the call: 5xx would make them."""
    meanings = {*BIGMODEL.values(), *provider_errors.NAMED.values(), *provider_errors.STATUSES.values()}
    for meaning in meanings - {provider_errors.REFUSED, provider_errors.TOO_LONG}:  # about the request; those that 422 says already
        lasting = meaning.action in ("next", "exhausted")
        assert CATALOGUE[meaning.code].is_lasting is lasting, meaning.code


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, {"code": "context_length_exceeded", "type": "invalid_request_error", "message": "…"}, "model_prompt_too_long"),
        (404, {"code": "model_not_found", "type": "invalid_request_error"}, "model_unknown"),
        (401, {"code": "invalid_api_key", "type": "invalid_request_error"}, "model_unauthorized"),
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, "model_quota_exhausted"),
        (402, {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}, "model_refused"),
        (402, {"message": "Insufficient Balance"}, "model_account_arrears"),
        (400, {"code": "data_inspection_failed", "type": "data_inspection_failed"}, "model_filtered"),
        (400, {"code": "content_filter", "type": None}, "model_filtered"),
        (403, {"code": "AccessDenied.Unpurchased"}, "model_access_denied"),
        (404, {"message": "model 'qwen9' not found", "type": "not_found_error"}, "model_unknown"),
        (400, {"message": "what?"}, "model_refused"),
        (429, {"code": "rate_limit_exceeded"}, "model_unavailable"),
        (503, {}, "model_unavailable"),
    ],
)
def test_others_name_their_errors(status: int, error: dict[str, str | None], code: str) -> None:
    assert failure(status, parse_error(json.dumps({"error": error}).encode())).code == code


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        ({"message": "Usage limit reached for 5 hour. Your limit will reset at 2026-11-29 22:30:00"}, 9_000),
        ({"message": "已达到 5 小时的使用上限。您的限额将在 2026-11-29 20:00:30 重置。"}, 30),
        ({"message": "Weekly/Monthly Limit Exhausted. Your limit will reset at 2026-12-06 20:00"}, RESET_S_MAX),
        ({"message": "Your limit will reset at 2026-11-29 19:59:59"}, None),
        ({"message": "Your limit will reset at 2026-13-41 25:61:00"}, None),
        ({"message": "Your limit will reset soon."}, None),
        ({"next_flush_time": "2026-11-29 20:10:00"}, 600),
        ({"next_flush_time": 1_795_953_900_000}, 300),
        ({"next_flush_time": 1_795_953_900}, 300),
        ({"next_flush_time": 10**30}, None),
        ({}, None),
    ],
)
def test_the_time_of_the_reset_is_found(error: dict[str, str | int], seconds: float | None) -> None:
    """A field, or Beijing's clock in the message."""
    found = failure(429, parse_error(json.dumps({"error": {"code": "1308"} | error}).encode()), now=NOW)
    assert isinstance(found, Exhausted)
    assert found.reset_s == seconds
    assert ("reset in" in found.detail) == (seconds is not None)


def test_a_body_of_the_gateway_has_no_error_object() -> None:
    error = parse_error(b'{"code":1305,"msg":"busy","success":false}')
    assert error == ProviderError(message="busy", code=1305)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ('{"message":"busy","code":1302}', TransientFailure, "model_rate_limited"),
        ('{"code":"1308","message":"Your limit will reset at 2999-01-01 00:00:00"}', Exhausted, "model_quota_exhausted"),
        ('{"message":"bad","code":"1214"}', Refused, "model_refused"),
        ('{"message":"no","code":"1301"}', Refused, "model_filtered"),
        ('{"message":"no money","type":"insufficient_quota"}', Exhausted, "model_quota_exhausted"),
        ('{"message":"x","type":"invalid_request_error","code":null}', Refused, "model_refused"),
        ('"just words"', TransientFailure, "model_unavailable"),
        ("{}", TransientFailure, "model_unavailable"),
        ("17", TransientFailure, "model_unavailable"),
    ],
)
def test_errors_inside_a_stream(error: str, kind: type[Exception], code: str) -> None:
    with pytest.raises(kind) as raised:
        CompletionReader().feed([f'{{"error":{error}}}'.encode()])
    assert raised.value.code == code  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("7", None, 7.0),
        ("0.5", None, 0.5),
        ("-3", None, 0.0),
        ("999999", None, provider_errors.RETRY_AFTER_S_MAX),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "Sun, 22 Nov 2026 10:00:00 GMT", 30.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", None, None),
        ("soon", "Sun, 22 Nov 2026 10:00:00 GMT", None),
        ("nan", None, None),
        ("inf", None, None),
        (None, None, None),
        ("", None, None),
    ],
)
def test_retry_after(header: str | None, date: str | None, seconds: float | None) -> None:
    assert provider_errors.parse_retry_after(header, date) == seconds


@pytest.mark.parametrize(("header", "at"), [("Sun, 29 Nov 2026 12:00:00 GMT", NOW), ("soon", None), ("", None), (None, None)])
def test_the_date_of_a_response(header: str | None, at: datetime | None) -> None:
    assert provider_errors.parse_date(header) == at


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error":', b'{"error":{"code":[1]}}', b'{"detail":"no"}', b"\xff"])
def test_error_bodies_that_say_nothing_are_still_errors(body: bytes) -> None:
    assert parse_error(body) == ProviderError()
