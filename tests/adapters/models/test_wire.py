"""Events cut from bytes, and what the provider's errors mean."""

import pytest

from adapters.models import wire
from adapters.models.prompts import ProviderChatMessage
from schemas.errors import Refused


def _take(*events: str) -> tuple[wire.CompletionReader, str]:
    reading = wire.CompletionReader()
    return reading, reading.feed([event.encode() for event in events])


def test_frames_as_servers_really_send_them() -> None:
    """Role only, null content, reasoning, no choices, null error, repeated usage, numbers that nobody asked for."""
    reading, text = _take(
        '{"choices":[{"delta":{"role":"assistant"}}],"error":null}',
        '{"choices":[{"delta":{"content":null,"reasoning_content":"hm"},"finish_reason":null}],"usage":null}',
        '{"choices":[{"delta":{"content":"a","tool_calls":null},"logprobs":{"x":[1]}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}',
        '{"choices":[{"delta":null,"finish_reason":"stop"}]}',
        '{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":0}}}',
        '{"choices":null}',
        "[DONE]",
        "after the end",
    )
    assert (text, reading.reason, reading.done) == ("a", "stop", True)
    assert reading.usage([]).completion_tokens == 2
    assert not reading.usage([]).estimated


@pytest.mark.parametrize(
    ("delta", "tokens"),
    [
        ('{"reasoning_content":"四个汉字"}', 4),
        ('{"role":"assistant","content":"","reasoning":"四个汉字"}', 4),
        ('{"content":null,"reasoning":"四个汉字","reasoning_content":"四个汉字","reasoning_details":[{"text":"四个汉字"}]}', 4),
        ('{"reasoning_content":"","reasoning":"两字"}', 2),
        ('{"reasoning":{"effort":"high"}}', 0),
        ('{"reasoning":["x"],"reasoning_content":5}', 0),
        ('{"reasoning":null}', 0),
    ],
)
def test_thinking_is_counted_and_no_text(delta: str, tokens: int) -> None:
    """Under any name, once; in a form that nobody knows it is passed over."""
    reading, text = _take(f'{{"choices":[{{"delta":{delta}}}]}}')
    assert (text, bool(reading.thoughts), reading.usage([]).completion_tokens) == ("", tokens > 0, tokens)


def test_half_a_usage_is_estimated() -> None:
    reading, _ = _take('{"choices":[{"delta":{"content":"四个汉字"},"finish_reason":"stop"}],"usage":{"prompt_tokens":null}}')
    usage = reading.usage([ProviderChatMessage("user", "两字")])
    assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (6, 4, True)


@pytest.mark.parametrize("frame", ["{", "[]", '"x"', '{"choices":{}}', '{"choices":[{"delta":{"content":5}}]}', "\x00", ""])
def test_frames_that_cannot_be_read(frame: str) -> None:
    with pytest.raises(wire.TransientFailure, match="cannot be read"):
        _take(frame)


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        ('{"message":"busy","code":1302}', False),
        ('{"message":"bad","code":"1214"}', True),
        ('{"message":"no money","type":"insufficient_quota"}', True),
        ('{"message":"x","type":"invalid_request_error","code":null}', True),
        ('"just words"', False),
        ("{}", False),
        ("17", False),
    ],
)
def test_errors_inside_a_stream(error: str, refused: bool) -> None:
    with pytest.raises(Refused if refused else wire.TransientFailure):
        _take(f'{{"error":{error}}}')


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("7", None, 7.0),
        ("0.5", None, 0.5),
        ("-3", None, 0.0),
        ("999999", None, wire.RETRY_AFTER_S_MAX),
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
    assert wire.retry_after_s(header, date) == seconds


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error":', b'{"error":{"code":[1]}}', b'{"detail":"no"}', b"\xff"])
def test_error_bodies_that_say_nothing_are_still_errors(body: bytes) -> None:
    assert wire.parse_error(body) == wire.ProviderError()
