"""A cancel on the whole stack: the reader is told, and the provider's connection is closed, long before the answer would have ended."""

import asyncio
import time

import aiohttp

from claw_client import events

ANSWER_S = 3.0  # the model of these tests speaks that long
SOON_S = 1.5  # the promise is 0.2 s on a machine of its own; `make bench BENCH=streams` measures it


async def test_a_cancel_reaches_the_reader_and_the_provider(up, client):
    conversation = await client.create_conversation(mode="assistant")  # which asks the model without documents, too
    stats = up.settings["CLAW_MODEL_BASE_URL"].removesuffix("/v1") + "/stats"
    async with asyncio.timeout(30), aiohttp.ClientSession() as provider:
        before = await _stats(provider, stats)
        async with client.ask(conversation, "How tall is the lighthouse?") as answer:
            sent = events(answer.content)
            reply = (await anext(sent)).data["reply_id"]
            async for each in sent:
                if each.name == "delta":
                    break
            began = time.monotonic()
            path = f"/api/v1/conversations/{conversation}/replies/{reply}/cancel"
            async with client.session.post(path, headers=client.headers) as accepted:
                assert accepted.status == 202
            names = [each.name async for each in sent]
            told_s = time.monotonic() - began
        assert names[-1] == "cancelled"
        assert "completed" not in names
        while (now := await _stats(provider, stats))["disconnected"] == before["disconnected"]:
            await asyncio.sleep(0.01)
        closed_s = time.monotonic() - began
        while now["open"] > before["open"]:  # the title is being written, too: that call may end in its own time
            await asyncio.sleep(0.01)
            now = await _stats(provider, stats)
    assert now["disconnected"] == before["disconnected"] + 1
    assert told_s < SOON_S < ANSWER_S
    assert closed_s < SOON_S


async def _stats(provider, url):
    async with provider.get(url) as answer:
        return await answer.json()
