"""Processes die; readers must not notice more than a pause."""

import asyncio
import json
import os
import signal
import time

import aiohttp
import pytest

from claw_client import events
from tests.system.conftest import records

TERMINAL = {"completed", "failed", "cancelled"}


@pytest.fixture
async def asked(client):
    """A client with one document, and a conversation about it."""
    await client.submit("mill", "The windmill of Nebel was built in 1771 and ground grain until 1963.")
    await client.wait_indexed("mill")
    return client, await client.create_conversation()


async def test_kill_of_the_chat_worker_while_an_answer_streams(up, asked):
    """The stream ends with one ``completed``; the message is stored once and charged once."""
    client, conversation = asked
    before, text, ends, restarts = up.process("chat"), "", [], 0
    asked_slowly = "When was the windmill of Nebel built? [[token_ms=150]]"  # nine seconds: a busy reader is not so late
    async with asyncio.timeout(90), client.ask(conversation, asked_slowly) as answer:
        async for sent in events(answer.content):
            if sent.name == "accepted":
                reply = sent.data["reply_id"]
            elif sent.name == "delta":
                text += sent.data["text"]
                if before is not None and len(text) > 20:
                    os.kill(before.pid, signal.SIGKILL)
                    killed, before = before, None
            elif sent.name == "restart":
                text, restarts = "", restarts + 1
            elif sent.name in TERMINAL:
                ends.append(sent)
    assert [end.name for end in ends] == ["completed"]
    assert restarts == 1
    assert text == ends[0].data["text"]
    async with client.session.get(f"/api/v1/conversations/{conversation}/messages", headers=client.headers) as found:
        messages = (await found.json())["items"]
    assert sorted(each["role"] for each in messages) == ["assistant", "user"]
    assert {each["content"] for each in messages if each["role"] == "assistant"} == {text}
    stored = [json.loads(each.value) for each in await records(up, "claw.messages.changed.v1") if each.key == reply.encode()]
    assert len({each["id"] for each in stored}) == 1
    charged = [json.loads(each.value) for each in await records(up, "claw.usage.recorded.v1")]
    answers = {each["id"] for each in charged if each["data"]["reply_id"] == reply and each["data"]["purpose"] == "answer"}
    assert len(answers) == 1, "a title of the conversation is charged apart"
    await up.restarted("chat", killed)


async def test_kill_of_the_api_resumes_without_a_gap_or_a_repeat(up, asked):
    client, conversation = asked
    before, text, last, reply = up.process("api"), "", "", ""
    try:
        async with asyncio.timeout(30), client.ask(conversation, "When was the windmill of Nebel built?") as answer:
            async for sent in events(answer.content):
                last = sent.id
                if sent.name == "accepted":
                    reply = sent.data["reply_id"]
                elif sent.name == "delta":
                    text += sent.data["text"]
                    if len(text) > 20:
                        os.kill(before.pid, signal.SIGKILL)
    except aiohttp.ClientError:
        pass
    await up.restarted("api", before)
    await up.ready()
    ends = []
    headers = {**client.headers, "Last-Event-ID": last}
    path = f"/api/v1/conversations/{conversation}/replies/{reply}/stream"
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession(base_url=up.url) as session,
        session.get(path, headers=headers) as answer,
    ):
        assert answer.status == 200
        async for sent in events(answer.content):
            assert sent.name not in {"snapshot", "restart"}, "a resume from the log needs neither"
            if sent.name == "delta":
                text += sent.data["text"]
            elif sent.name in TERMINAL:
                ends.append(sent)
    assert [end.name for end in ends] == ["completed"]
    assert text == ends[0].data["text"]


