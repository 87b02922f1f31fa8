"""The safe transport under Faust's own agents: what it commits, and what it never does."""

import asyncio
import gc
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from adapters.kafka import connection_options
from streams.runtime import faust_app as module
from streams.runtime.faust_app import BUFFER_EVENTS_MAX, build_faust_app
from streams.runtime.transport import Consumer, Producer
from tests.streams.conftest import committed, poke
from tests.support.poked import POKED, message


class Nobody:
    """A listener with no work of its own."""

    def on_revoking(self, partitions):
        pass

    async def on_revoked(self, partitions):
        pass

    async def on_assigned(self, partitions, generation):
        pass


@pytest.fixture
async def app(lane_settings):
    app = build_faust_app(
        lane_settings.kafka.topic_prefix + "claw.stock",
        lane_settings,
        connection=connection_options(lane_settings.kafka),
        listener=Nobody(),
    )
    app.loop = asyncio.get_running_loop()
    return app


@asynccontextmanager
async def running(app):
    app.finalize()
    await app.start()
    try:
        yield
    finally:
        await app.stop()


@pytest.fixture
async def consumer(app):
    """The consumer alone, holding partition 0, with a broker that answers as told."""
    consumer = app.consumer
    assert isinstance(consumer, Consumer)
    consumer.assignment = lambda: {TP("t", 0)}
    consumer.app.topics._acking_topics.add("t")
    app.consumer_generation_id = 1
    app.flow_control.resume()
    return consumer


def read(consumer, *offsets):
    messages = [message(offset) for offset in offsets]
    for each in messages:
        consumer.unacked.add(each)
    return messages


async def test_no_commit_passes_what_is_read_and_not_acknowledged(consumer):
    messages = read(consumer, 0, 1, 2, 7, 8)
    assert consumer._new_offset(TP("t", 0)) is None
    for each in messages[1:]:
        consumer.ack(each)
    assert consumer._new_offset(TP("t", 0)) == 0
    consumer.ack(messages[0])
    assert consumer._new_offset(TP("t", 0)) == 9


async def test_a_message_that_is_forgotten_by_its_stream_still_holds_the_offset(consumer):
    first, second = read(consumer, 0, 1)
    consumer.ack(second)
    del first
    gc.collect()
    assert consumer._new_offset(TP("t", 0)) == 0


async def test_a_refused_commit_changes_nothing(consumer):
    answers = [False, True]
    sent = []

    async def commit(offsets):
        sent.append(dict(offsets))
        return answers.pop(0)

    consumer._commit = commit
    consumer.ack(read(consumer, 0)[0])
    assert not await consumer.commit()
    assert consumer._committed_offset[TP("t", 0)] is None
    assert await consumer.commit()
    assert sent == [{TP("t", 0): 1}] * 2
    assert consumer._committed_offset[TP("t", 0)] == 1
    assert consumer._acked[TP("t", 0)] == []


@pytest.mark.parametrize("case", ["another generation", "a suspended flow"])
async def test_a_message_of_a_lost_partition_is_not_acknowledged(consumer, app, case):
    late = read(consumer, 0)[0]
    if case == "another generation":
        app.consumer_generation_id = 2
    else:
        app.flow_control.suspend()
    assert not consumer.ack(late)
    assert late in consumer.unacked


async def test_an_acknowledgement_below_the_commit_leaves_the_books(consumer):
    consumer._committed_offset[TP("t", 0)] = 5
    consumer.ack(read(consumer, 3)[0])
    assert len(consumer.unacked) == 0


def positioned(consumer, offset):
    """What the broker has given so far."""
    consumer._thread.next_offset = lambda tp: offset
    consumer._passed_s = float("-inf")


