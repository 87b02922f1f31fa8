"""A long conversation on the whole stack: summarised beside its answers, and gone from the log's records when it is deleted."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from claw_client import Client, events
from tests.system.conftest import Up, records

ROUNDS = 9  # questions after which a branch of the default 20 messages has outgrown three quarters of them


async def test_a_long_conversation_is_summarised_and_a_deleted_one_is_erased(up: Up, client: Client) -> None:
    """Questions whose answers are cut short, as people do; the summary travels with a later one, and nothing of it stays in the end."""
    await client.submit("note", "The harbour of Wittdün was opened in 1890. Its keeper is Knut Jessen.")
    await client.wait_indexed("note")
    conversation = await client.create_conversation()
    for number in range(ROUNDS):
        await _asked_and_stopped(client, conversation, f"When was the harbour of Wittdün opened, said witness {number} of 1890?")

    async def summaries() -> list[str]:
        return [message["summary"] for message in (await _messages(up, conversation)).values() if message["summary"]]

    await _until(summaries)

    async def charged() -> bool:
        spent = [each["data"] for each in await _values(up, "claw.usage.recorded.v1") if each["data"]["conversation_id"] == conversation]
        return {"answer", "summary", "title"} <= {each["purpose"] for each in spent}

    await _until(charged)
    async with client.session.get(f"/api/v1/conversations/{conversation}", headers=client.headers) as answer:
        assert (await answer.json())["titled_by"] == "model"
    await _asked_and_stopped(client, conversation, "And who keeps the harbour of Wittdün?")
    asked = [each["data"] for each in await _values(up, "claw.chats.asked.v1") if each["subject"] == conversation][-1]
    assert asked["summary"] in await summaries()
    assert 0 < len(asked["history"]) < ROUNDS
    reply = await _asked(client, conversation, "When was the harbour of Wittdün opened?")
    async with client.session.delete(f"/api/v1/conversations/{conversation}", headers=client.headers) as deleted:
        assert deleted.status == 204

    async def erased() -> bool:
        told = [each["type"] for each in await _values(up, "claw.chats.answered.v1") if each["subject"] == reply]
        return told[-1] == "claw.reply.cancelled.v1" and not await _messages(up, conversation)

    await _until(erased)
    async with client.session.get("/api/v1/conversations", headers=client.headers) as answer:
        assert (await answer.json())["items"] == []


async def _until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.1)


async def _asked(client: Client, conversation: str, question: str) -> str:
    """Ask; the reply's id once it has begun to answer."""
    async with client.ask(conversation, question) as answer:
        async for sent in events(answer.content):
            if sent.name == "accepted":
                reply = str(sent.data["reply_id"])
            elif sent.name == "delta":
                return reply
    raise AssertionError("the stream ended before anything was said")


async def _asked_and_stopped(client: Client, conversation: str, question: str) -> None:
    reply = await _asked(client, conversation, question)
    path = f"/api/v1/conversations/{conversation}/replies/{reply}"
    async with client.session.post(f"{path}/cancel", headers=client.headers) as answer:
        assert answer.status == 202
    async with client.session.get(f"{path}/stream", headers=client.headers) as stream:
        assert [sent.name async for sent in events(stream.content)][-1] == "cancelled"


async def _messages(up: Up, conversation: str) -> dict[bytes, Any]:
    """The messages of the conversation as compaction will leave them, by key."""
    last = {each.key: each.value for each in await records(up, "claw.messages.changed.v1")}
    messages = {key: json.loads(value)["data"] for key, value in last.items() if value is not None}
    return {key: message for key, message in messages.items() if message["conversation_id"] == conversation}


async def _values(up: Up, topic: str) -> list[Any]:
    return [json.loads(each.value) for each in await records(up, topic) if each.value]
