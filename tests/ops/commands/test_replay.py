"""claw replay: a reply against another model."""

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest

from benchmarks.stub_provider import StubProvider
from benchmarks.stub_server import serving
from domain.areas import TOPICS
from domain.chats.reply_lock import ReplyLocation, ReplyLocks
from domain.chats.topics import CHATS_ASKED, CHATS_GROUNDED, MESSAGES_CHANGED
from domain.read_models import ReadModels
from ops.commands import replay
from schemas import ids
from schemas.chats import ChatAsked, ChatGrounded, Grounding, LogPlace, Message, MessageChanged, Passage, Question
from schemas.errors import ConfigurationError
from schemas.settings import ModelSettings
from schemas.settings.section import Secret
from streams.log.reader import open_log_reader
from streams.topics import Topic
from tests.support.recorded_house import KB, NOW, House, T

pytestmark = pytest.mark.stack


def passage() -> Passage:
    return Passage(
        marker=1, chunk_id="x", knowledge_base_id=KB, document_id="d", version=1, ordinal=0, title="Rules", score=1, text="25 days a year."
    )


async def answered(house: House) -> str:
    """An answer with its trail."""
    question = Question(
        conversation_id="c",
        message_id="q",
        reply_id="r",
        user_id="a",
        content="How many days a year?",
        knowledge_base_ids=(KB,),
        reply_partition=0,
        asked_at=NOW - timedelta(seconds=1),
    )
    _, asked = await house.publish(CHATS_ASKED, ChatAsked, "c", question)
    grounding = Grounding(
        question=question, query="days", keywords=(), passages=(passage(),), asked=LogPlace(asked.partition, asked.offset)
    )
    _, grounded = await house.publish(CHATS_GROUNDED, ChatGrounded, "c", grounding)
    message = Message(
        id="r",
        conversation_id="c",
        user_id="a",
        role="assistant",
        content="Recorded words.",
        created_at=NOW,
        attempt=1,
        model="old",
        versions={ids.document_key(T, KB, "d"): 1},
        grounded=LogPlace(grounded.partition, grounded.offset),
    )
    event, place = await house.publish(MESSAGES_CHANGED, MessageChanged, "r", message, "c")
    await ReadModels(house.redis, house.prefix).apply(event, place)
    return "r"


async def counts(house: House, wanted: Sequence[Topic] = TOPICS) -> list[int]:
    async with open_log_reader(house.settings.kafka) as reader:
        return [end for topic in wanted for _, end in (await reader.bounds(await reader.partitions(topic))).values()]


async def test_a_reply_is_replayed_against_another_model(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """Found by its location or, without one, on the topic; the other model gets the recorded passages; nothing is written."""
    reply = await answered(house)
    before, held = await counts(house), await house.contents()
    local = replay.other_model(house.settings.model, name="", provider="local", base_url="")
    assert await replay.run(house.settings, reply, local, tenant="", as_json=True) == 0
    both = json.loads(capsys.readouterr().out)
    assert (both["tenant"], both["question"]) == (T, "How many days a year?")
    assert (both["recorded"]["model"], both["recorded"]["text"]) == ("old", "Recorded words.")
    assert both["replayed"]["model"] == "local"
    assert "25 days a year" in both["replayed"]["text"]
    assert both["replayed"]["citations"][0]["quote"] in passage().text
    await ReplyLocks(house.redis, house.prefix).save_location(T, reply, ReplyLocation("c", 0, 0, "q"))
    async with serving(StubProvider(key="k")) as root:
        stub = msgspec_replace(house.settings.model, root)
        assert await replay.run(house.settings, reply, stub, tenant=T, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "recorded: old" in shown
    assert "replayed: stub?tokens=5&cite=1" in shown
    assert "passages: 1. Rules" in shown  # its rank; in a text it has the number of its citation
    assert (await counts(house), await house.contents()) == (before, held)


def msgspec_replace(model: ModelSettings, root: str) -> ModelSettings:
    other = replay.other_model(model, name="stub?tokens=5&cite=1", provider="openai", base_url=f"{root}/v1")
    return ModelSettings(provider=other.provider, name=other.name, base_url=other.base_url, api_key=Secret("k"))


async def test_a_reply_that_is_not_there(house: House) -> None:
    with pytest.raises(ConfigurationError, match="there is no reply"):
        await replay.run(house.settings, "nothing", house.settings.model, tenant="", as_json=True)
    await answered(house)
    with pytest.raises(ConfigurationError, match="of tenant other"):
        await replay.run(house.settings, "r", house.settings.model, tenant="other", as_json=True)
