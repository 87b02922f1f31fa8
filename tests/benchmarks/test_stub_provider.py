"""The stub provider against the official clients: what they accept is the real wire format."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import aiohttp
import openai
import pytest
import zhipuai
from openai.types.chat import ChatCompletionMessageParam

from tests.support.model_samples import KEY
from tests.support.running_stub import Running, eventually

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "在吗？"}]


@pytest.fixture
async def official(stub: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{stub.root}/v1", api_key=KEY, max_retries=0, timeout=5) as client:
        yield client


async def test_streams_with_usage(official: openai.AsyncOpenAI) -> None:
    stream = await official.chat.completions.create(
        model="stub?tokens=5", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "知识库记录了这一点"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5


async def test_answers_whole_and_lists_models_and_embeds(official: openai.AsyncOpenAI) -> None:
    whole = await official.chat.completions.create(model="stub?text=你好", messages=ASK)
    assert whole.choices[0].message.content == "你好"
    assert [model.id async for model in official.models.list()] == ["stub"]
    two = await official.embeddings.create(model="stub", input=["a", "b"], dimensions=8)
    again = await official.embeddings.create(model="stub", input="a", dimensions=8, encoding_format="float")
    assert len(two.data) == 2
    assert two.data[0].embedding == pytest.approx(again.data[0].embedding)
    assert two.data[0].embedding != two.data[1].embedding


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("400", openai.BadRequestError),
        ("401", openai.AuthenticationError),
        ("403", openai.PermissionDeniedError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("503", openai.InternalServerError),
        ("error_object", openai.APIError),
    ],
)
async def test_faults_are_the_errors_of_the_official_client(official: openai.AsyncOpenAI, fault: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        [_ async for _ in await official.chat.completions.create(model=f"stub?fault={fault}", messages=ASK, stream=True)]


async def test_speaks_bigmodel_to_its_official_client(stub: Running) -> None:
    """Usage comes with the finish, asked for or not."""

    def ask() -> list[zhipuai.types.chat.chat_completion_chunk.ChatCompletionChunk]:
        client = zhipuai.ZhipuAI(api_key=KEY, base_url=f"{stub.root}/api/paas/v4", disable_token_cache=True, max_retries=0)
        stub.provider._key = ""  # the client signs a token of its own from a key with a dot, else sends the key
        with client:
            return list(client.chat.completions.create(model="stub?tokens=4", messages=ASK, stream=True))

    chunks = await asyncio.to_thread(ask)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "知识库记录了这"
    assert chunks[-1].usage.completion_tokens == 4


async def test_runs_as_a_program() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.stub_provider", "--port", "0", "--tokens", "3", stdout=asyncio.subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    said, _, url = line.strip().partition(" ")
    assert said == "listening"
    async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
        whole = await client.chat.completions.create(model="stub", messages=ASK)
        assert whole.choices[0].message.content == "知识库记录了"
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_counts_what_is_open(stub: Running, official: openai.AsyncOpenAI) -> None:
    """A client that leaves is noticed."""
    task = asyncio.create_task(official.chat.completions.create(model="stub?fault=hang_before", messages=ASK))
    await eventually(lambda: stub.provider.stats.open == 1)
    task.cancel()
    await asyncio.wait([task])
    await eventually(lambda: stub.provider.stats.open == 0)
    shown = await stub.shown()
    assert shown["disconnected"] == 1
    assert shown["by_path"] == {"/v1/chat/completions": 1}


async def test_bigmodels_errors_have_numbers(stub: Running) -> None:
    """As its documentation has them; no type."""
    async with aiohttp.ClientSession() as session:
        body = {"model": "stub?fault=429&retry_after=7", "messages": ASK}
        async with session.post(
            f"{stub.root}/api/paas/v4/chat/completions", json=body, headers={"Authorization": f"Bearer {KEY}"}
        ) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
            assert (await answer.json())["error"] == {"code": "1302", "message": "stub fault 429"}


async def test_embeddings_fail_as_asked_and_are_counted(stub: Running, official: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.RateLimitError):
        await official.embeddings.create(model="stub?fault=429", input="a")
    task = asyncio.create_task(official.embeddings.create(model="stub?fault=hang_before", input="a"))
    await eventually(lambda: stub.provider.stats.open == 1)
    task.cancel()
    await asyncio.wait([task])
    await eventually(lambda: stub.provider.stats.disconnected == 1)


async def test_behaviour_is_changed_from_outside_and_calls_are_listed(stub: Running, official: openai.AsyncOpenAI) -> None:
    async def ask(trace: str) -> str:
        asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": f"[[trace={trace}]]"}]
        stream = await official.chat.completions.create(model="stub?holds=x&numbered=1", messages=asked, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async with aiohttp.ClientSession(stub.root) as session:
        assert (await ask("first")).startswith("(1) ")
        async with session.put("/behaviour", params={"fault": "429"}) as changed:
            assert changed.status == 200
        with pytest.raises(openai.RateLimitError):
            await ask("second")
        async with session.put("/behaviour"):
            pass
        assert (await ask("third")).startswith("(3) ")
        async with session.get("/calls", params={"after": "1"}) as listed:
            calls = await listed.json()
    assert [(call["number"], call["trace"], call["fault"], call["left"]) for call in calls] == [
        (2, "second", "429", False),
        (3, "third", "", False),
    ]
    assert all(call["end"] >= call["at"] > 1.7e9 for call in calls)
