"""Answers to questions that came through a door without a conversation."""

import msgspec
import pytest

from adapters.models.port import Finish
from adapters.redis.client import RedisClient
from domain.chats.records import BRIEF_MESSAGE_S
from domain.chats.reply_lock import ReplyLocks
from domain.chats.topics import MESSAGES_CHANGED
from domain.read_models import ReadModels
from schemas.chats import ChatGrounded, Door, ReplyCancelled, ReplyCompleted, Usage, UsageRecorded
from streams.log.outgoing import Outgoing
from tests.support.generating import Redis, Script, generating_agent, grounded_event
from tests.support.ports import RememberingPublisher, context

USED = Usage(prompt_tokens=10, completion_tokens=4)
DOORS: tuple[Door, ...] = ("query", "openai")


def through(door: Door) -> ChatGrounded:
    event = grounded_event()
    question = msgspec.structs.replace(event.data.question, door=door, api_key_id="key")
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, question=question))


class Brief(Redis):
    """Redis as far as this agent uses it: the message table and turns are the real ones."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        super().__init__()
        self.views, self.turns = ReadModels(redis, prefix), ReplyLocks(redis, prefix)

    async def get(self, scope, ident):
        return await self.views.messages.get(scope, ident)

    async def put_brief_message(self, tenant, message, place):
        await self.views.put_brief_message(tenant, message, place)


async def run(model: Script, brief: Brief, door: Door) -> tuple[list[Outgoing], RememberingPublisher]:
    publisher = RememberingPublisher()
    said = await generating_agent(model, brief).step(through(door), context(publisher, attempt=7))
    return [*publisher.sent, *said], publisher


@pytest.mark.parametrize("door", DOORS)
async def test_kept_for_a_day_and_nowhere_else(redis: RedisClient, prefix: str, door: Door):
    """Charged like any answer, to the key that asked; the log has no record of it, and no turn is given back that was never taken."""
    brief = Brief(redis, prefix)
    await brief.turns.acquire("acme", "conv", "r1", 60)
    sent, _ = await run(Script(["高41.8米[1]。", Finish(usage=USED)]), brief, door)
    assert MESSAGES_CHANGED not in {each.topic for each in sent}
    assert (brief.stored, brief.closed) == ({}, [])
    message = await brief.views.messages.get("acme/conv", "r1")
    assert message is not None
    assert (message.content, message.usage, message.versions) == ("高41.8米[1]。", USED, {"acme/kb/doc": 5})
    key = brief.views.messages._record_key("acme/conv", "r1")
    assert 0 < await redis.execute_command("TTL", key) <= BRIEF_MESSAGE_S
    assert 0 < await redis.execute_command("TTL", brief.views.messages.index_key("acme/conv")) <= BRIEF_MESSAGE_S
    (charge,) = [each.event.data for each in sent if isinstance(each.event, UsageRecorded)]
    assert (charge.prompt_tokens, charge.api_key_id) == (10, "key")


@pytest.mark.parametrize("door", DOORS)
async def test_a_question_that_comes_twice_is_answered_once(redis: RedisClient, prefix: str, door: Door):
    brief, again = Brief(redis, prefix), Script(["两次", Finish()])
    await run(Script(["一次", Finish(usage=USED)]), brief, door)
    sent, _ = await run(again, brief, door)
    assert again.asked == 0
    assert [each.event.data.text for each in sent if isinstance(each.event, ReplyCompleted)] == ["一次"]


async def test_a_cancelled_one_is_kept_as_that(redis: RedisClient, prefix: str):
    brief = Brief(redis, prefix)
    brief.cancel.set()
    sent, _ = await run(Script(["x", Finish()]), brief, "openai")
    assert [type(each.event) for each in sent] == [ReplyCancelled, UsageRecorded]
    message = await brief.views.messages.get("acme/conv", "r1")
    assert message is not None
    assert message.state == "cancelled"


async def test_with_redis_down_it_is_answered_all_the_same():
    down, publisher = Redis(down=True), RememberingPublisher()
    said = await generating_agent(Script(["好", Finish(usage=USED)]), down).step(through("query"), context(publisher, attempt=7))
    assert [type(each.event) for each in said] == [ReplyCompleted, UsageRecorded]
