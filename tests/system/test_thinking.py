"""A model that thinks, on the whole stack: its thinking is never the answer, and when it is all there is the reply fails with a remedy."""

import asyncio
import json
from typing import Any

import openai
import pytest

from claw_client import events
from tests.system.conftest import records

THINKS = ["reasoning_content", "reasoning", "tags"]
BUDGET = 1024  # of the settings: CLAW_MODEL_MAX_TOKENS
FAST = "first_ms=0&token_ms=0"


async def _read(client: Any, question: str) -> tuple[str, list[Any]]:
    conversation = await client.create_conversation()
    async with asyncio.timeout(60), client.ask(conversation, question) as answer:
        return conversation, [sent async for sent in events(answer.content)]


async def _submit_note(client: Any, wish: str) -> None:
    """A passage for the question that follows: without any, no model is asked. The wish stands in it, too: the question is about it."""
    await client.submit("note", f"The lighthouse of Amrum is 41.8 metres tall. {wish}")
    await client.wait_indexed("note")


async def _messages(client: Any, conversation: str) -> list[Any]:
    async with client.session.get(f"/api/v1/conversations/{conversation}/messages", headers=client.headers) as answer:
        return list((await answer.json())["items"])


@pytest.mark.parametrize("thinks", THINKS)
async def test_thinking_is_not_shown_stored_or_cited(up, client, thinks):
    wish = f"[[{FAST}&tokens=16&cite=1&thinking=200&thinks={thinks}]]"
    await _submit_note(client, wish)
    conversation, sent = await _read(client, f"How tall is the lighthouse of Amrum? {wish}")
    assert sent[-1].name == "completed"
    answer = next(each for each in await _messages(client, conversation) if each["role"] == "assistant")
    told = json.dumps([each.data for each in sent], ensure_ascii=False) + json.dumps(answer, ensure_ascii=False)
    assert "hm1" not in told
    assert "think>" not in told
    assert answer["content"].startswith("知识库")
    assert sent[-1].data["usage"]["completion_tokens"] == 216
    assert len(answer["citations"]) == 2


@pytest.mark.parametrize("thinks", THINKS)
async def test_an_answer_that_was_all_thinking_is_a_named_failure_that_is_paid_once(up, client, thinks):
    wish = f"[[{FAST}&thinking=9000&thinks={thinks}]]"
    await _submit_note(client, wish)
    conversation, sent = await _read(client, f"How tall is the lighthouse of Amrum? {wish}")
    assert [each.name for each in sent if each.name in {"delta", "citation", "completed", "failed", "cancelled"}] == ["failed"]
    problem = sent[-1].data
    assert (problem["code"], problem["status"]) == ("model_answer_empty", 502)
    assert "CLAW_MODEL_MAX_TOKENS" in problem["remedy"]
    assert str(BUDGET) in problem["detail"]
    answer = next(each for each in await _messages(client, conversation) if each["role"] == "assistant")
    assert (answer["state"], answer["content"]) == ("failed", "")
    async with asyncio.timeout(20):
        while not (spent := await _spent(up, answer["id"])):
            await asyncio.sleep(0.2)
    assert [(each["purpose"], each["completion_tokens"]) for each in spent] == [("answer", BUDGET)]


@pytest.mark.parametrize("thinks", THINKS)
async def test_thinking_streams_to_who_asked_and_to_nobody_else(up, client, thinks):
    """Every event resumable by its id, before the first word, and in no record."""
    wish = f"[[{FAST}&tokens=16&cite=1&thinking=200&thinks={thinks}]]"
    await _submit_note(client, wish)
    conversation = await client.create_conversation()
    question = f"How tall is the lighthouse of Amrum? {wish}"
    async with asyncio.timeout(60), client.ask(conversation, question, show_thinking=True) as answer:
        sent = [each async for each in events(answer.content)]
    names = [each.name for each in sent]
    assert names[-1] == "completed"
    assert names.index("retrieved") < names.index("thinking") < names.index("delta")
    assert "thinking" not in names[names.index("delta") :]
    thought = "".join(each.data["text"] for each in sent if each.name == "thinking")
    assert thought.split() == "".join(f"hm{i} [1] " for i in range(200)).split()
    assert sent[-1].data["usage"]["reasoning_tokens"] == 200
    reply = sent[0].data["reply_id"]
    stream = f"/api/v1/conversations/{conversation}/replies/{reply}/stream"
    middle = names.index("thinking")
    async with client.session.get(f"{stream}?thinking=true", headers=client.headers | {"Last-Event-ID": sent[middle].id}) as answer:
        rest = [each async for each in events(answer.content)]
    assert [(each.id, each.name) for each in rest] == [(each.id, each.name) for each in sent[middle + 1 :]]
    async with client.session.get(stream, headers=client.headers) as answer:
        plain = [each async for each in events(answer.content)]
    told = json.dumps([each.data for each in plain]) + json.dumps(await _messages(client, conversation))
    assert "hm1" not in told


async def test_a_template_that_opens_the_thinking_is_understood_after_one_restart(up, client):
    """Nobody knew: what was shown turns out to be thinking, is taken back, and the answer is generated anew."""
    question, wish = "How tall is the lighthouse of Amrum?", f"[[{FAST}&tokens=8&token_ms=20&thinking=5&thinks=opened]]"
    await _submit_note(client, wish)
    conversation, sent = await _read(client, f"{question} {wish}")
    names = [each.name for each in sent]
    assert names.index("delta") < names.index("restart") < len(names) - 1
    assert names[-1] == "completed"
    assert "hm1" not in sent[-1].data["text"]
    answer = next(each for each in await _messages(client, conversation) if each["role"] == "assistant")
    assert "hm1" not in answer["content"]
    _, plain = await _read(client, f"{question} [[{FAST}&tokens=8]]")  # the worker forgets: this text begins with the answer
    assert plain[-1].data["text"].startswith("知识库")


async def test_the_openai_door_says_so_as_an_error(up, client):
    """Before anything was sent, so that it has its status, streamed or not; the client does not repeat it."""
    key, wish = client.headers["Authorization"].removeprefix("Bearer "), f"[[{FAST}&thinking=500&thinks=reasoning]]"
    await _submit_note(client, wish)
    for stream in (False, True):
        question: list[Any] = [{"role": "user", "content": f"How tall is the lighthouse of Amrum? {wish}"}]
        async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key=key) as official:
            with pytest.raises(openai.InternalServerError) as failed:
                await official.chat.completions.create(model="claw", messages=question, stream=stream, max_tokens=100)
        assert (failed.value.status_code, failed.value.code) == (502, "model_answer_empty")
        assert "max_tokens" in failed.value.message


async def _spent(up: Any, reply: str) -> list[Any]:
    found = [json.loads(each.value)["data"] for each in await records(up, "claw.usage.recorded.v1")]
    return [each for each in found if each["reply_id"] == reply]
