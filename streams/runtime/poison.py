"""Poison detection: an event that ends its process is found by the records that partition owners leave in Redis.

In normal operation this costs no round trip per event. A worker signs a partition's record when the partition is assigned and signs off
when it gives it away, noting which events had begun. Another worker's signature means that its process died: every event on the log by then
(up to ``end``) is *suspect*, and its starts are counted before they happen, in batches, until it ends. The death that made it suspect was
not counted, so the count is how many processes may have died of it.

Several events are in flight when a process dies. Before its last try an event therefore waits until it runs alone in the process: only the
event at fault reaches ``deaths_max``. A worker that stops in good order takes its counts back. Without Redis no starts are counted, and
every event that was on the log at the assignment may have begun before.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from adapters.redis.client import RedisClient, Script
from schemas.errors import Unavailable
from streams.log.outgoing import LogOffset
from streams.runtime.metrics import WorkerMetrics

OFFSET_MAX = 2**63 - 1
BATCH_MAX = 500  # starts or ends in one script

# KEYS: record. ARGV: me. Returns the former signature ("" = signed off, false = no record) and the whole record.
SIGN_ON = """
local owner = redis.call('HGET', KEYS[1], 'owner')
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
return {owner, redis.call('HGETALL', KEYS[1])}
"""

# KEYS: record. ARGV: me, number of ended, the ended, number of uncounted, the uncounted (their start is taken back), the begun.
SIGN_OFF = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', '')
local at = 2
for _ = 1, ARGV[at] do at = at + 1; redis.call('HDEL', KEYS[1], ARGV[at]) end
at = at + 1
for _ = 1, ARGV[at] do at = at + 1; redis.call('HINCRBY', KEYS[1], ARGV[at], -1) end
for i = at + 1, #ARGV do redis.call('HSETNX', KEYS[1], ARGV[i], 0) end
return 1
"""

# KEYS: record. ARGV: number of ended, the ended, the starting. Returns the starts of each that is starting, this one included.
COUNT = Script("""
local at = 1
for _ = 1, ARGV[at] do at = at + 1; redis.call('HDEL', KEYS[1], ARGV[at]) end
local starts = {}
for i = at + 1, #ARGV do starts[#starts + 1] = redis.call('HINCRBY', KEYS[1], ARGV[i], 1) end
return starts
""")

Partition = tuple[str, int]  # physical topic, partition

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _PartitionHistory:
    """What a partition's earlier owners left. ``begun``: offsets begun earlier, to their counted starts."""

    end: int = 0  # what lies below may have begun before
    suspect_end: int = 0  # and a process has died since
    begun: dict[int, int] = field(default_factory=dict)
    counted: dict[int, int] = field(default_factory=dict)  # starts of ours that have not ended, to their counts
    ended: list[int] = field(default_factory=list)  # fields that may go, with the next round trip
    starting: list[tuple[int, asyncio.Future[int]]] = field(default_factory=list)