async def test_a_stream_can_be_read_again_from_any_event_after_it_ended(asked):
    client, conversation = asked
    seen = []
    async with asyncio.timeout(30), client.ask(conversation, "When was the windmill of Nebel built?") as answer:
        seen = [sent async for sent in events(answer.content)]
    reply = seen[0].data["reply_id"]
    for place in {1, len(seen) // 2, len(seen) - 2}:
        headers = {**client.headers, "Last-Event-ID": seen[place].id}
        async with client.session.get(f"/api/v1/conversations/{conversation}/replies/{reply}/stream", headers=headers) as answer:
            again = [sent async for sent in events(answer.content)]
        assert [(sent.id, sent.name) for sent in again] == [(sent.id, sent.name) for sent in seen[place + 1 :]]


async def test_cancel_ends_the_stream_and_frees_the_conversation(asked):
    client, conversation = asked
    replies = f"/api/v1/conversations/{conversation}/replies"
    async with asyncio.timeout(30), client.ask(conversation, "When was the windmill of Nebel built?") as answer:
        ended, asked_at = "", 0.0
        async for sent in events(answer.content):
            if sent.name == "accepted":
                reply = sent.data["reply_id"]
            elif sent.name == "delta" and not asked_at:
                busy = {"content": "And until when did it grind?"}
                path = f"/api/v1/conversations/{conversation}/messages"
                async with client.session.post(path, json=busy, headers=client.headers) as refused:
                    assert refused.status == 409
                    problem = await refused.json()
                    assert (problem["code"], problem["reply_id"]) == ("conversation_busy", reply)
                asked_at = time.monotonic()
                async with client.session.post(f"{replies}/{reply}/cancel", headers=client.headers) as cancel:
                    assert cancel.status in {200, 202, 204}
            elif sent.name in TERMINAL:
                ended = sent.name
                assert time.monotonic() - asked_at < 2.0
    assert ended == "cancelled"
    async with client.ask(conversation, "And until when did it grind?") as answer:
        assert answer.status == 200


@pytest.fixture
def paused(up):
    """Pause a component as a hang or a lost network would; it goes on at the end whatever happens."""
    stopped: list[int] = []

    def pause(component: str) -> None:
        pid = up.process(component).pid
        os.kill(pid, signal.SIGSTOP)
        stopped.append(pid)

    def go_on() -> None:
        while stopped:
            os.kill(stopped.pop(), signal.SIGCONT)

    pause.go_on = go_on  # type: ignore[attr-defined]
    yield pause
    go_on()


async def test_without_redis_a_running_conversation_is_still_answered(up, asked, paused):
    client, conversation = asked
    await _answer(client, conversation)
    paused("redis")
    try:
        await _answer(client, conversation)
        async with client.session.get("/readyz") as ready:
            assert ready.status == 503
            assert "redis" in (await ready.text())
        async with client.session.delete(f"{client.documents}/mill", headers=client.headers) as refused:
            assert refused.status == 503
            assert (await refused.json())["code"] == "redis_unavailable"
            assert int(refused.headers["Retry-After"]) >= 1
    finally:
        paused.go_on()
    await up.ready()
    async with client.session.delete(f"{client.documents}/mill", headers=client.headers) as done:
        assert done.status == 204


async def test_without_kafka_a_question_is_refused_at_once_and_taken_afterwards(up, asked, paused):
    client, conversation = asked
    await _answer(client, conversation)
    paused("kafka")
    try:
        began = time.monotonic()
        body = {"content": "When was the windmill of Nebel built?"}
        path = f"/api/v1/conversations/{conversation}/messages"
        async with client.session.post(path, json=body, headers=client.headers) as refused:
            assert refused.status == 503
            assert (await refused.json())["code"] == "kafka_unavailable"
            assert int(refused.headers["Retry-After"]) >= 1
        assert time.monotonic() - began < 2.5
    finally:
        paused.go_on()
    await up.ready()
    await _answer(client, await client.create_conversation())


async def _answer(client, conversation):
    async with asyncio.timeout(60), client.ask(conversation, "When was the windmill of Nebel built?") as answer:
        names = [sent.name async for sent in events(answer.content)]
    assert names[-1] == "completed", names
