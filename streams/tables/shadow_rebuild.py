"""Shadow rebuilds of counters from their topic beside the ones in use, and their audit against it.

The rebuild fills the next generation of every shard from the log and switches when it has caught up with the one in use; readers see the
old sums until then and the new ones from then on, and the feed continues behind the mark in use. The audit counts the log in memory and
compares shard by shard, each reading at the mark it was taken at, so that the feed may continue meanwhile.
"""

import re
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol

from adapters.redis.client import RedisClient, Script
from adapters.redis.lease import release_lease, renew_lease
from schemas.errors import Unavailable
from streams.log.range_reader import LogRecord
from streams.log.reader import LogReader
from streams.tables.counter_audit import CounterAudit
from streams.tables.counters import Change, Counter
from streams.topics import Topic

BATCH = 500  # events per round trip to a shadow, keys per command that removes
COMPARE_BATCH = 100  # values read at once, in one transaction: about 1 ms of Redis
BUILDER_S = 300  # life of the builder's lease: renewed with every batch, so a builder silent this long has died
CATCH_UP_TRIES = 20  # the one in use may move on while the shadow catches up; each round has less to do
SOON_S = 120  # a bucket that expires within this is not compared: it may expire before it is read

GENERATION_MAX = 1 << 62

_GENERATION = re.compile(r"g(\d{1,18}):")

ChangesOf = Callable[[LogRecord], tuple[str, Sequence[Change]] | None]

# KEYS builder, generations; ARGV token, life in s. Replies the number of the generation to build, 0 while another process builds one.
_BEGIN = Script("""
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then return 0 end
return redis.call('INCR', KEYS[2])
""")
# KEYS builder, generation, mark in use, mark of the shadow; ARGV token, generation of the shadow, a mark in use that is known to be
# of a log that is gone (-1: none). Replies -2 when the builder has lost its lease, -1 when it is done, else the mark to catch up with.
_SWITCH = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -2 end
local mark, reached = tonumber(redis.call('GET', KEYS[3]) or '-1'), tonumber(redis.call('GET', KEYS[4]) or '-1')
if mark > reached and mark ~= tonumber(ARGV[3]) then return mark end
redis.call('SET', KEYS[2], ARGV[2])
return -1
""")


class HistoryRecord(Protocol):
    """A record that is read again; ``timestamp`` is in ms since 1970."""

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...


class TopicHistory(Protocol):
    """A topic that is read again. Raises Unavailable("kafka_unavailable")."""

    async def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset on the log, and that of the next record."""
        ...

    async def offset_for_time(self, partition: int, at: datetime) -> int:
        """The first offset written at that time or later; the end when there is none."""
        ...

    def batches(self, partition: int, begin: int, end: int) -> AsyncGenerator[Sequence[HistoryRecord], None]:
        """The records from ``begin`` up to, not including, ``end``, in order."""
        ...


class TopicHistoryReader:
    """Implements ``TopicHistory`` for one topic with a reader that is open."""

    def __init__(self, reader: LogReader, topic: Topic) -> None:
        self._reader, self._topic = reader, topic

    async def bounds(self, partition: int) -> tuple[int, int]:
        """See ``TopicHistory``."""
        place = self._reader.topic_partition(self._topic, partition)
        return (await self._reader.bounds([place]))[place]

    async def offset_for_time(self, partition: int, at: datetime) -> int:
        """See ``TopicHistory``."""
        place = self._reader.topic_partition(self._topic, partition)
        found = (await self._reader.offsets_for_time([place], int(at.timestamp() * 1000)))[place]
        return (await self.bounds(partition))[1] if found is None else found

    def batches(self, partition: int, begin: int, end: int) -> AsyncGenerator[Sequence[HistoryRecord], None]:
        """See ``TopicHistory``."""
        return self._reader.batches(self._reader.topic_partition(self._topic, partition), begin, end)


