"""The agent that tracks tasks: what events say is in the table, in one round trip for a batch, and deltas are not read."""

from dataclasses import replace
from datetime import datetime

import msgspec
import pytest

from adapters.redis.client import RedisClient
from agents import track
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED, CHATS_GROUNDED
from domain.tasks.settings import TaskSettings
from domain.tasks.steps import steps_of
from domain.tasks.table import TaskTable
from schemas.events import Event, encode
from streams.log.outgoing import LogOffset
from streams.topics import Topic
from tests.support.ports import StandingClock, context
from tests.support.task_events import NOW, TASK, answered, asked, grounded, progressed, submitted

pytestmark = pytest.mark.stack


class Noon(StandingClock):
    def now(self) -> datetime:
        return NOW


async def test_a_chat_and_a_document(redis: RedisClient, prefix: str) -> None:
    """In any order, and again."""
    table = TaskTable(redis, prefix, TaskSettings())
    agent = track.agent(table)
    assert agent.step_many is not None
    events = [answered(3, "complete"), submitted(), asked(0), grounded(1), progressed(2, "indexed", 9)]
    batch = [(event, replace(context(offset=offset), clock=Noon())) for offset, event in enumerate(events)]
    assert await agent.step_many(batch) == [()] * 5
    for event, at in batch:
        assert await agent.step(event, at) == []
    found = await table.get_many("t", ["r", TASK])
    assert [(task.kind, task.state, task.account) for task in found.values()] == [
        ("generate_ai_response", "SUCCESS", "u"),
        ("vectorize_document", "SUCCESS", "u"),
    ]
    assert CHATS_ANSWERED not in agent.reads


@pytest.mark.parametrize(("event", "topic"), [(asked(0, 2), CHATS_ASKED), (grounded(1, 2), CHATS_GROUNDED), (asked(0), CHATS_ASKED)])
def test_the_parts_of_a_chat_that_are_read_say_the_same_as_all_of_it(event: Event, topic: Topic) -> None:
    """Without the texts of its question and passages."""
    agent = track.agent(None)  # type: ignore[arg-type]
    part = msgspec.json.Decoder(agent.parts[topic]).decode(encode(event))
    assert not hasattr(part.data, "passages")
    assert steps_of(part, LogOffset("t", 0, 7)) == steps_of(event, LogOffset("t", 0, 7)) != ()
    assert (part.tenant, part.traceparent) == (event.tenant, event.traceparent)
