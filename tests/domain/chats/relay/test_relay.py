"""Streams of replies on the real broker: complete, resumable anywhere, shared, slow, taken over."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from adapters.kafka import connection_options
from domain.chats.relay import HEARTBEAT, PartitionOffset, Relay, event_id
from domain.chats.relay.cursor import BYTES_MAX
from domain.chats.topics import CHATS_ANSWERED
from ops.commands import topics as administration
from schemas.chats import Message, MessageState
from schemas.errors import Refused
from schemas.settings import KafkaSettings
from streams.log.publisher import KafkaPublisher
from tests.domain.chats.relay.conftest import MakeRelay
from tests.support.reply_events import (
    CONVERSATION,
    NOW,
    cancelled,
    collect,
    extended,
    failed,
    names,
    outgoing,
    started,
    text_of,
    thought,
    until_published,
    whole_reply,
)

pytestmark = pytest.mark.stack

PIECES = ["Kafka ", "keeps ", "你好", " every ", "record."]


def new_reply() -> str:
    return str(uuid.uuid4())


async def publish(publisher: KafkaPublisher, relay: Relay, reply_id: str, pieces: list[str]) -> PartitionOffset:
    """A whole reply in this replica's partition; returns where it begins."""
    location = relay.location()
    await publisher.publish_all(outgoing(whole_reply(reply_id, pieces), location.partition))
    return location


async def test_a_reply_is_streamed_while_it_is_written(publisher: KafkaPublisher, make_relay: MakeRelay):
    relay = await make_relay(1)
    reply_id, other = new_reply(), new_reply()
    location = relay.location()
    assert location == (relay.partition, relay.position())
    async with aclosing(relay.stream(reply_id, location=location)) as frames:
        first = asyncio.ensure_future(anext(frames))
        events = whole_reply(reply_id, PIECES)
        await publisher.publish_all(outgoing([*events[:1], *whole_reply(other, ["x"]), *events[1:3]], relay.partition))
        assert (await first).event == "retrieved"
        assert [(await anext(frames)).event for _ in range(3)] == ["delta", "delta", "citation"]
        await publisher.publish_all(outgoing(events[3:], relay.partition))
        rest = [frame async for frame in frames]
    assert names(rest) == ["delta", "delta", "citation", "delta", "completed"]
    assert msgspec.json.decode(rest[-1].data)["text"] == "".join(PIECES)
    assert not relay._cursors


async def test_frames_are_what_the_contract_says(publisher: KafkaPublisher, make_relay: MakeRelay):
    relay = await make_relay(0)
    reply_id = new_reply()
    location = await publish(publisher, relay, reply_id, ["a", "b"])
    retrieved, first, second, citation, end = await collect(relay, reply_id, location=location)
    assert set(msgspec.json.decode(retrieved.data)) == {"keywords", "passages", "model"}
    assert msgspec.json.decode(first.data) == {"seq": 1, "text": "a"}
    assert second.id == f"0.{location.offset + 2}.1"
    assert citation.id == f"0.{location.offset + 2}.2"
    assert {"marker", "document_id", "chunk_id", "title", "locator", "quote"} <= set(msgspec.json.decode(citation.data))
    assert {"text", "citations", "usage", "finish_reason", "cached"} <= set(msgspec.json.decode(end.data))
    assert first.sse() == b'id: %b\nevent: delta\ndata: {"seq":1,"text":"a"}\n\n' % first.id.encode()