@dataclass(frozen=True, slots=True)
class Difference:
    """A sum that differs from the log. ``bucket`` is its start in unix seconds."""

    partition: int
    scale: str
    bucket: int
    key: str
    counted: Mapping[str, int]
    recounted: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The result of an audit: events read, values compared with them, and those that differ."""

    events: int
    values: int
    differences: Sequence[Difference]


class ShadowRebuild:
    """Rebuilds and audits one counter."""

    def __init__(self, redis: RedisClient, prefix: str, counter: Counter, log: TopicHistory, changes_of: ChangesOf) -> None:
        self._redis, self._counter, self._log, self._changes_of = redis, counter, log, changes_of
        self._base = f"{prefix}:counter:{{{counter.name}:"

    async def rebuild(self) -> int:
        """Rebuild every shard and switch to it; returns the number of events read. Raises Unavailable, also during another rebuild."""
        events = 0
        for partition in range(self._counter.partitions):
            events += await self._rebuild_shard(partition)
        await self._remove_old_generations()
        return events

    async def find_differences(self, now: datetime, since: datetime | None = None) -> AuditResult:
        """Compare every value with the log, or those whose bucket begins at ``since`` or later."""
        events, values, found = 0, 0, list[Difference]()
        parts_in_use = await self._value_parts()
        for partition in range(self._counter.partitions):
            tally = await self._begin_audit(partition, now, since)
            unread = {part for part in parts_in_use.get(partition, ()) if tally.is_comparable(part)}
            read: set[str] = set()
            while unread:
                some = list(islice(unread, COMPARE_BATCH))
                mark, sums = await self._counter.read_shard(partition, some)
                await self._recount(partition, tally, mark)
                found += [
                    Difference(partition, *self._counter.parse_value_part(part), counted, tally.sums(part))
                    for part, counted in zip(some, sums, strict=True)
                    if counted != tally.sums(part)
                ]
                read.update(some)
                unread = (unread | {part for part in tally.parts() if tally.is_comparable(part)}) - read
                values += len(some)
            events += tally.events
        return AuditResult(events, values, found)

    async def _rebuild_shard(self, partition: int) -> int:
        token = secrets.token_hex(16)
        generation = int(
            await _BEGIN(self._redis, (self._key(partition, "builder"), self._key(partition, "generations")), (token, BUILDER_S))
        )
        if not generation:
            raise Unavailable("overloaded", f"another process is rebuilding {self._counter.name}")
        try:
            return await self._build_shard(partition, generation, token)
        finally:
            await release_lease(self._redis, self._key(partition, "builder"), token)

    async def _build_shard(self, partition: int, generation: int, token: str) -> int:
        """Fill this generation and switch to it; returns the number of events read."""
        shadow, mark, events, mark_of_lost_log = self._counter.of_generation(generation), -1, 0, -1
        for _ in range(CATCH_UP_TRIES):
            begin, end = await self._log.bounds(partition)
            async for batch in self._log.batches(partition, max(begin, mark + 1), end):
                changes = [(record.offset, *self._changes(record)) for record in batch]
                await shadow.apply_many(partition, changes, after=mark)
                mark, events = batch[-1].offset, events + len(batch)
                await self._renew_builder(partition, token)
            if mark < end - 1:  # the mark also passes offsets that retention or compaction removed
                await shadow.apply(partition, end - 1, "", (), after=mark)
                mark = end - 1
            in_use = await self._counter.generation(partition)
            keys = (
                self._key(partition, "builder"),
                self._key(partition, "generation"),
                self._counter.of_generation(in_use).shard_key(partition, "mark"),
                shadow.shard_key(partition, "mark"),
            )
            reply = int(await _SWITCH(self._redis, keys, (token, generation, mark_of_lost_log)))
            if reply == -1:
                return events
            if reply == -2:  # noqa: PLR2004
                break
            if reply >= (await self._log.bounds(partition))[1]:
                mark_of_lost_log = reply
        raise Unavailable("overloaded", f"the rebuild of {self._counter.name} cannot catch up with partition {partition}")

    async def _renew_builder(self, partition: int, token: str) -> None:
        if not await renew_lease(self._redis, self._key(partition, "builder"), token, BUILDER_S):
            raise Unavailable("overloaded", f"another process rebuilds {self._counter.name} now")

    async def _begin_audit(self, partition: int, now: datetime, since: datetime | None) -> CounterAudit:
        """An empty count, with the time from which on it is complete."""
        begin, end = await self._log.bounds(partition)
        floor_s = 0
        if begin:
            async for batch in self._log.batches(partition, begin, end):
                floor_s = batch[0].timestamp // 1000 + 1
                break
        if since is not None:
            floor_s = max(floor_s, int(since.timestamp()))
            begin = max(begin, await self._log.offset_for_time(partition, since))
        return CounterAudit(self._counter, begin=begin, floor_s=floor_s, until_s=int(now.timestamp()) + SOON_S)

    async def _recount(self, partition: int, tally: CounterAudit, mark: int) -> None:
        """Bring the count up to and including ``mark``."""
        if mark < tally.next:
            return
        _, end = await self._log.bounds(partition)
        async for batch in self._log.batches(partition, tally.next, min(mark + 1, end)):
            for record in batch:
                tally.add(record.offset, *self._changes(record))
        tally.next = mark + 1

    def _changes(self, record: HistoryRecord) -> tuple[str, Sequence[Change]]:
        return self._changes_of(LogRecord(record.offset, record.value, record.key or b"")) or ("", ())

    async def _value_parts(self) -> dict[int, set[str]]:
        """The names of all values in use, by partition."""
        found: dict[int, set[str]] = {}
        starts = [
            self._counter.of_generation(await self._counter.generation(p)).shard_key(p, "value:") for p in range(self._counter.partitions)
        ]
        async for key in self._redis.scan_iter(match=f"{self._base}*", count=BATCH):
            name = key.decode(errors="replace")
            for partition, start in enumerate(starts):
                if name.startswith(start):
                    found.setdefault(partition, set()).add(f"value:{name.removeprefix(start)}")
        return found

    async def _remove_old_generations(self) -> None:
        """Remove generations below those in use; a higher one is being built."""
        in_use = [await self._counter.generation(partition) for partition in range(self._counter.partitions)]
        gone: list[bytes] = []
        async for key in self._redis.scan_iter(match=f"{self._base}*", count=BATCH):
            partition, _, part = key.decode(errors="replace").removeprefix(self._base).partition("}:")
            if partition.isdecimal() and int(partition) < len(in_use) and _generation_of(part) < in_use[int(partition)]:
                gone.append(key)
            if len(gone) == BATCH:
                await self._redis.execute_command("UNLINK", *gone)
                gone.clear()
        if gone:
            await self._redis.execute_command("UNLINK", *gone)

    def _key(self, partition: int, part: str) -> str:
        return f"{self._base}{partition}}}:{part}"


def _generation_of(part: str) -> int:
    """The generation of a part of a shard; for other keys a very high number."""
    if part.startswith(("generation", "builder")):
        return GENERATION_MAX
    found = _GENERATION.match(part)
    return int(found[1]) if found else 0
