"""The topics of a backup, written into an installation that has none, every record at its offset.

While they are written the topics delete nothing and compact nothing, and producers choose the times of records; they get their
configuration when they are whole. Until everything is restored there is one topic more, by which a restore that did not end is known.
"""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError

from adapters.kafka import TopicPartition, connection_options, make_consumer, make_producer, start_client
from adapters.kafka_padding import PADDING
from domain.areas import TOPICS
from ops.backup.archive import Archive
from ops.backup.errors import BackupDamaged
from ops.backup.frames import Headers, LogEntry, read_entries
from ops.backup.log_copy import OnEntry, Report
from ops.backup.manifest import ArchivedPartition, ArchivedTopic, CommittedOffset, Manifest
from ops.backup.padding import Gap, with_gaps
from ops.commands import topics as administration
from ops.commands.topics import UNFINISHED
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import WORKER_GROUPS, KafkaSettings
from streams.log.reader import GROUP_PREFIX, open_log_reader
from streams.topics import Topic

BATCH_BYTES = 1_048_576  # of records before they are packed
MESSAGE_BYTES_MAX = 16 * 1_048_576  # of a topic while it is restored
START_S = 30.0
PARTITIONS_AT_ONCE = 4
GONE_S, LOOK_EVERY_S = 30.0, 0.1  # until a deleted topic is gone
RESTORING = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "CreateTime",
    "max.message.bytes": str(MESSAGE_BYTES_MAX),
}


async def refuse_used(kafka: KafkaSettings, manifest: Manifest) -> bool:
    """Whether a restore into this installation began and did not end, so that its topics may be deleted.

    Raises ConfigurationError when the installation has records, or workers that run, or other numbers of partitions than the backup.
    """
    if manifest.topic_prefix != kafka.topic_prefix:
        raise ConfigurationError(
            f"the backup has the topic prefix {manifest.topic_prefix!r}, which its dead letters name: set CLAW_KAFKA_TOPIC_PREFIX to it"
        )
    _refuse_other_counts(kafka, manifest)
    for group in WORKER_GROUPS:
        if await administration.subscriptions(kafka, group) is not None:
            raise ConfigurationError(f"workers of the group {group} run: stop all processes of the installation before a restore")
    there = await administration.read_topics(kafka)
    if UNFINISHED in there:
        return True
    async with open_log_reader(kafka) as reader:
        for name, topic in there.items():
            bounds = await reader.bounds([reader.topic_partition(name, number) for number in range(topic.partitions)])
            if any(end for _, end in bounds.values()):
                raise ConfigurationError(
                    f"the topic {kafka.topic_prefix}{name} has records: restore into an installation that was never started"
                    " (another CLAW_HOME, or another Kafka), or delete its topics first"
                )
    return False


def _refuse_other_counts(kafka: KafkaSettings, manifest: Manifest) -> None:
    known = {topic.name: topic for topic in TOPICS}
    for archived in manifest.topics:
        topic, count = known.get(archived.name), len(archived.partitions)
        if topic is not None and not topic.allows(count, kafka):
            variable = "CLAW_KAFKA_REPLY_PARTITIONS" if topic.count == "replies" else "CLAW_KAFKA_PARTITIONS"
            raise ConfigurationError(f"{archived.name} has {count} partitions in the backup, which never change: set {variable}={count}")


async def create_topics(kafka: KafkaSettings, manifest: Manifest, catalogue: Sequence[Topic]) -> None:
    """Create the topics of the backup, and those of this release that it lacks; delete those that are there, which have no records."""
    async with administration.open_administration(kafka) as admin:
        await _create(admin, [NewTopic(kafka.topic_prefix + UNFINISHED, 1, kafka.replication_factor)])
        there = [kafka.topic_prefix + name for name in await _names(admin, kafka) if name != UNFINISHED]
        if there:
            await administration.delete_named(admin, there)
            await _wait_gone(admin, there)
        archived = {topic.name for topic in manifest.topics}
        wanted = [(topic.name, len(topic.partitions), RESTORING) for topic in manifest.topics]
        wanted += [(each.name, each.partitions(kafka), each.configuration()) for each in catalogue if each.name not in archived]
        await _create(
            admin,
            [
                NewTopic(kafka.topic_prefix + name, partitions, kafka.replication_factor, topic_configs=config)
                for name, partitions, config in wanted
            ],
        )


async def write_topics(kafka: KafkaSettings, archive: Archive, on_entry: Mapping[str, OnEntry], report: Report) -> None:
    """Write the records of every topic, and check where each partition ends. ``on_entry`` sees the records of a topic.

    Raises Unavailable, and BackupDamaged for a file that is not the one that was verified.
    """
    turns = asyncio.Semaphore(PARTITIONS_AT_ONCE)
    topics = archive.manifest.topics

    async def write(producer: AIOKafkaProducer, topic: ArchivedTopic, number: int, each: ArchivedPartition) -> None:
        async with turns:
            with closing(_entries(archive, each, on_entry.get(topic.name))) as entries:
                await write_partition(producer, TopicPartition(kafka.topic_prefix + topic.name, number), entries, each.end)

    async with _producer(kafka) as producer:
        for done, topic in enumerate(topics, 1):
            writing = [asyncio.ensure_future(write(producer, topic, number, each)) for number, each in enumerate(topic.partitions)]
            try:
                await asyncio.gather(*writing)
            finally:
                for task in writing:
                    task.cancel()
                await asyncio.wait(writing)
            report(f"{done}/{len(topics)} {topic.name}: {topic.records:,} records")
    await _check_ends(kafka, topics)