@pytest.mark.parametrize("elsewhere", [1, 2], ids=["the same partition", "another partition"])
async def test_resuming_anywhere_gives_exactly_the_suffix(publisher: KafkaPublisher, make_relay: MakeRelay, elsewhere: int):
    """After completion, from every id, on a replica that started later and must read the log."""
    asked = await make_relay(1)
    reply_id = new_reply()
    await publish(publisher, asked, new_reply(), ["before"])
    location = await publish(publisher, asked, reply_id, PIECES)
    whole = await collect(asked, reply_id, location=location)
    await publish(publisher, asked, new_reply(), ["after"])
    other = await make_relay(elsewhere)
    assert await collect(other, reply_id, location=location) == whole
    assert await collect(other, reply_id, location=location, last_event_id=event_id(location)) == whole
    for index, frame in enumerate(whole):
        for relay in (asked, other):
            assert await collect(relay, reply_id, location=location, last_event_id=frame.id) == whole[index + 1 :]
    assert other._pool.readers <= 1


@pytest.mark.parametrize("last", ["", "x", "1.2", "1.2.3.4", "1.-2.3", "1.2.³", "1." + "9" * 30 + ".1"])
async def test_a_malformed_id_counts_as_none(publisher: KafkaPublisher, make_relay: MakeRelay, last: str):
    relay = await make_relay(0)
    reply_id = new_reply()
    location = await publish(publisher, relay, reply_id, ["a"])
    assert names(await collect(relay, reply_id, location=location, last_event_id=last)) == ["retrieved", "delta", "completed"]


async def test_an_id_of_another_reply_gives_a_snapshot_and_the_rest(publisher: KafkaPublisher, make_relay: MakeRelay):
    relay = await make_relay(0)
    reply_id, other = new_reply(), new_reply()
    location = relay.location()
    mine, theirs = whole_reply(reply_id, PIECES), whole_reply(other, PIECES)
    mixed = [event for pair in zip(mine[:4], theirs[:4], strict=True) for event in pair]
    await publisher.publish_all(outgoing(mixed, 0))
    foreign = f"0.{location.offset + 3}.1"
    async with aclosing(relay.stream(reply_id, location=location, last_event_id=foreign)) as frames:
        snapshot = await anext(frames)
        assert (snapshot.event, msgspec.json.decode(snapshot.data)["text"]) == ("snapshot", "".join(PIECES[:3]))
        assert snapshot.id == f"0.{location.offset + 6}.1"
        await publisher.publish_all(outgoing(mine[4:], 0))
        rest = [frame async for frame in frames]
    assert text_of([snapshot, *rest]) == "".join(PIECES)
    assert names(rest) == ["delta", "citation", "delta", "completed"]
    assert await collect(relay, reply_id, location=location, last_event_id=snapshot.id) == rest
    ended = await collect(relay, reply_id, location=location, last_event_id=foreign)
    assert names(ended) == ["snapshot", "completed"]
    elsewhere = await collect(relay, reply_id, location=location, last_event_id="3.0.1")
    assert names(elsewhere) == ["snapshot", "completed"]
    assert await collect(relay, reply_id, location=location, last_event_id=ended[0].id) == ended[1:]


async def test_a_takeover_is_one_restart_and_no_text_twice(publisher: KafkaPublisher, make_relay: MakeRelay):
    relay, other = await make_relay(0), await make_relay(1)
    reply_id = new_reply()
    location = relay.location()
    dead = [started(reply_id, 3), extended(reply_id, 1, "Kafka ", 3), extended(reply_id, 2, "loses", 3)]
    late = [extended(reply_id, 3, " everything", 3)]
    await publisher.publish_all(outgoing([*dead, started(reply_id, 7), *late, *whole_reply(reply_id, PIECES, 7)], 0))
    frames = await collect(relay, reply_id, location=location)
    assert names(frames).count("restart") == 1
    assert text_of(frames) == "".join(PIECES)
    assert sum(frame.terminal for frame in frames) == 1
    for index, frame in enumerate(frames):
        assert await collect(other, reply_id, location=location, last_event_id=frame.id) == frames[index + 1 :]


@pytest.mark.parametrize(("end", "event"), [(failed, "failed"), (lambda reply: cancelled(reply, "so far"), "cancelled")])
async def test_every_end_ends(publisher: KafkaPublisher, make_relay: MakeRelay, end, event: str):
    relay = await make_relay(0)
    reply_id = new_reply()
    location = relay.location()
    await publisher.publish_all(outgoing([started(reply_id), end(reply_id), *whole_reply(reply_id, ["late"], 9)], 0))
    assert names(await collect(relay, reply_id, location=location)) == ["retrieved", event]


