"""Fetches wait for the pace, and for nothing else."""

import asyncio
import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from adapters.kafka import connection_options
from streams.log.fetch_pacing import DEBT_S_MAX, RECORDS_PER_S, RecordRate, pace_fetches

GATHER_S = 0.5  # of the test: long enough for twenty records on a busy machine
RECORDS = 20


class Fetcher:
    """As much of aiokafka's as is replaced."""

    def __init__(self):
        self.fetched_s: list[float] = []

    async def _proc_fetch_request(self, assignment, node_id, request):
        self.fetched_s.append(asyncio.get_running_loop().time())
        return True


class Consumer:
    def __init__(self):
        self._fetcher = Fetcher()


async def test_a_fetch_waits_until_it_may_go():
    consumer, loop = Consumer(), asyncio.get_running_loop()
    not_before_s = loop.time() + 0.05
    pace_fetches(consumer, lambda: not_before_s)
    assert await consumer._fetcher._proc_fetch_request(None, 0, None)
    assert await consumer._fetcher._proc_fetch_request(None, 0, None)
    assert len(consumer._fetcher.fetched_s) == 2
    assert consumer._fetcher.fetched_s[0] >= not_before_s


async def test_a_fetch_after_a_rest_goes_at_once():
    consumer = Consumer()
    pace_fetches(consumer, lambda: float("-inf"))
    fetching = asyncio.ensure_future(consumer._fetcher._proc_fetch_request(None, 0, None))
    await asyncio.sleep(0)
    assert fetching.done()


async def test_a_fetch_that_is_given_up_while_it_waits_is_no_error():
    """aiokafka cancels its fetches when the assignment goes, and takes their results."""
    consumer = Consumer()
    pace_fetches(consumer, lambda: float("inf"))
    fetching = asyncio.ensure_future(consumer._fetcher._proc_fetch_request(None, 0, None))
    await asyncio.sleep(0)
    fetching.cancel()
    assert not await fetching
    assert not consumer._fetcher.fetched_s


async def test_what_comes_during_the_pause_travels_together(kafka_settings):
    """All of it, in order, in far fewer fetches than records, although the reader asks without a pause."""
    topic = f"{kafka_settings.topic_prefix}paced.{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(**connection_options(kafka_settings))
    producer = AIOKafkaProducer(**connection_options(kafka_settings))
    consumer = AIOKafkaConsumer(topic, **connection_options(kafka_settings), auto_offset_reset="earliest", group_id=None)
    loop, next_s, reads = asyncio.get_running_loop(), float("-inf"), 0
    offsets: list[int] = []
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await producer.start()
    await producer.send_and_wait(topic, b"first", partition=0)
    await consumer.start()
    try:
        pace_fetches(consumer, lambda: next_s)
        sending: list[asyncio.Future[object]] = []
        async with asyncio.timeout(30):
            while len(offsets) <= RECORDS:
                found = await consumer.getmany(timeout_ms=1000)
                if found:
                    next_s, reads = loop.time() + GATHER_S, reads + 1
                    offsets += [record.offset for records in found.values() for record in records]
                    if not sending:
                        sending = [asyncio.ensure_future(one_by_one(producer, topic))]
        await asyncio.gather(*sending)
    finally:
        await consumer.stop()
        await producer.stop()
        await admin.delete_topics([topic])
        await admin.close()
    assert offsets == list(range(RECORDS + 1))
    assert reads <= RECORDS // 2


async def one_by_one(producer, topic):
    for n in range(RECORDS):
        await producer.send_and_wait(topic, b"%d" % n, partition=0)


def test_records_of_one_document_after_another_are_not_fast():
    """Each comes by itself, three within its 30 ms."""
    rate = RecordRate()
    assert not any(rate.count(1, number * 0.010) for number in range(500))


def test_a_stream_of_records_is_fast_and_a_rest_ends_it():
    rate, now_s = RecordRate(), 0.0
    answers = []
    while now_s < 2:
        answers.append(rate.count(10, now_s))
        now_s += 0.012
    assert all(answers[2:])
    assert not rate.count(1, now_s + DEBT_S_MAX + 1 / RECORDS_PER_S)
