"""The topics of an installation, copied while it serves, up to the offsets where they ended at the start.

Everything was written before it was read, but topics are asked for their ends one after the other. The order decides what a backup may
lack: the offsets of the worker groups first, so that whatever a group had not committed is done again after a restore; then the topics that
only agents write; then those that clients write, whose records the others follow from. So a record is never there without its cause.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from adapters.kafka import TopicPartition
from adapters.kafka_batches import UnreadableBatch
from adapters.kafka_fetches import FETCH_POLICY, FetchPolicy
from domain.areas import TOPICS
from ops.backup.archive import ArchiveWriter
from ops.backup.frames import LogEntry, pack, write_entry
from ops.backup.manifest import ArchivedPartition, ArchivedTopic, CommittedOffset
from ops.commands import topics as administration
from schemas.errors import ConfigurationError
from schemas.settings import WORKER_GROUPS, KafkaSettings
from streams.log.reader import LogReader, open_log_reader, read_group_offsets

CLIENTS = {"api", "ops", "upstream"}  # writers that follow no record
SILENCE_S_MAX = 30.0

Report = Callable[[str], None]
OnEntry = Callable[[LogEntry], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CopyRange:
    """A partition from its first offset up to, not including, ``end``."""

    place: TopicPartition
    begin: int
    end: int


@dataclass(slots=True)
class LogCopy:
    """What was copied. ``unreadable`` names the ranges that could not be read."""

    topics: list[ArchivedTopic] = field(default_factory=list)
    offsets: tuple[CommittedOffset, ...] = ()
    unreadable: list[str] = field(default_factory=list)


async def copy_log(kafka: KafkaSettings, archive: ArchiveWriter, on_entry: Mapping[str, OnEntry], report: Report) -> LogCopy:
    """Copy every topic, read committed. ``on_entry`` sees the records of a topic.

    Raises Unavailable, and ConfigurationError when the installation has no topics.
    """
    copy = LogCopy()

    async def note(place: TopicPartition, batch: UnreadableBatch) -> None:
        copy.unreadable.append(f"{place.topic}[{place.partition}] {batch.first} to {batch.last}: {batch.reason}")

    FETCH_POLICY.set(FetchPolicy(set_aside=note))
    offsets = await _committed_offsets(kafka)
    configurations = await administration.read_topics(kafka)
    if not configurations:
        raise ConfigurationError(f"there is no topic {kafka.topic_prefix}claw.* on {kafka.servers}: there is nothing to back up")
    if administration.UNFINISHED in configurations:
        raise ConfigurationError("a restore into this installation did not end: there is nothing whole to back up")
    async with open_log_reader(kafka, silence_s_max=SILENCE_S_MAX) as reader:
        bounds = {name: await _bounds(reader, name, topic.partitions) for name, topic in effects_first(configurations)}
        for done, (name, topic) in enumerate(sorted(configurations.items()), 1):
            partitions = [await _copy_partition(reader, name, each, archive, on_entry.get(name)) for each in bounds[name]]
            copy.topics.append(ArchivedTopic(name=name, config=dict(topic.own), partitions=tuple(partitions)))
            report(f"{done}/{len(configurations)} {name}: {copy.topics[-1].records:,} records")
    ends = {(name, each.place.partition): each.end for name, of_topic in bounds.items() for each in of_topic}
    copy.offsets = tuple(clamp_offsets(offsets, ends))
    return copy


def effects_first(topics: dict[str, T]) -> list[tuple[str, T]]:
    """The topics by name in the order in which their ends are read: what only agents write, what clients write as well, what only clients
    write.
    """
    owners = {topic.name: set(topic.owners) for topic in TOPICS}

    def rank(name: str) -> int:
        by = owners.get(name)
        if by is None:
            return 2  # an inbox, or of another release
        return 0 if not by & CLIENTS else 1 if by - CLIENTS else 2

    return sorted(topics.items(), key=lambda item: (rank(item[0]), item[0]))


def clamp_offsets(offsets: Iterable[CommittedOffset], ends: dict[tuple[str, int], int]) -> Iterable[CommittedOffset]:
    """The offsets of partitions in the backup, none beyond its end."""
    for at in offsets:
        end = ends.get((at.topic, at.partition))
        if end is not None:
            yield at if at.offset <= end else CommittedOffset(group=at.group, topic=at.topic, partition=at.partition, offset=end)


async def _committed_offsets(kafka: KafkaSettings) -> Sequence[CommittedOffset]:
    found: list[CommittedOffset] = []
    for group in WORKER_GROUPS:
        for place, offset in (await read_group_offsets(kafka, (group,))).items():
            topic = place.topic.removeprefix(kafka.topic_prefix)
            found.append(CommittedOffset(group=group, topic=topic, partition=place.partition, offset=offset))
    return found


async def _bounds(reader: LogReader, name: str, partitions: int) -> list[CopyRange]:
    places = [reader.topic_partition(name, number) for number in range(partitions)]
    found = await reader.bounds(places)
    return [CopyRange(place, *found[place]) for place in places]


async def _copy_partition(
    reader: LogReader, topic: str, bounds: CopyRange, archive: ArchiveWriter, on_entry: OnEntry | None
) -> ArchivedPartition:
    if bounds.begin >= bounds.end:
        return ArchivedPartition(begin=bounds.begin, end=bounds.end)
    name = f"topics/{topic}/{bounds.place.partition}.gz"
    first = last = None
    with archive.file(name) as file, pack(file) as packed:
        position = bounds.begin
        while True:
            async with aclosing(reader.batches(bounds.place, position, bounds.end)) as batches:
                async for batch in batches:
                    for record in batch:
                        entry = LogEntry(record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
                        write_entry(packed, entry)
                        file.count += 1
                        if on_entry is not None:
                            on_entry(entry)
                        first, last = record.offset if first is None else first, record.offset
            begin = (await reader.bounds([bounds.place]))[bounds.place][0]
            position = bounds.begin if last is None else last + 1
            if begin <= position or begin >= bounds.end:
                break
            position = begin  # retention overtook the reader, which then jumped to the end
    archived = file.describe(name)
    return ArchivedPartition(begin=bounds.begin, end=bounds.end, first=first, last=last, file=archived if archived.count else None)