async def test_fifty_readers_share_one_reply(publisher: KafkaPublisher, make_relay: MakeRelay):
    """Half here, half on a replica that follows another partition; each gets the same frames, the record is encoded once."""
    relay, other = await make_relay(0), await make_relay(1)
    reply_id = new_reply()
    location = relay.location()
    events = whole_reply(reply_id, [f"{number} " for number in range(40)])
    await publisher.publish_all(outgoing(events[:10], 0))
    readers = [asyncio.create_task(collect(each, reply_id, location=location)) for each in (relay, other) for _ in range(25)]
    for event in events[10:]:
        await publisher.publish_all(outgoing([event], 0))
    streams = await asyncio.gather(*readers)
    assert all(stream == streams[0] for stream in streams)
    assert names(streams[0])[-1] == "completed"
    assert streams[0][-1].data is streams[24][-1].data
    assert other._pool.readers <= 1
    assert not other._foreign.windows


async def test_a_slow_reader_loses_nothing_and_holds_little(publisher: KafkaPublisher, make_relay: MakeRelay):
    """The window slides past it and the pool fills only what it may hold; it reads the rest from the log as it goes."""
    relay = await make_relay(0, window_bytes_max=65_536)
    reply_id = new_reply()
    location = relay.location()
    pieces = [f"{number:04}" + "x" * 600 for number in range(1500)]
    events = whole_reply(reply_id, pieces)
    held, frames = 0, []
    async with aclosing(relay.stream(reply_id, location=location)) as stream:
        first = asyncio.ensure_future(anext(stream))
        await publisher.publish_all(outgoing(events, 0))
        frames.append(await first)
        (cursor,) = relay._cursors
        async for frame in stream:
            frames.append(frame)
            if len(frames) % 100 == 0:
                await asyncio.sleep(0.002)
            if not any(each.terminal for each in cursor._frames):
                held = max(held, cursor._bytes)
    assert [frame.event for frame in frames if frame.event != "citation"] == ["retrieved"] + ["delta"] * 1500 + ["completed"]
    assert text_of(frames) == "".join(pieces)
    assert 0 < held < 2 * BYTES_MAX


async def test_many_partitions_share_few_readers(publisher: KafkaPublisher, make_relay: MakeRelay, monkeypatch: pytest.MonkeyPatch):
    """More partitions than readers: each waits its turn and all get their replies; open ones are followed afterwards."""
    monkeypatch.setattr("domain.chats.relay.catch_up.READERS_MAX", 1)
    replicas = [await make_relay(partition) for partition in range(4)]
    reader = replicas[0]
    finished = [(new_reply(), replica) for replica in replicas[1:] for _ in range(5)]
    places = [await publish(publisher, replica, reply_id, PIECES) for reply_id, replica in finished]
    open_reply, open_at = new_reply(), replicas[3].location()
    events = whole_reply(open_reply, PIECES)
    await publisher.publish_all(outgoing(events[:3], 3))
    late = asyncio.create_task(collect(await make_relay(0), open_reply, location=open_at))
    streams = await asyncio.gather(
        *(collect(reader, reply_id, location=place) for (reply_id, _), place in zip(finished, places, strict=True))
    )
    assert all(text_of(stream) == "".join(PIECES) for stream in streams)
    assert reader._pool.readers == 1
    await publisher.publish_all(outgoing(events[3:], 3))
    assert text_of(await late) == "".join(PIECES)