class PoisonDetector:
    """Of one agent in one worker; ``name`` is the group's and agent's, ``worker`` this process's; its agents share ``last_chance``."""

    def __init__(
        self, redis: RedisClient, *, prefix: str, name: str, worker: str, deaths_max: int, last_chance: asyncio.Lock, metrics: WorkerMetrics
    ) -> None:
        self._redis, self._prefix, self._name, self._worker = redis, prefix, name, worker
        self._metrics = metrics
        self._past: dict[Partition, _PartitionHistory] = {}
        self._counting: dict[Partition, asyncio.Task[None]] = {}
        self.deaths_max = max(2, deaths_max)  # the one death that is not counted is not proof enough
        self._last_chance = last_chance

    async def sign_on(
        self, partitions: Iterable[Partition], end_offsets: Callable[[set[Partition]], Awaitable[Mapping[Partition, int]]]
    ) -> None:
        """On assignment, before any record is delivered. ``end_offsets`` is called for partitions whose former owner did not sign off."""
        wanted = list(partitions)
        self._past = {partition: _PartitionHistory(end=OFFSET_MAX) for partition in wanted}
        if not wanted:
            return
        try:
            records = await self._eval_all(SIGN_ON, dict.fromkeys(wanted, (self._worker,)))
        except Unavailable:
            self._metrics.fallbacks.labels("deaths").inc()
            for partition, end in (await end_offsets(set(wanted))).items():
                self._past[partition].end = end
            return
        unclean = set()
        for partition, (owner, flat) in records.items():
            past = self._past[partition]
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            past.begun = {int(offset): int(starts) for offset, starts in fields.items() if offset != b"owner"}
            if owner in (b"", self._worker.encode()):
                past.end = 0
                continue
            unclean.add(partition)
            if owner is not None:  # else there was no owner yet, or Redis has lost the record
                past.suspect_end = OFFSET_MAX
                log.warning("partition_owner_died", agent=self._name, topic=partition[0], partition=partition[1])
        if unclean:
            for partition, end in (await end_offsets(unclean)).items():
                past = self._past[partition]
                past.end, past.suspect_end = end, min(end, past.suspect_end)

    async def sign_off(self, begun: Mapping[Partition, Iterable[int]]) -> None:
        """Before a partition is given away in good order; ``begun`` are its unacknowledged events whose work has started."""
        arguments: dict[Partition, tuple[str | int, ...]] = {}
        for partition, offsets in begun.items():
            past = self._past.pop(partition, None)
            if past is not None:
                arguments[partition] = (self._worker, len(past.ended), *past.ended, len(past.counted), *past.counted, *offsets)
        if not arguments:
            return
        try:
            await self._eval_all(SIGN_OFF, arguments)
        except Unavailable:
            self._metrics.fallbacks.labels("deaths").inc()

    def may_have_begun(self, place: LogOffset) -> bool:
        """Whether an earlier owner may have begun this event."""
        past = self._past.get((place.topic, place.partition))
        return past is None or place.offset < past.end or place.offset in past.begun

    def is_clean(self, place: LogOffset) -> bool:
        """No process is known to have died of this event: its starts need not be counted."""
        past = self._past.get((place.topic, place.partition))
        return past is None or (place.offset >= past.suspect_end and not past.begun.get(place.offset))

    @asynccontextmanager
    async def track(self, place: LogOffset) -> AsyncIterator[int]:
        """Around the work on an event: yields how often it may have begun, this time included; 0, at once, when no process died.

        Before its last try an event waits until it runs alone, and only then is this start counted.
        """
        past = self._past.get((place.topic, place.partition))
        if past is None or self.is_clean(place):
            yield 0
            return
        async with AsyncExitStack() as stack:
            if past.begun.get(place.offset, 0) + 1 >= self.deaths_max - 1:
                await stack.enter_async_context(self._last_chance)
            yield await self._count_start(place, past)

    async def _count_start(self, place: LogOffset, past: _PartitionHistory) -> int:
        if place.offset in past.counted:
            return past.counted[place.offset]  # superseded and tried again here: no process died in between
        result: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        past.starting.append((place.offset, result))
        past.counted[place.offset] = 0
        partition = (place.topic, place.partition)
        task = self._counting.get(partition)
        if task is None or task.done():
            self._counting[partition] = asyncio.create_task(self._flush_counts(partition, past))
        past.counted[place.offset] = await result
        return past.counted[place.offset]

    def finish(self, place: LogOffset) -> None:
        """The event was handled or dead-lettered."""
        past = self._past.get((place.topic, place.partition))
        if past is not None and (place.offset in past.counted or place.offset in past.begun):
            past.counted.pop(place.offset, None)
            past.begun.pop(place.offset, None)
            past.ended.append(place.offset)

    def forget_below(self, partition: Partition, offset: int) -> None:
        """The first offset delivered: what is noted below it was committed meanwhile."""
        past = self._past.get(partition)
        if past is not None:
            below = [noted for noted in past.begun if noted < offset]
            past.ended.extend(below)
            for noted in below:
                del past.begun[noted]

    async def flush(self) -> None:
        """Forget in Redis what has ended; call it now and then."""
        for partition, past in list(self._past.items()):
            if past.ended and (partition not in self._counting or self._counting[partition].done()):
                await self._flush_counts(partition, past)

    async def _flush_counts(self, partition: Partition, past: _PartitionHistory) -> None:
        while past.starting or past.ended:
            starting, past.starting = past.starting[:BATCH_MAX], past.starting[BATCH_MAX:]
            ended, past.ended = past.ended[:BATCH_MAX], past.ended[BATCH_MAX:]
            try:
                counts = await COUNT(self._redis, [self._key(partition)], (len(ended), *ended, *(offset for offset, _ in starting)))
            except Unavailable:
                self._metrics.fallbacks.labels("deaths").inc()
                counts = [0] * len(starting)
            for (_, result), count in zip(starting, counts, strict=True):
                if not result.done():
                    result.set_result(int(count))

    async def _eval_all(self, script: str, arguments: Mapping[Partition, tuple[str | int, ...]]) -> dict[Partition, Any]:
        """One round trip for all partitions."""
        batch = self._redis.pipeline()
        for partition, values in arguments.items():
            batch.eval(script, 1, self._key(partition), *values)
        return dict(zip(arguments, await batch.execute(), strict=True))

    def _key(self, partition: Partition) -> str:
        return f"{self._prefix}:deaths:{{{self._name}/{partition[0]}/{partition[1]}}}"
