"""A backup restored on a real broker: every record at its offset, no padding to be seen, and a copy of it is the same backup."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.chats.topics import CONVERSATIONS_CHANGED
from domain.documents.topics import DOCUMENTS_SUBMITTED, inbox_topic
from ops.backup import log_restore
from ops.backup.archive import Archive, create_archive, open_archive
from ops.backup.frames import LogEntry, pack, write_entry
from ops.backup.log_copy import LogCopy, copy_log
from ops.backup.manifest import FORMAT, ArchivedPartition, ArchivedTopic, CommittedOffset, Manifest
from ops.commands import topics as administration
from schemas.errors import ConfigurationError
from schemas.settings import KafkaSettings
from streams.log.reader import open_log_reader
from streams.topics import DEAD_LETTERS

pytestmark = pytest.mark.stack

INBOX = inbox_topic("acme")
CATALOGUE = (DOCUMENTS_SUBMITTED, CONVERSATIONS_CHANGED, INBOX, DEAD_LETTERS)
LAST_YEAR_MS = 1_764_500_000_000


def entry(offset: int, value: bytes | None = b"{}", *, headers: tuple[tuple[str, bytes | None], ...] = ()) -> LogEntry:
    return LogEntry(offset, LAST_YEAR_MS + offset, b"key", value, headers)


# what compaction and retention leave: gaps, a late begin, an end without records, tombstones, headers, a large record
LOGS = {
    DOCUMENTS_SUBMITTED: ((entry(7, b"v7", headers=(("a", b"1"), ("a", b""))), entry(9, None), entry(10_000, b"x" * 1_000_000)), 10_003),
    INBOX: ((entry(3), entry(4)), 5),
    DEAD_LETTERS: ((), 12),
}
OFFSETS = (
    CommittedOffset(group="tables", topic=DOCUMENTS_SUBMITTED.name, partition=1, offset=10_000),
    CommittedOffset(group="tables", topic=INBOX.name, partition=1, offset=5),
)


@pytest.fixture
async def kafka(kafka_settings: KafkaSettings) -> AsyncIterator[KafkaSettings]:
    yield kafka_settings
    await administration.delete(kafka_settings, CATALOGUE)


def make(path: Path, kafka: KafkaSettings) -> None:
    """A backup with the logs, each in partition 1."""
    with create_archive(path) as archive:
        topics = []
        for topic, (entries, end) in LOGS.items():
            name = f"topics/{topic.name}/1.gz"
            with archive.file(name) as file, pack(file) as packed:
                for each in entries:
                    write_entry(packed, each)
                    file.count += 1
            first, last = (entries[0].offset, entries[-1].offset) if entries else (None, None)
            begin = end if first is None else first
            full = ArchivedPartition(begin=begin, end=end, first=first, last=last, file=file.describe(name) if entries else None)
            empty = ArchivedPartition(begin=0, end=0)
            topics.append(
                ArchivedTopic(
                    name=topic.name, config={"min.insync.replicas": "1"}, partitions=tuple(full if n == 1 else empty for n in range(4))
                )
            )
        archive.finish(manifest(kafka, topics, OFFSETS))


def manifest(kafka: KafkaSettings, topics: list[ArchivedTopic], offsets: tuple[CommittedOffset, ...]) -> Manifest:
    return Manifest(
        format=FORMAT,
        claw_version="1",
        created_at=datetime.now(UTC),
        topic_prefix=kafka.topic_prefix,
        topics=tuple(topics),
        offsets=offsets,
    )


def quiet(_: str) -> None: ...


async def restore(kafka: KafkaSettings, archive: Archive) -> None:
    await log_restore.create_topics(kafka, archive.manifest, CATALOGUE)
    await log_restore.write_topics(kafka, archive, {}, quiet)
    await log_restore.finish_topics(kafka, archive.manifest, CATALOGUE)


async def copied(kafka: KafkaSettings, path: Path) -> LogCopy:
    with create_archive(path) as archive:
        copy = await copy_log(kafka, archive, {}, quiet)
        archive.finish(manifest(kafka, copy.topics, copy.offsets))
    return copy


async def test_what_was_restored_is_the_same_backup(kafka: KafkaSettings, tmp_path: Path) -> None:
    """A restore that ended in the middle counts as none: nothing starts, and the next one begins anew. Then there is no other."""
    make(tmp_path / "first", kafka)
    with open_archive(tmp_path / "first") as archive:
        assert await log_restore.refuse_used(kafka, archive.manifest) is False
        await log_restore.create_topics(kafka, archive.manifest, CATALOGUE)
        await log_restore.write_topics(kafka, archive, {}, quiet)
        with pytest.raises(ConfigurationError, match="did not end"):
            await administration.apply(kafka, CATALOGUE)
        with pytest.raises(ConfigurationError, match="did not end"):
            await copied(kafka, tmp_path / "half")
        assert await log_restore.refuse_used(kafka, archive.manifest) is True
        await restore(kafka, archive)
        await log_restore.mark_finished(kafka)
        assert await administration.check(kafka, CATALOGUE) == []
        with pytest.raises(ConfigurationError, match="has records"):
            await log_restore.refuse_used(kafka, archive.manifest)
        first = archive.manifest
    second = await copied(kafka, tmp_path / "second")
    assert {topic.name: topic.partitions for topic in first.topics} == {
        topic.name: topic.partitions for topic in second.topics if topic.name != CONVERSATIONS_CHANGED.name
    }
    assert all(topic.config["min.insync.replicas"] == "1" for topic in second.topics if topic.name != CONVERSATIONS_CHANGED.name)
    assert set(second.offsets) == set(OFFSETS)
    async with open_log_reader(kafka) as reader:
        place = reader.topic_partition(DOCUMENTS_SUBMITTED, 1)
        assert await reader.bounds([place]) == {place: (7, 10_003)}
        assert await reader.read_record(place, 8) is None
        kept = await reader.read_record(place, 10_000)
        assert kept is not None
        assert (kept.timestamp, kept.offset) == (LAST_YEAR_MS + 10_000, 10_000)


async def test_another_installation_is_refused(kafka: KafkaSettings, tmp_path: Path) -> None:
    make(tmp_path / "b", kafka)
    with open_archive(tmp_path / "b") as archive:
        for other, says in (
            (replace(kafka, topic_prefix="other."), "CLAW_KAFKA_TOPIC_PREFIX"),
            (replace(kafka, partitions=5), "set CLAW_KAFKA_PARTITIONS=4"),
        ):
            with pytest.raises(ConfigurationError, match=says):
                await log_restore.refuse_used(other, archive.manifest)


async def test_there_is_nothing_to_back_up(kafka: KafkaSettings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing to back up"):
        await copied(kafka, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()
