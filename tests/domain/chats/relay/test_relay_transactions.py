"""Replies of a partition that ends in records which never arrive."""

import asyncio
import uuid
from contextlib import aclosing

import pytest

from domain.chats.topics import CHATS_ANSWERED
from schemas.settings import KafkaSettings
from streams.log.publisher import KafkaPublisher
from tests.domain.chats.relay.conftest import MakeRelay
from tests.support.reply_events import collect, names, outgoing, whole_reply
from tests.support.transactions import ENDINGS, Ending, outsider

pytestmark = [pytest.mark.stack, pytest.mark.timeout(60)]
SILENCE_S = 4.0  # less than a catch-up reader waits for what the log does not give


@pytest.mark.parametrize("ending", ENDINGS)
async def test_another_replica_catches_up_to_the_end_and_follows(
    publisher: KafkaPublisher, make_relay: MakeRelay, kafka_settings: KafkaSettings, ending: Ending
):
    """A reply that has begun, then nothing but a transaction: the rest comes to a reader on another replica as soon as it is written."""
    asked = await make_relay(1)
    reply_id, location = str(uuid.uuid4()), asked.location()
    events = whole_reply(reply_id, ["one ", "two"])
    await publisher.publish_all(outgoing(events[:2], 1))
    async with outsider(kafka_settings, publisher.physical_name(CHATS_ANSWERED), 1) as other:
        await other.end(ending, (b"of nobody", b"{}"))
        reader = await make_relay(2)
        async with aclosing(reader.stream(reply_id, location=location)) as frames, asyncio.timeout(20):
            assert [(await anext(frames)).event for _ in range(2)] == ["retrieved", "delta"]
            async with asyncio.timeout(SILENCE_S):
                while reader.window(1) is None:
                    await asyncio.sleep(0.02)
            if ending == "open":
                await other.producer.abort_transaction()
            await publisher.publish_all(outgoing(events[2:], 1))
            rest = [frame async for frame in frames if frame.id]
        assert names(rest) == ["delta", "citation", "completed"]
        assert names(await collect(reader, reply_id, location=location)) == ["retrieved", "delta", "delta", "citation", "completed"]