async def write_partition(producer: AIOKafkaProducer, place: TopicPartition, entries: Iterable[LogEntry], end: int) -> int:
    """Write the records at their offsets, and padding at the others, up to ``end``; returns how many padding records. Raises KafkaError."""
    batch, count, padding, sent = producer.create_batch(), 0, 0, 0

    async def send() -> None:
        nonlocal batch, count, sent
        batch.close()
        written = await (await producer.send_batch(batch, place.topic, partition=place.partition))
        if written.offset not in (sent, -1):  # -1: the broker had it already, and says no more
            raise Unavailable("kafka_unavailable", f"{place.topic}[{place.partition}] gave offset {written.offset} instead of {sent}")
        sent += count
        batch, count = producer.create_batch(), 0

    async def append(timestamp_ms: int, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        nonlocal count
        if batch.append(timestamp=timestamp_ms, key=key, value=value, headers=list(headers)) is None:
            await send()
            if batch.append(timestamp=timestamp_ms, key=key, value=value, headers=list(headers)) is None:
                raise BackupDamaged(f"{place.topic}[{place.partition}]: a record does not fit into a batch")
        count += 1

    for each in with_gaps(entries, end):
        if isinstance(each, Gap):
            for _ in range(each.count):
                await append(each.timestamp_ms, None, None, PADDING)
            padding += each.count
        else:
            await append(each.timestamp_ms, each.key, each.value, each.headers)
    if count:
        await send()
    return padding


async def finish_topics(kafka: KafkaSettings, manifest: Manifest, catalogue: Sequence[Topic]) -> None:
    """Delete the padding before the first record of each partition, commit the offsets of the worker groups, configure the topics."""
    known = {topic.name: topic.configuration() for topic in catalogue}
    async with administration.open_administration(kafka) as admin:
        starts = {
            TopicPartition(kafka.topic_prefix + topic.name, number): RecordsToDelete(start)
            for topic in manifest.topics
            for number, each in enumerate(topic.partitions)
            if (start := each.end if each.first is None else each.first)
        }
        if starts:
            await admin.delete_records(starts, timeout_ms=administration.REQUEST_MS)
        for topic in manifest.topics:
            await administration.configure(admin, kafka.topic_prefix + topic.name, {**topic.config, **known.get(topic.name, {})})
    for group in sorted({at.group for at in manifest.offsets}):
        await _commit(kafka, group, [at for at in manifest.offsets if at.group == group])


async def mark_finished(kafka: KafkaSettings) -> None:
    """From here on the installation counts as restored."""
    async with administration.open_administration(kafka) as admin:
        await administration.delete_named(admin, [kafka.topic_prefix + UNFINISHED])
        await _wait_gone(admin, [kafka.topic_prefix + UNFINISHED])


def _entries(archive: Archive, each: ArchivedPartition, on_entry: OnEntry | None) -> Generator[LogEntry, None, None]:
    if each.file is None:
        return
    with archive.open(each.file) as file:
        for entry in read_entries(file, each.file.name):
            if on_entry is not None:
                on_entry(entry)
            yield entry


async def _create(admin: AIOKafkaAdminClient, wanted: Sequence[NewTopic]) -> None:
    response = await admin.create_topics(list(wanted), timeout_ms=administration.REQUEST_MS)
    for name, code, message in response.topic_errors:
        if code != administration.ALREADY_EXISTS or not name.endswith(UNFINISHED):
            administration.raise_for_code(name, code, message)


async def _names(admin: AIOKafkaAdminClient, kafka: KafkaSettings) -> list[str]:
    prefix = f"{kafka.topic_prefix}{GROUP_PREFIX}"
    return [name.removeprefix(kafka.topic_prefix) for name in await admin.list_topics() if name.startswith(prefix)]


async def _wait_gone(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    async with asyncio.timeout(GONE_S):
        while set(names) & set(await admin.list_topics()):  # noqa: ASYNC110 - no event of this loop
            await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def _producer(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaProducer]:
    producer = make_producer(
        connection_options(kafka),
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=BATCH_BYTES,
        max_request_size=MESSAGE_BYTES_MAX,
    )
    try:
        await start_client(producer, START_S)
        yield producer
    except (KafkaError, TimeoutError) as error:
        raise Unavailable("kafka_unavailable", f"the log does not take the records: {error!r}") from error
    finally:
        await producer.stop()


async def _check_ends(kafka: KafkaSettings, topics: Sequence[ArchivedTopic]) -> None:
    async with open_log_reader(kafka) as reader:
        for topic in topics:
            places = [reader.topic_partition(topic.name, number) for number in range(len(topic.partitions))]
            found = await reader.bounds(places)
            for place, each in zip(places, topic.partitions, strict=True):
                if found[place][1] != each.end:
                    raise Unavailable(
                        "kafka_unavailable", f"{place.topic}[{place.partition}] ends at {found[place][1]} instead of {each.end}"
                    )


async def _commit(kafka: KafkaSettings, group: str, offsets: Sequence[CommittedOffset]) -> None:
    places = {TopicPartition(kafka.topic_prefix + at.topic, at.partition): at.offset for at in offsets}
    name = f"{kafka.topic_prefix}{GROUP_PREFIX}{group}"
    consumer = make_consumer(connection_options(kafka), group_id=name, enable_auto_commit=False)
    try:
        await start_client(consumer, START_S)
        consumer.assign(list(places))
        await consumer.commit(places)
    except (KafkaError, TimeoutError, OSError) as error:
        raise Unavailable("kafka_unavailable", f"the offsets of group {name} cannot be committed: {error!r}") from error
    finally:
        await consumer.stop()
