"""From a document on the log to a cited answer on the wire."""

import asyncio
import json
import time
import uuid
from typing import Any

import openai

from claw_client import Client, events
from tests.system.conftest import records


async def test_an_upstream_document_is_cited_within_two_seconds(up, session, upstream):
    """What the README shows with kcat and curl: a CloudEvent on the inbox, then an answer that cites it."""
    client = await Client.with_token(session, up.key)
    name = f"tower-{uuid.uuid4().hex[:8]}"
    data = {"title": "阿姆鲁姆灯塔", "text": "阿姆鲁姆灯塔高41.8米，建于1875年，灯光高出海面63米。"}
    event = {"specversion": "1.0", "id": "1", "source": "/wiki", "type": "page.saved", "data": data}
    conversation = await client.create_conversation()
    began = time.monotonic()
    await upstream.send_and_wait("claw.inbox.default.v1", json.dumps(event).encode(), name.encode())
    await client.wait_indexed(name, poll_s=0.01)
    async with client.ask(conversation, "阿姆鲁姆灯塔有多高？") as answer:
        async for sent in events(answer.content):
            if sent.name == "citation":
                break
        else:
            raise AssertionError("the stream ended without a citation")
    assert time.monotonic() - began < 2.0
    assert sent.data["document_id"] == name
    assert sent.data["quote"] in data["text"]


async def test_answers_lie_on_the_log_as_readable_cloudevents(up, client):
    await client.submit("note", "The harbour of Wittdün was opened in 1890.")
    await client.wait_indexed("note")
    await _complete(client, "When was the harbour of Wittdün opened?")
    answered = [json.loads(each.value) for each in await records(up, "claw.chats.answered.v1")]
    assert {"claw.reply.started.v1", "claw.reply.extended.v1", "claw.reply.completed.v1"} <= {each["type"] for each in answered}
    for each in answered:
        assert each["specversion"] == "1.0"
        assert {"id", "source", "subject", "time", "tenant", "traceparent", "data"} <= each.keys()


async def test_one_trace_runs_through_every_topic_of_a_chat(up, client):
    """Any answer can be explained from the topics alone: one correlation id from the request to the usage."""
    await client.submit("note", "The ferry to Amrum leaves Dagebüll at nine.")
    await client.wait_indexed("note")
    conversation = await client.create_conversation()
    trace = uuid.uuid4().hex
    headers = {**client.headers, "traceparent": f"00-{trace}-{uuid.uuid4().hex[:16]}-01"}
    path = f"/api/v1/conversations/{conversation}/messages"
    async with client.session.post(path, json={"content": "When does the ferry to Amrum leave?"}, headers=headers) as answer:
        assert answer.status == 202
        reply = (await answer.json())["reply_id"]
    await _ended(client, conversation, reply)
    for topic in ("chats.asked", "chats.grounded", "chats.answered", "messages.changed", "usage.recorded"):
        found = [json.loads(each.value) for each in await records(up, f"claw.{topic}.v1") if each.value]
        assert [each for each in found if each["traceparent"][3:35] == trace], topic


async def test_a_malformed_event_is_dead_lettered_as_it_was_and_the_agent_goes_on(up, session, upstream):
    client = await Client.with_token(session, up.key)
    poison, name = f"no event {uuid.uuid4()}".encode(), f"after-{uuid.uuid4().hex[:8]}"
    await upstream.send_and_wait("claw.inbox.default.v1", poison, name.encode())
    good = {"specversion": "1.0", "id": "2", "source": "/wiki", "type": "page.saved", "data": {"text": "Still here."}}
    await upstream.send_and_wait("claw.inbox.default.v1", json.dumps(good).encode(), name.encode())
    await client.wait_indexed(name)
    (letter,) = [each for each in await records(up, "claw.dead-letters.v1") if each.value == poison]
    headers = {name: value.decode(errors="replace") for name, value in letter.headers}
    assert letter.key == name.encode()
    assert "event_malformed" in headers.values()
    assert "claw.inbox.default.v1" in headers.values()


async def test_usage_is_counted_once_per_reply(up, client):
    await client.submit("note", "The island of Föhr has eleven villages and one town.")
    await client.wait_indexed("note")
    for _ in range(2):
        await _complete(client, "How many villages has the island of Föhr?")
    recorded = [json.loads(each.value) for each in await records(up, "claw.usage.recorded.v1")]
    assert len(recorded) == len({(each["data"]["reply_id"], each["data"]["purpose"]) for each in recorded})


async def _complete(client, question):
    async with asyncio.timeout(30), client.ask(await client.create_conversation(), question) as answer:
        names = [sent.name async for sent in events(answer.content)]
    assert names[0] == "accepted"
    assert names[1] == "retrieved"
    assert [name for name in names if name in {"completed", "failed", "cancelled"}] == ["completed"]
    assert names[-1] == "completed"


async def _ended(client, conversation, reply):
    async with asyncio.timeout(30):
        while True:
            async with client.session.get(f"/api/v1/conversations/{conversation}/messages", headers=client.headers) as answer:
                if reply in {each["id"] for each in (await answer.json())["items"]}:
                    return
            await asyncio.sleep(0.1)


async def test_the_official_openai_client_is_answered(up, client):
    """Unchanged: only its base URL is another one."""
    await client.submit("note", "The windmill of Nebel was built in 1771.")
    await client.wait_indexed("note")
    question: list[Any] = [{"role": "user", "content": "When was the windmill of Nebel built?"}]
    key = client.headers["Authorization"].removeprefix("Bearer ")
    async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key=key, max_retries=0) as official:
        whole = await official.chat.completions.create(model="claw", messages=question)
        stream = await official.chat.completions.create(model="claw", messages=question, stream=True)
        chunks = [chunk async for chunk in stream]
        vectors = await official.embeddings.create(model="claw-embedding", input="windmill")
    message = whole.choices[0].message
    assert message.content == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert message.annotations
    assert message.annotations[0].url_citation.title
    assert len(vectors.data[0].embedding) == 256
