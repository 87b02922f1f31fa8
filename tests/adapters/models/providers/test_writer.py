"""Short texts from a provider that really listens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.concurrency.cluster import ClusterLimit
from adapters.concurrency.port import Priority
from adapters.models.port import Writer
from adapters.models.providers.writer import ModelWriter
from schemas.errors import Refused, Unavailable
from tests.support.model_samples import model_settings
from tests.support.running_stub import Running, eventually


@asynccontextmanager
async def opened(stub: Running, name: str, gate: ClusterLimit | None = None, **changes: object) -> AsyncIterator[ModelWriter]:
    settings = model_settings(stub.root, name, **changes)
    made = ModelWriter(settings, jitter=lambda: 0.0) if gate is None else ModelWriter(settings, limit=gate, jitter=lambda: 0.0)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def wrote(made: Writer, timeout_s: float = 5.0) -> str:
    return (await made.write("Condense.", "它高多少？", max_tokens=20, timeout_s=timeout_s)).text


async def test_writes_what_the_model_says_and_what_it_cost(stub: Running) -> None:
    async with opened(stub, "stub?text=黄鹤楼高多少", price_prompt=1.0, price_completion=3.0) as made:
        written = await made.write("Condense.", "它高多少？", max_tokens=20, timeout_s=5.0)
    assert written.text == "黄鹤楼高多少"
    assert (written.model, written.provider, written.usage.estimated) == (made.name, "openai", False)
    assert written.cost_micros == written.usage.prompt_tokens + 3 * written.usage.completion_tokens
    sent = stub.provider.stats.last_request
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert (sent["max_tokens"], sent["temperature"], sent.get("stream")) == (20, 0.0, None)


@pytest.mark.parametrize("thinks", ["reasoning_content", "reasoning", "tags"])
@pytest.mark.parametrize("fault", ["", "no_usage"])
async def test_thinking_is_not_what_it_writes(stub: Running, thinks: str, fault: str) -> None:
    """What it cost is told also when nothing is left to write with."""
    async with opened(stub, f"stub?text=黄鹤楼高多少&thinking=5&thinks={thinks}&fault={fault}") as made:
        assert await wrote(made) == "黄鹤楼高多少"
    async with opened(stub, f"stub?text=黄鹤楼高多少&thinking=90&thinks={thinks}&fault={fault}") as made:
        written = await made.write("Condense.", "它高多少？", max_tokens=20, timeout_s=5.0)
    assert written.text == ""
    assert written.usage.completion_tokens >= 20
    assert written.usage.estimated == bool(fault)
    assert stub.provider.stats.requests == 2


@pytest.mark.parametrize(
    ("provider", "name", "field"),
    [
        ("zhipu", "glm-4.7", {"thinking": {"type": "disabled"}}),
        ("dashscope", "qwen3-32b", {"enable_thinking": False}),
        ("ollama", "qwen3:8b", {"reasoning_effort": "none"}),
        ("vllm", "Qwen/Qwen3-8B", {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
    ],
)
async def test_the_model_is_told_not_to_think(stub: Running, provider: str, name: str, field: dict[str, object]) -> None:
    """So that the few tokens of a title are the title's, whatever the server calls it."""
    root = f"{stub.root}/api/paas/v4" if provider == "zhipu" else f"{stub.root}/v1"
    async with opened(stub, name, provider=provider, base_url=root) as made:
        written = await made.write("Title.", "[[text=title&thinking=900&obeys=1]]", max_tokens=20, timeout_s=5.0)
    assert written.text == "title"
    sent = stub.provider.stats.last_request
    assert sent["max_tokens"] == 20
    assert {key: sent.get(key) for key in field} == field


async def test_a_model_that_cannot_be_told_gets_tokens_for_it(stub: Running) -> None:
    settings: dict[str, Any] = {"provider": "zhipu", "base_url": f"{stub.root}/api/paas/v4", "text_thinking_tokens": 100}
    async with opened(stub, "glm-5.3?text=标题&thinking=90&obeys=1", **settings) as made:
        written = await made.write("Title.", "…", max_tokens=20, timeout_s=5.0)
    assert (written.text, written.usage.reasoning_tokens) == ("标题", 90)
    assert stub.provider.stats.last_request["max_tokens"] == 120
    assert "thinking" not in stub.provider.stats.last_request


async def test_a_model_that_wrote_nothing_is_left_alone_and_then_given_more(stub: Running) -> None:
    """It would cost as much again; afterwards it is known to think."""
    async with opened(stub, "stub?text=标题&thinking=90", text_pause_s=0.2, text_thinking_tokens=100) as made:
        assert await wrote(made) == ""
        with pytest.raises(Refused) as raised:
            await wrote(made)
        assert raised.value.code == "model_answer_empty"
        assert stub.provider.stats.requests == 1
        await asyncio.sleep(0.25)
        assert await wrote(made) == "标题"
    assert stub.provider.stats.last_request["max_tokens"] == 120


async def test_a_text_may_begin_inside_the_thinking(stub: Running) -> None:
    async with opened(stub, "stub?text=标题&thinking=5&thinks=opened") as made:
        assert await wrote(made) == "标题"
    async with opened(stub, "stub?text=标题&thinking=90&thinks=opened", thinking_opened=True) as made:
        assert await wrote(made) == ""


@pytest.mark.parametrize("fault", ["500", "429", "cut_before", "broken_frame", "error_object"])
async def test_what_passes_is_repeated_once(stub: Running, fault: str) -> None:
    async with opened(stub, f"stub?text=好&fault={fault}&times=1") as made:
        assert await wrote(made) == "好"
    async with opened(stub, f"stub?text=坏&fault={fault}") as made:
        with pytest.raises(Unavailable):
            await wrote(made)
    assert stub.provider.stats.requests == 4


async def test_what_never_passes_is_refused(stub: Running) -> None:
    async with opened(stub, "stub?fault=401") as made:
        with pytest.raises(Refused):
            await wrote(made)
    assert stub.provider.stats.requests == 1


async def test_it_ends_in_time_and_closes_its_call(stub: Running) -> None:
    async with opened(stub, "stub?fault=hang_before") as made:
        with pytest.raises(Unavailable):
            await wrote(made, timeout_s=0.3)
        await eventually(lambda: stub.provider.stats.open == 0)
        task = asyncio.create_task(wrote(made, timeout_s=30))
        await eventually(lambda: stub.provider.stats.open == 1)
        task.cancel()
        await asyncio.wait((task,))
        await eventually(lambda: stub.provider.stats.open == 0)


@pytest.mark.parametrize("fault", ["no_usage", "wrong_usage"])
async def test_usage_that_cannot_be_is_estimated(stub: Running, fault: str) -> None:
    async with opened(stub, f"stub?text=好&fault={fault}") as made:
        written = await made.write("Condense.", "它高多少？", max_tokens=20, timeout_s=5.0)
    assert written.usage.estimated
    assert written.usage.completion_tokens == 1


async def test_it_waits_behind_answers_within_its_time(stub: Running) -> None:
    gate = ClusterLimit(None, prefix="p", name="g", label="g", limit=1, workers=1)
    async with opened(stub, "stub?text=好", gate) as made:
        async with gate.permit(Priority.PEOPLE, 1):
            with pytest.raises(Unavailable):
                await wrote(made, timeout_s=0.2)
            assert stub.provider.stats.requests == 0
        assert await wrote(made) == "好"


async def test_a_provider_that_keeps_failing_is_left_alone(stub: Running) -> None:
    async with opened(stub, "stub?fault=500", breaker_failures=2) as made:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await wrote(made)
    assert stub.provider.stats.requests == 2
