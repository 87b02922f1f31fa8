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


async def _messages(client: Any, conversation: str) -> list[Any]:
    async with client.session.get(f"/api/v1/conversations/{conversation}/messages", headers=client.headers) as answer:
        return list((await answer.json())["items"])


@pytest.mark.parametrize("thinks", THINKS)
async def test_thinking_is_not_shown_stored_or_cited(up, client, thinks):
    wish = f"[[{FAST}&tokens=16&cite=1&thinking=200&thinks={thinks}]]"  # in the document, too: the question is about it
    await client.submit("note", f"The lighthouse of Amrum is 41.8 metres tall. {wish}")
    await client.wait_indexed("note")
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
    conversation, sent = await _read(client, f"Why is there a lighthouse? [[{FAST}&thinking=9000&thinks={thinks}]]")
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


async def test_the_openai_door_says_so_as_an_error(up, client):
    """Before anything was sent, so that it has its status, streamed or not; the client does not repeat it."""
    key = client.headers["Authorization"].removeprefix("Bearer ")
    for stream in (False, True):
        question: list[Any] = [{"role": "user", "content": f"Why? [[{FAST}&thinking=500&thinks=reasoning]]"}]
        async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key=key) as official:
            with pytest.raises(openai.InternalServerError) as failed:
                await official.chat.completions.create(model="claw", messages=question, stream=stream, max_tokens=100)
        assert (failed.value.status_code, failed.value.code) == (502, "model_answer_empty")
        assert "max_tokens" in failed.value.message


async def _spent(up: Any, reply: str) -> list[Any]:
    found = [json.loads(each.value)["data"] for each in await records(up, "claw.usage.recorded.v1")]
    return [each for each in found if each["reply_id"] == reply]
