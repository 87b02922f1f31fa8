"""A worker dies in the middle of a completion: the agents' part is spoken by the test."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from api.chats import standalone
from api.chats.ports import ChatPorts
from api.http.ports import HttpPorts
from domain.chats.topics import CHATS_ASKED
from tests.support.api_process import House, Person
from tests.support.reply_speaker import Speaker
from tests.support.standalone import broken_off, client_of, everything_on

pytestmark = pytest.mark.asyncio(loop_scope="session")
ASK: list[Any] = [{"role": "user", "content": "How many days of leave?"}]


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, ada: Person) -> AsyncIterator[openai.AsyncOpenAI]:
    async with client_of(house, ada.token) as official:
        yield official


async def asked(house: House, ada: Person) -> Speaker:
    """Whoever answers Ada's question, once it is on the log."""
    async with asyncio.timeout(10):
        while True:
            for event in await everything_on(house, CHATS_ASKED):
                if event.data.user_id == ada.user["id"]:
                    return Speaker(house, ada, event.data.conversation_id, event.data.reply_id)


async def streamed(house: House, ada: Person, client: openai.AsyncOpenAI) -> tuple[Speaker, asyncio.Task[Any]]:
    """A stream that waits for its first word."""
    asking = asyncio.create_task(client.chat.completions.create(model="claw", messages=ASK, stream=True))
    return await asked(house, ada), asking


async def test_the_same_answer_again_goes_on_where_it_was(house: House, ada: Person, client: openai.AsyncOpenAI):
    speaker, asking = await streamed(house, ada, client)
    await speaker.started()
    await speaker.extended(1, "25 [1]", cited=True)
    chunks = await asking
    await speaker.started(attempt=2)
    await speaker.extended(1, "25 ", attempt=2)
    await speaker.extended(2, "[1] days", attempt=2, cited=True)
    await speaker.completed("25 [1] days", attempt=2, store=False)
    received = [chunk async for chunk in chunks]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in received) == "25 [1] days"
    assert sum(len(getattr(chunk.choices[0].delta, "annotations", ())) for chunk in received) == 1
    assert received[-1].choices[0].finish_reason == "stop"
    assert not await house.ports(ChatPorts).reply_locks.is_cancelled(speaker.tenant, speaker.reply)


async def test_another_answer_ends_the_stream_and_is_stopped(house: House, ada: Person, client: openai.AsyncOpenAI):
    """Nobody will hear the rest of it: the provider need not say it."""
    speaker, asking = await streamed(house, ada, client)
    await speaker.started()
    await speaker.extended(1, "25 days")
    chunks = await asking
    await speaker.started(attempt=2)
    await speaker.extended(1, "There are", attempt=2)
    text, error = await broken_off(chunks)
    assert text == "25 days"
    assert error.code == "answer_interrupted"
    async with asyncio.timeout(10):
        while not await house.ports(ChatPorts).reply_locks.is_cancelled(speaker.tenant, speaker.reply):
            await asyncio.sleep(0.01)


async def test_an_answer_that_was_cancelled_is_no_answer(house: House, ada: Person, client: openai.AsyncOpenAI):
    asking = asyncio.create_task(client.chat.completions.create(model="claw", messages=ASK))
    speaker = await asked(house, ada)
    await speaker.started()
    await speaker.extended(1, "25")
    await speaker.cancelled("25")
    with pytest.raises(openai.InternalServerError) as failed:
        await asking
    assert failed.value.code == "answer_interrupted"


async def test_a_failure_has_its_status(house: House, ada: Person, client: openai.AsyncOpenAI):
    speaker, asking = await streamed(house, ada, client)
    await speaker.started()
    await speaker.failed()
    with pytest.raises(openai.InternalServerError) as failed:
        await asking
    assert (failed.value.status_code, failed.value.code) == (502, "model_unavailable")


async def test_an_answer_that_never_ends_is_given_up_and_stopped(
    house: House, ada: Person, client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
):
    """503 with a time to come back; whoever answers hears that nobody waits any more."""
    monkeypatch.setattr(standalone, "ANSWER_MARGIN_S", -house.settings.model.total_timeout_s)
    asking = asyncio.create_task(client.chat.completions.create(model="claw", messages=ASK))
    speaker = await asked(house, ada)
    await speaker.started()
    with pytest.raises(openai.InternalServerError) as failed:
        await asking
    assert (failed.value.status_code, failed.value.code) == (503, "overloaded")
    assert failed.value.response.headers["retry-after"]
    assert await house.ports(ChatPorts).reply_locks.is_cancelled(speaker.tenant, speaker.reply)
    async with asyncio.timeout(10):
        while house.ports(HttpPorts).streams.count:
            await asyncio.sleep(0.01)
