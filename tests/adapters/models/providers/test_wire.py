"""Events cut from bytes, and what they cost."""

import pytest

from adapters.models.prompts import ProviderChatMessage
from adapters.models.providers import wire
from adapters.models.providers.provider_errors import TransientFailure


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
    with pytest.raises(TransientFailure, match="cannot be read"):
        _take(frame)


@pytest.mark.parametrize(
    ("details", "cached", "reasoning"),
    [
        ('"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":4}', 3, 4),
        ('"prompt_cache_hit_tokens":3,"prompt_cache_miss_tokens":2', 3, 0),
        ('"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null}', 0, 0),
        ('"prompt_tokens_details":{"cached_tokens":"x"},"completion_tokens_details":[],"prompt_cache_hit_tokens":"y"', 0, 0),
        ('"prompt_tokens_details":{"cached_tokens":99},"completion_tokens_details":{"reasoning_tokens":-4}', 5, 0),
    ],
)
def test_cached_and_reasoning_tokens(details: str, cached: int, reasoning: int) -> None:
    """In the fields of OpenAI, BigModel and DeepSeek; what cannot be read or cannot be counts as none, and costs no usage."""
    reading, _ = _take(f'{{"choices":[],"usage":{{"prompt_tokens":5,"completion_tokens":7,{details}}}}}')
    usage = reading.usage([])
    assert (usage.cached_tokens, usage.reasoning_tokens, usage.prompt_tokens, usage.estimated) == (cached, reasoning, 5, False)


def test_thinking_that_nobody_counted_is_estimated() -> None:
    """Ollama reports no details; the thinking came all the same."""
    reading, _ = _take(
        '{"choices":[{"delta":{"reasoning":"四个汉字"}}]}',
        '{"choices":[{"delta":{"content":"两字"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":9}}',
    )
    assert (reading.usage([]).reasoning_tokens, reading.take_thinking(), reading.take_thinking()) == (4, "四个汉字", "")