async def test_what_never_arrives_is_committed_behind_what_is_done_and_never_before(consumer, channel):
    """An aborted batch or a marker at the end: offsets 2 and 3 have no message."""
    tp = TP("t", 0)
    positioned(consumer, 4)
    await drained(consumer, [records(0, 1)])
    assert consumer._new_offset(tp) is None, "the messages are on their way to the books"
    (event,) = channel.events
    for each in event.value:
        consumer.unacked.add(each)
    event.value[0].ack(consumer)
    assert consumer._new_offset(tp) == 1, "the second is still being worked"
    event.value[1].ack(consumer)
    assert consumer._new_offset(tp) == 4
    consumer._commit = lambda offsets: asyncio.sleep(0, True)
    assert await consumer.commit()
    assert consumer._committed_offset[tp] == 4
    assert not await consumer.commit(), "nothing new to commit"


async def test_a_partition_in_which_nothing_arrives_is_committed_and_an_empty_one_is_not(consumer, channel):
    tp = TP("t", 0)
    positioned(consumer, 0)
    consumer._note_passed({tp})
    assert list(consumer._filter_committable_offsets(consumer._filter_tps_with_pending_acks())) == []
    positioned(consumer, 3)
    consumer._note_passed({tp})
    assert consumer._filter_committable_offsets(consumer._filter_tps_with_pending_acks()) == {tp: 3}


async def test_what_was_dropped_is_not_taken_for_what_never_arrives(consumer, channel, app):
    """The seek that is to bring it again may fail: the position alone proves nothing then."""
    tp = TP("t", 0)

    async def refused():
        raise KafkaError

    consumer.seek_to_committed = refused
    app.rebalancing = True
    positioned(consumer, 6)
    await drained(consumer, [records(4, 5)])
    consumer._note_passed({tp})
    assert consumer._new_offset(tp) is None
    consumer.seek_to_committed = lambda: asyncio.sleep(0, {tp: 4})
    await consumer.perform_seek()
    positioned(consumer, 5)
    consumer._note_passed({tp})
    assert consumer._new_offset(tp) == 5, "read again from 4 on, and nothing lay there"


async def test_shutdown_does_not_wait_for_unacknowledged_messages(consumer):
    read(consumer, 0)
    async with asyncio.timeout(1):
        await consumer.wait_empty()


async def test_held_partitions_are_not_polled_and_the_poll_has_its_own_copy_of_the_rest(consumer):
    polled = []

    async def getmany(partitions, timeout_s):
        polled.append((partitions, timeout_s))
        return {}

    consumer._getmany = getmany
    consumer._active_partitions = {TP("t", 0), TP("t", 1)}
    consumer.hold(TP("t", 0), "a", True)
    consumer.hold(TP("t", 0), "b", True)
    consumer.hold(TP("t", 0), "a", False)
    _, wanted = await consumer._wait_next_records(1.0)
    assert wanted == {TP("t", 1)}
    assert polled[0][1] < 1.0
    consumer._active_partitions.clear()
    assert wanted == {TP("t", 1)}, "whoever changes the set during a poll changes nothing about what it brings"


class Channel:
    """Where the agent of a topic takes its events."""

    def __init__(self):
        self.events = []

    async def put(self, event):
        self.events.append(event)


def records(*offsets: int) -> dict[TP, list[ConsumerRecord]]:
    return {TP("t", 0): [ConsumerRecord("t", 0, offset, 0, 0, b"k", b"v", None, 1, 1, ()) for offset in offsets]}


@pytest.fixture
def channel(consumer, app):
    channel = Channel()
    app.topics._tp_index[TP("t", 0)] = {channel}
    app.together = True
    return channel


async def drained(consumer, polls):
    """Drain until the polls are over."""

    async def poll(timeout_s):
        if not polls:
            consumer._stopped.set()
            return {}, set()
        return polls.pop(0), {TP("t", 0)}

    consumer._wait_next_records = poll
    await consumer._drain_messages(consumer)