async def test_silence_is_filled_with_heartbeats(publisher: KafkaPublisher, make_relay: MakeRelay):
    relay = await make_relay(0)
    reply_id = new_reply()
    async with aclosing(relay.stream(reply_id, location=relay.location(), heartbeat_s=0.05)) as frames:
        assert [await anext(frames) for _ in range(3)] == [HEARTBEAT] * 3
        assert HEARTBEAT.sse() == b": heartbeat\n\n"
        await publisher.publish_all(outgoing([started(reply_id)], 0))
        while (frame := await anext(frames)) is HEARTBEAT:
            pass
        assert frame.event == "retrieved"


async def test_a_reader_may_be_ahead_of_this_replica(publisher: KafkaPublisher, make_relay: MakeRelay):
    """It saw an event on another replica before this one did: no snapshot, exactly the rest."""
    relay = await make_relay(0)
    reply_id = new_reply()
    location = relay.location()
    resumed = asyncio.create_task(collect(relay, reply_id, location=location, last_event_id=f"0.{location.offset + 1}.1"))
    await asyncio.sleep(0.05)
    await publisher.publish_all(outgoing(whole_reply(reply_id, PIECES), 0))
    assert text_of(await resumed) == "".join(PIECES[1:])


async def test_an_id_that_never_comes_gives_a_snapshot_in_the_end(publisher: KafkaPublisher, make_relay: MakeRelay):
    relay = await make_relay(0)
    reply_id = new_reply()
    location = relay.location()
    await publisher.publish_all(outgoing([started(reply_id), extended(reply_id, 1, "a")], 0))
    async with aclosing(relay.stream(reply_id, location=location, last_event_id=f"0.{location.offset + 999}.1")) as frames:
        frame = await anext(frames)
    assert (frame.event, msgspec.json.decode(frame.data)["text"]) == ("snapshot", "a")


@pytest.mark.parametrize(("state", "event"), [("complete", "completed"), ("failed", "failed"), ("cancelled", "cancelled")])
async def test_past_retention_the_record_answers(publisher: KafkaPublisher, make_relay: MakeRelay, state: MessageState, event: str):
    relay = await make_relay(0)
    message = Message(
        id="r", conversation_id=CONVERSATION, user_id="u", role="assistant", content="kept", created_at=NOW, attempt=1, state=state
    )

    async def record() -> Message | None:
        return message

    async def nothing() -> Message | None:
        return None

    frames = await collect(relay, "r", location=None, fallback=record)
    assert names(frames) == ["snapshot", event]
    assert text_of(frames) == "kept"
    for fallback in (None, nothing):
        with pytest.raises(Refused) as refusal:
            await collect(relay, "r", location=None, fallback=fallback)
        assert refusal.value.code == "reply_expired"


async def test_what_the_log_has_dropped_is_expired(publisher: KafkaPublisher, make_relay: MakeRelay, kafka_settings: KafkaSettings):
    asked = await make_relay(0)
    old, kept = new_reply(), new_reply()
    old_at = await publish(publisher, asked, old, PIECES)
    kept_at = await publisher.end_offset(CHATS_ANSWERED, 0)
    await publisher.publish_all(outgoing(whole_reply(kept, PIECES), 0))
    admin = AIOKafkaAdminClient(**connection_options(kafka_settings))
    await admin.start()
    await admin.delete_records({TopicPartition(publisher.physical_name(CHATS_ANSWERED), 0): RecordsToDelete(before_offset=kept_at)})
    await admin.close()
    relay = await make_relay(1)
    with pytest.raises(Refused) as refusal:
        await collect(relay, old, location=old_at)
    assert refusal.value.code == "reply_expired"
    assert text_of(await collect(relay, kept, location=(0, kept_at))) == "".join(PIECES)


