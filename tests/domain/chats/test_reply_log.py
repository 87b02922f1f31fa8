"""What the log has of a reply, on the real broker."""

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from domain.chats.reply_log import KafkaReplyLog, ReplyState
from domain.chats.topics import CHATS_ANSWERED, MESSAGES_CHANGED
from schemas.chats import Message, MessageChanged, Question
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.publisher import KafkaPublisher
from tests.support.generating import grounded_event
from tests.support.reply_events import CONVERSATION, completed, extended, failed, outgoing, started, whole_reply

pytestmark = pytest.mark.stack

PARTITION = 1


@pytest.fixture
async def publisher(kafka_settings, topics):
    await topics(CHATS_ANSWERED, MESSAGES_CHANGED)
    publisher = KafkaPublisher(kafka_settings, topics=[CHATS_ANSWERED, MESSAGES_CHANGED])
    await publisher.start()
    yield publisher
    await publisher.stop()


def question(asked_at: datetime | None = None) -> Question:
    asked_at = datetime.now(UTC) if asked_at is None else asked_at
    return msgspec.structs.replace(grounded_event().data.question, reply_id=str(uuid.uuid4()), asked_at=asked_at)


async def test_only_what_lies_before_the_fence_ends_the_reply(kafka_settings, publisher):
    """An end of the attempt before that comes after the newer attempt's start is void, also for who reads later."""
    asked, log = question(), KafkaReplyLog(kafka_settings)
    other = whole_reply(str(uuid.uuid4()), ["another reply"])
    await publisher.publish_all(outgoing([started(asked.reply_id, 4), extended(asked.reply_id, 1, "half", 4), *other], PARTITION))
    fence = (await publisher.publish_all(outgoing([started(asked.reply_id, 7)], PARTITION)))[0]
    late = await publisher.publish_all(outgoing([completed(asked.reply_id, "half", 4)], PARTITION))
    assert await log.read("t", asked, fence) == ReplyState(4, has_ended=False)
    after = LogOffset(fence.topic, PARTITION, late[-1].offset + 1)
    assert await log.read("t", asked, after) == ReplyState(7, has_ended=False)
    end = (await publisher.publish_all(outgoing([failed(asked.reply_id, 7)], PARTITION)))[0]
    assert await log.read("t", asked, LogOffset(fence.topic, PARTITION, end.offset + 1)) == ReplyState(7, has_ended=True)
    assert await log.read("another tenant", asked, after) == ReplyState(-1, has_ended=False)


async def test_a_reply_that_nobody_began_has_no_state(kafka_settings, publisher):
    log, place = KafkaReplyLog(kafka_settings), LogOffset("", PARTITION, 0)
    assert await log.read("t", question(), place) == ReplyState(-1, has_ended=False)
    assert await log.read("t", question(datetime.now(UTC) + timedelta(hours=1)), place) == ReplyState(-1, has_ended=False)


async def test_the_message_of_an_attempt_is_found_with_its_offset(kafka_settings, publisher):
    asked, log, places = question(), KafkaReplyLog(kafka_settings), {}
    for attempt in (4, 7):
        message = Message(
            id=asked.reply_id,
            conversation_id=CONVERSATION,
            user_id="u",
            role="assistant",
            content=f"attempt {attempt}",
            created_at=asked.asked_at,
            attempt=attempt,
        )
        event = MessageChanged.from_cause(started(asked.reply_id), "generate", data=message, now=asked.asked_at)
        places[attempt] = await publisher.publish(Outgoing(MESSAGES_CHANGED, event, partition=PARTITION))
    for attempt, place in places.items():
        found = await log.find_message("t", asked, PARTITION, attempt)
        assert found is not None
        assert (found[0].data.content, found[1]) == (f"attempt {attempt}", place)
    assert await log.find_message("t", asked, PARTITION, 5) is None
    assert await log.find_message("another tenant", asked, PARTITION, 7) is None