async def test_what_a_poll_brings_is_one_event_and_its_envelope_never_reaches_the_books(consumer, channel):
    """A stream enters what is not tracked, and acknowledges an event that it skips: both would be taken for its first message."""
    await drained(consumer, [records(3, 4, 5)])
    (event,) = channel.events
    assert [each.offset for each in event.value] == [3, 4, 5]
    assert event.message.tracked
    event.message.ack(consumer)
    assert not consumer._acked[TP("t", 0)]
    for each in event.value:
        consumer.unacked.add(each)
    for each in event.value[1:]:
        each.ack(consumer)
    assert consumer._new_offset(TP("t", 0)) == 3
    event.value[0].ack(consumer)
    assert consumer._new_offset(TP("t", 0)) == 6


@pytest.mark.parametrize("case", ["a rebalance has not ended", "a suspended flow"])
async def test_what_is_fetched_too_early_is_read_again_and_not_handed_out(consumer, channel, app, case):
    """Faust lets the flow go before it has sought the committed offsets: handed out then, a record would come twice and be booked twice."""
    sought = []

    async def seek():
        sought.append(1)

    consumer.perform_seek = seek
    if case == "a suspended flow":
        app.flow_control.suspend()
    else:
        app.rebalancing = True
    await drained(consumer, [records(0)])
    assert (channel.events, len(sought)) == ([], 1)
    assert len(consumer.unacked) == 0


def test_only_what_nobody_waits_for_is_gathered_for_long(lane_settings):
    unhurried = frozenset({"slow"})
    app = build_faust_app("g", lane_settings, connection={}, listener=Nobody(), pace_s=0.01, unhurried=unhurried, unhurried_pace_s=0.04)
    consumer = app.consumer
    many = [1] * 100
    assert consumer._pause_s({TP("slow", 0): [1], TP("slow", 1): [1]}, 0.0) == 0.04
    assert consumer._pause_s({TP("slow", 0): [1], TP("quick", 0): [1]}, 0.0) == 0.0
    assert consumer._pause_s({TP("slow", 0): [1], TP("quick", 0): many}, 0.0) == 0.01
    assert consumer._pause_s({TP("slow", 0): many}, 0.5) == 0.01
    assert consumer._pause_s({TP("slow", 0): many}, 1.5) == 0.04


@pytest.mark.parametrize("wanted", [1, 64, 500, 1_000_000])
def test_one_poll_fits_into_the_buffer_of_one_agent(lane_settings, wanted):
    app = build_faust_app("g", lane_settings, connection={}, listener=Nobody(), poll_max=wanted)
    assert app.conf.broker_max_poll_records <= min(wanted, BUFFER_EVENTS_MAX // 8)


async def test_settings_that_keep_workers_alive(app):
    conf = app.conf
    assert conf.broker_max_poll_interval >= 1e6, "an idle or busy consumer is never thrown out for not polling"
    assert conf.broker_session_timeout <= conf.broker_request_timeout
    assert conf.stream_wait_empty
    assert not conf.web_enabled
    assert not conf.topic_allow_declare
    assert app.producer._settings_extra() == {"acks": "all", "enable_idempotence": True}
    assert isinstance(app.producer, Producer)


async def test_concurrent_agents_never_commit_past_one_that_is_still_busy(app, publisher, lane_settings):
    """Stock Faust commits 10 of 10 here while the first is still running."""
    gate, done = asyncio.Event(), []

    async def busy(stream):
        async for event in stream.events():
            if event.message.offset == 0:
                await gate.wait()
            done.append(event.message.offset)

    raw = app.topic(publisher.physical_name(POKED), key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
    app.agent(raw, name="busy", concurrency=4)(busy)
    for n in range(10):
        outgoing = poke("k", n)
        await publisher.publish(type(outgoing)(outgoing.topic, outgoing.event, outgoing.key, partition=0))
    async with running(app), asyncio.timeout(30):
        while len(done) < 9:
            await asyncio.sleep(0.05)
        await asyncio.sleep(2 * module.COMMIT_INTERVAL_S)
        assert (await committed(lane_settings, "stock")).get(0, 0) <= 0
        gate.set()
        while (await committed(lane_settings, "stock")).get(0, 0) < 10:
            await asyncio.sleep(0.1)
