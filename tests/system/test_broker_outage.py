"""The broker goes away while processes die and come back: what readiness says, and what is left when it returns."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import pytest

from claw_client import ApiError, Client, events
from tests.system.conftest import Up, records

# `make faults` takes as long as the outage in which this was found
AWAY_S = 10.0 if float(os.environ.get("CLAW_TEST_CHAOS_S", "20")) > 20 else 3.0
HONEST_S = 3.0
BUSY_S = 2.0  # for a machine that does something else as well: probes of a test come late
QUESTIONS = 8
ANSWERED_S = 60.0
LETTERS = "claw.dead-letters.v1"


@contextmanager
def stopped(up: Up, component: str) -> Iterator[None]:
    """A process that hangs."""
    pid = up.process(component).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def down(session: aiohttp.ClientSession) -> list[str]:
    async with session.get("/readyz") as answer:
        said = await answer.json()
        assert answer.status == (503 if said["down"] else 200)
        return list(said["down"])


async def seconds_until(session: aiohttp.ClientSession, part: str, *, is_down: bool) -> float:
    began = time.monotonic()
    async with asyncio.timeout(60):
        while (part in await down(session)) != is_down:
            await asyncio.sleep(0.05)
    return time.monotonic() - began


async def test_a_worker_group_that_hangs_is_not_ready_within_three_seconds(up: Up, session: aiohttp.ClientSession):
    await up.ready()
    with stopped(up, "documents"):
        assert await seconds_until(session, "lane.documents", is_down=True) < HONEST_S + BUSY_S
    await seconds_until(session, "lane.documents", is_down=False)
    await up.ready()


async def provider_calls(up: Up) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{up.settings['CLAW_MODEL_BASE_URL'].removesuffix('/v1')}/stats") as answer:
        return int((await answer.json())["requests"])


async def answer_of(client: Client, conversation: str) -> AsyncIterator[str]:
    """The events of one question's stream, resumed for as long as it takes."""
    reply = last = ""
    while True:
        try:
            if not reply:
                async with client.ask(conversation, "When was the windmill of Nebel built?") as answer:
                    async for sent in events(answer.content):
                        reply, last = sent.data.get("reply_id", reply), sent.id if sent.name not in ("accepted", "queued") else last
                        yield sent.name
                        if sent.name in ("completed", "failed", "cancelled"):
                            return
                continue
            headers = dict(client.headers) | ({"Last-Event-ID": last} if last else {})
            async with client.session.get(f"/api/v1/conversations/{conversation}/replies/{reply}/stream", headers=headers) as answer:
                async for sent in events(answer.content):
                    last = sent.id
                    yield sent.name
                    if sent.name in ("completed", "failed", "cancelled"):
                        return
        except (aiohttp.ClientError, ApiError, TimeoutError):
            await asyncio.sleep(0.3)


async def ask(client: Client, conversation: str, begun: asyncio.Event) -> str:
    name = ""
    async for name in answer_of(client, conversation):
        if name == "delta":
            begun.set()
    return name


@pytest.mark.timeout(240)
async def test_a_chat_worker_that_is_killed_while_the_broker_is_away(up: Up, client: Client):
    """Its successor starts without a log. All is answered soon after the log is back, none of it is left as a dead letter, and the model is
    asked once for each answer that was broken off.
    """
    await client.submit("mill", "The windmill of Nebel was built in 1771 and ground grain until 1963.")
    await client.wait_indexed("mill")
    conversations = [await client.create_conversation() for _ in range(QUESTIONS)]
    letters, calls = len(await records(up, LETTERS)), await provider_calls(up)
    begun = [asyncio.Event() for _ in conversations]
    asking = [asyncio.create_task(ask(client, *each)) for each in zip(conversations, begun, strict=True)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(each.wait() for each in begun))
    with stopped(up, "kafka"):
        chat = up.process("chat")
        os.kill(chat.pid, signal.SIGKILL)
        assert await seconds_until(client.session, "kafka", is_down=True) < HONEST_S + BUSY_S
        await asyncio.sleep(AWAY_S)
    back = time.monotonic()
    async with asyncio.timeout(ANSWERED_S):
        assert await asyncio.gather(*asking) == ["completed"] * QUESTIONS
    print(f"\nanswered {time.monotonic() - back:.1f} s after the broker was back, {await provider_calls(up) - calls} calls")  # noqa: T201
    assert await provider_calls(up) - calls <= 3 * QUESTIONS, "once more for each that broke off, and a title of each conversation"
    assert len(await records(up, LETTERS)) == letters
    await up.ready()
