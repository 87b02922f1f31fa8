"""The same promises where no language model answers: none is configured, or the one that is does not answer and ``local`` stands in."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from claw_client import Client, events
from tests.system.conftest import OwnStack

ELSEWHERE = {  # nothing listens there
    "CLAW_MODEL_PROVIDER": "openai",
    "CLAW_MODEL_BASE_URL": "http://127.0.0.1:9/v1",
    "CLAW_MODEL_API_KEY": "none",
    "CLAW_MODEL_NAME": "absent",
    "CLAW_MODEL_SECOND_PROVIDER": "local",
}
REFUSAL = "知识库中没有找到能回答这个问题的内容。"
COURTESIES = {"你好": "你好", "谢谢！": "不客气", "Hello!": "Hello", "Thanks": "welcome", "Who are you?": "documents"}
NOTE = "阿姆鲁姆灯塔高41.8米，建于1875年。"


@pytest.fixture(params=[{}, ELSEWHERE], ids=["keyless", "failover"])
async def keyless(request: Any, tmp_path: Path, own_stack: OwnStack) -> AsyncIterator[Client]:
    """Somebody with a document, in a stack of their own."""
    async with own_stack(tmp_path / "home", request.param) as (_, session):
        client = await Client.register(session, f"{uuid.uuid4().hex}@example.org", "a long test passphrase")
        await client.submit("tower", NOTE)
        await client.wait_indexed("tower")
        yield client


async def read(client: Client, question: str, mode: str = "grounded") -> dict[str, Any]:
    """The data of ``completed``."""
    conversation = await client.create_conversation(mode=mode)
    async with asyncio.timeout(60), client.ask(conversation, question) as answer:
        sent = [each async for each in events(answer.content)]
    assert sent[-1].name == "completed", sent[-1]
    return sent[-1].data


async def test_words_decide_and_courtesies_have_a_fixed_reply(keyless: Client):
    """In either mode: what the lexical threshold accepts is quoted, what it does not is declined, and greetings are greeted."""
    for mode in ("grounded", "assistant"):
        found = await read(keyless, "阿姆鲁姆灯塔有多高？", mode)
        assert (found["outcome"], NOTE in found["text"], len(found["citations"])) == ("answered", True, 1)
        declined = await read(keyless, "岳阳楼的设计师是谁？", mode)
        assert (declined["outcome"], declined["citations"]) == ("not_found", [])
        assert declined["text"].startswith(REFUSAL)
        assert ("助手模式需要语言模型" in declined["text"]) is (mode == "assistant")
        for said, answer in COURTESIES.items():
            told = await read(keyless, said, mode)
            assert (told["outcome"], told["citations"], told["model"]) == ("courtesy", [], "local")
            assert answer in told["text"]