async def test_a_topic_that_was_made_anew_is_followed_from_its_end(
    publisher: KafkaPublisher, make_relay: MakeRelay, kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]
):
    """The place where the relay stood is gone for ever: it says so in the log and goes on."""
    relay = await make_relay(0)
    await publish(publisher, relay, new_reply(), PIECES)
    async with asyncio.timeout(20):
        while relay.position() == 0:
            await asyncio.sleep(0.05)
        await administration.delete(kafka_settings, [CHATS_ANSWERED])
        await administration.apply(kafka_settings, [CHATS_ANSWERED])
        while relay.position() > 0:
            await asyncio.sleep(0.05)
        reply_id = new_reply()
        location = relay.location()
        for event in outgoing(whole_reply(reply_id, PIECES), 0):
            await until_published(publisher, event)
        assert text_of(await collect(relay, reply_id, location=location)) == "".join(PIECES)


async def test_stopping_ends_streams_so_that_readers_go_elsewhere(publisher: KafkaPublisher, make_relay: MakeRelay):
    relay = await make_relay(0)
    reply_id = new_reply()
    location = relay.location()
    stream = asyncio.create_task(collect(relay, reply_id, location=location))
    await publisher.publish_all(outgoing([started(reply_id)], 0))
    await asyncio.sleep(0.2)
    await relay.stop()
    assert names(await stream) == ["retrieved"]


async def test_thinking_is_relayed_to_those_who_want_it(publisher: KafkaPublisher, make_relay: MakeRelay):
    """In its place, with ids to resume from; for others it is silence, and their ids are the same."""
    relay = await make_relay(0)
    reply_id = new_reply()
    location = relay.location()
    thoughts = [thought(reply_id, 1, "hm "), thought(reply_id, 2, "so")]
    await publisher.publish_all(outgoing([started(reply_id), *thoughts, *whole_reply(reply_id, PIECES)[1:]], location.partition))
    whole = await collect(relay, reply_id, location=location, with_thinking=True)
    assert names(whole)[:4] == ["retrieved", "thinking", "thinking", "delta"]
    assert [msgspec.json.decode(frame.data) for frame in whole[1:3]] == [{"seq": 1, "text": "hm "}, {"seq": 2, "text": "so"}]
    plain = await collect(relay, reply_id, location=location)
    assert plain == [frame for frame in whole if frame.event != "thinking"]
    for place, frame in enumerate(whole[:-1]):
        rest = await collect(relay, reply_id, location=location, last_event_id=frame.id, with_thinking=True)
        assert rest == whole[place + 1 :]
    unwanted = await collect(relay, reply_id, location=location, last_event_id=whole[1].id)
    assert unwanted == plain[1:]


async def test_a_snapshot_has_the_thinking_for_those_who_want_it(publisher: KafkaPublisher, make_relay: MakeRelay):
    relay = await make_relay(0)
    reply_id = new_reply()
    location = relay.location()
    events = [started(reply_id), thought(reply_id, 1, "hm"), *whole_reply(reply_id, PIECES)[1:]]
    await publisher.publish_all(outgoing(events, location.partition))
    lost = f"{location.partition}.{location.offset + 90_000}.1"
    for with_thinking, thinking in ((True, "hm"), (False, "")):
        snapshot, _ = await collect(relay, reply_id, location=location, last_event_id=lost, with_thinking=with_thinking)
        assert msgspec.json.decode(snapshot.data)["thinking"] == thinking


async def test_thinking_that_nobody_wants_is_silence_with_heartbeats(publisher: KafkaPublisher, make_relay: MakeRelay):
    """However steadily it comes: a proxy must see that the stream is alive."""
    relay = await make_relay(0)
    reply_id = new_reply()
    location = relay.location()
    async with aclosing(relay.stream(reply_id, location=location, heartbeat_s=0.2)) as frames:
        await publisher.publish_all(outgoing([started(reply_id)], location.partition))
        assert (await anext(frames)).event == "retrieved"

        async def think() -> None:
            for seq in range(1, 1_000):
                await publisher.publish_all(outgoing([thought(reply_id, seq, "hm")], location.partition))
                await asyncio.sleep(0.02)

        thinking = asyncio.create_task(think())
        try:
            async with asyncio.timeout(5):
                assert await anext(frames) is HEARTBEAT
        finally:
            thinking.cancel()
