"""A log that is copied, deleted and restored on a real broker: every record at its offset, and nothing of the padding seen."""

from pathlib import Path

import pytest
from aiokafka.admin import RecordsToDelete

from adapters.kafka import TopicPartition, connection_options, make_producer
from domain.chats.topics import CONVERSATIONS_CHANGED
from domain.documents.topics import DOCUMENTS_SUBMITTED, inbox_topic
from ops.backup import log_restore
from ops.backup.archive import create_archive, open_archive
from ops.backup.log_copy import copy_log
from ops.backup.manifest import FORMAT, CommittedOffset, Manifest
from ops.backup.verify import verify
from ops.commands import topics as administration
from schemas.errors import ConfigurationError
from schemas.settings import KafkaSettings
from streams.log.reader import open_log_reader, read_group_offsets
from streams.topics import DEAD_LETTERS, Topic

pytestmark = pytest.mark.stack

INBOX = inbox_topic("acme")
TOPICS = (DOCUMENTS_SUBMITTED, CONVERSATIONS_CHANGED, INBOX, DEAD_LETTERS)
NOW = __import__("datetime").datetime(2026, 11, 30, tzinfo=__import__("datetime").UTC)

Row = tuple[int, int, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]


async def rows(kafka: KafkaSettings, topic: Topic) -> dict[int, tuple[int, int, list[Row]]]:
    """Begin, end and records of every partition."""
    found = {}
    async with open_log_reader(kafka) as reader:
        for place in await reader.partitions(topic):
            begin, end = (await reader.bounds([place]))[place]
            records = await reader.read_range(place, begin, end) if end > begin else []
            seen = [(each.offset, each.timestamp, each.key, each.value, tuple(each.headers)) for each in records]
            found[place.partition] = (begin, end, seen)
    return found


async def test_it(kafka_settings: KafkaSettings, topics, tmp_path: Path, capsys) -> None:
    import time

    kafka = kafka_settings
    await topics(*TOPICS)
    producer = make_producer(connection_options(kafka), acks="all", enable_idempotence=True)
    await producer.start()
    name = administration.broker_name(kafka, DOCUMENTS_SUBMITTED)
    for n in range(20):
        await producer.send_and_wait(name, b"v%d" % n, key=b"k", partition=0, headers=[("h", b"x")], timestamp_ms=1_700_000_000_000 + n)
    await producer.stop()
    t = time.monotonic()
    with create_archive(tmp_path / "b") as archive:
        copy = await copy_log(kafka, archive, {}, print)
        archive.finish(
            Manifest(format=FORMAT, claw_version="1", created_at=NOW, topic_prefix=kafka.topic_prefix, topics=tuple(copy.topics), offsets=copy.offsets)
        )
    print("copied", time.monotonic() - t)
    t = time.monotonic()
    before = {topic.name: await rows(kafka, topic) for topic in TOPICS}
    print("rows", time.monotonic() - t)
    await administration.delete(kafka, TOPICS)
    t = time.monotonic()
    with open_archive(tmp_path / "b") as archive:
        verify(archive, print)
        await log_restore.create_topics(kafka, archive.manifest, TOPICS)
        print("create", time.monotonic() - t)
        await log_restore.write_topics(kafka, archive, {}, print)
        print("write", time.monotonic() - t)
        await log_restore.finish_topics(kafka, archive.manifest, TOPICS)
        await log_restore.mark_finished(kafka)
    print("restored", time.monotonic() - t)
    after = {topic.name: await rows(kafka, topic) for topic in TOPICS}
    assert after == before
    assert await administration.check(kafka, TOPICS) == []
    producer = make_producer(connection_options(kafka), acks="all", enable_idempotence=True, compression_type="zstd", max_batch_size=1 << 20)
    await producer.start()
    for count in (10_000, 1_000_000):
        t = time.monotonic()
        await log_restore.write_partition(producer, TopicPartition(administration.broker_name(kafka, DEAD_LETTERS), 1), [], count) if count == 10000 else await log_restore.write_partition(producer, TopicPartition(administration.broker_name(kafka, DEAD_LETTERS), 2), [], count)
        print(count, "padding", time.monotonic() - t)
    await producer.stop()
    t = time.monotonic()
    print((await rows(kafka, DEAD_LETTERS))[2][:2], time.monotonic() - t)
    assert 0
