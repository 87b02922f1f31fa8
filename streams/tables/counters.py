"""Counters: sums over windows of time, exact under repeated deliveries and lost writes of Redis.

A counter has one shard per partition of its topic. A shard's values, its *mark* (the last offset that is in them) and its recent event ids
change in one script, so Redis can lose its last writes only together with the mark; then the feed reads the missing range from the log
again. Readers sum the shards. The terms are Faust's: tumbling, hopping, expires, current.

The contents of a shard belong to a *generation*. A rebuild fills the next one beside it (``shadow_rebuild.py``) and then moves the pointer;
a call with an outdated generation gets the new one as its reply, so no reader and no writer ever sees two generations at once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.redis.client import Argument, RedisClient, Script
from schemas.errors import Unavailable
from streams.log.range_reader import LogRecord, RangeSource
from streams.tables.sketches import HASHES_MAX, ThetaSketch, merge_sketches, read_sketch
from streams.tables.windows import BUCKETS_MAX, Buckets, Scale, Window, hopping, tumbling

__all__ = ["BUCKETS_MAX", "ApplyResult", "Change", "Counter", "CounterFeed", "OffsetGap", "Scale", "Window", "hopping", "tumbling"]

SEEN_MAX = 10_000  # event ids that a shard stores, about 1 MB: repeats lie close together, a replayed step apart
SEEN_S = 7 * 86_400
CHANGES_MAX = 64  # changes of one event: one script must not block Redis
RETRY_S_MIN, RETRY_S_MAX = 0.5, 10.0  # between attempts to catch up while Redis or the log is down
GAP_TRIES = 3  # the mark may move while a gap is read (a stale owner of the partition); it only moves forward
SWITCH_TRIES = 5  # the generation may move while a shard is read; rebuilds are rare, so one more look is nearly always enough
PINNED = -1  # no check of the generation
OTHER_GENERATION = -2  # the script's reply to a call for another one

log = structlog.get_logger(__name__)

# KEYS generation, mark, seen, values...; ARGV generation the caller means (-1: whichever), offset, after, event id, seen size, seen
# seconds, then per value: expiry (unix s, 0 = never), number of fields, field, delta, ...; of a sketch (sketches.py) minus the number of
# hashes, the most that are kept, hash, ... Replies {1, mark} counted, {0, mark} nothing to do, {-1, mark} a gap, {-2, generation} another
# generation.
_APPLY = Script("""
local generation = tonumber(redis.call('GET', KEYS[1]) or '0')
if ARGV[1] ~= '-1' and tonumber(ARGV[1]) ~= generation then return {-2, generation} end
local offset, mark = tonumber(ARGV[2]), tonumber(redis.call('GET', KEYS[2]) or '-1')
if offset <= mark then return {0, mark} end
if tonumber(ARGV[3]) > mark then return {-1, mark} end
redis.call('SET', KEYS[2], ARGV[2])
if ARGV[4] ~= '' then
  if redis.call('ZADD', KEYS[3], 'NX', offset, ARGV[4]) == 0 then return {0, offset} end
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - ARGV[5])
  redis.call('EXPIRE', KEYS[3], ARGV[6])
end
local at = 7
for i = 4, #KEYS do
  local expiry, fields = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  if fields < 0 then
    local most = tonumber(ARGV[at])
    for _ = 1, -fields do
      at = at + 1
      local cut = redis.pcall('ZSCORE', KEYS[i], '')
      if type(cut) == 'table' then  -- not a sketch of ours
        redis.call('DEL', KEYS[i])
        cut = false
      end
      if not cut or tonumber(ARGV[at]) < tonumber(cut) then
        redis.call('ZADD', KEYS[i], ARGV[at], ARGV[at])
        if redis.call('ZCARD', KEYS[i]) - (cut and 1 or 0) > most then
          local last = redis.call('ZRANGE', KEYS[i], most, most)[1]
          redis.call('ZREM', KEYS[i], last)
          redis.call('ZADD', KEYS[i], last, '')
        end
      end
    end
    at = at + 1
  end
  for _ = 1, fields do
    local sum = redis.pcall('HINCRBY', KEYS[i], ARGV[at], ARGV[at + 1])
    if type(sum) == 'table' then  -- not a sum of ours: start again, for half a script cannot be taken back
      if redis.call('TYPE', KEYS[i]).ok ~= 'hash' then redis.call('DEL', KEYS[i]) end
      redis.call('HSET', KEYS[i], ARGV[at], ARGV[at + 1])
    end
    at = at + 2
  end
  if expiry ~= '0' then redis.call('EXPIREAT', KEYS[i], expiry) end
end
return {1, offset}
""")


@dataclass(frozen=True, slots=True)
class Change:
    """Add ``fields`` to what is counted under ``key`` at the time ``at``; or ``hashes`` to its sketch of distinct things."""

    key: str
    fields: Mapping[str, int]
    at: datetime
    hashes: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """The event is counted; ``counted`` False: this offset or this event id was counted before."""

    counted: bool


@dataclass(frozen=True, slots=True)
class OffsetGap:
    """The shard ends at ``mark``: the records between on the log must be applied first."""

    mark: int


CountedEvent = tuple[int, int, str, Sequence[Change]]  # partition, offset, event id, changes


class Counter:
    """Counts by key and window. Every method raises Unavailable("redis_unavailable").

    ``window`` None counts for ever. ``retention_s``: the life of a bucket after its end (``expires``). ``scales`` are several windows at
    once, under one mark; methods then take the ``scale``'s name. ``partitions``: of the topic that feeds it. ``hashes_max``: of a sketch.
    """

    def __init__(
        self,
        redis: RedisClient,
        prefix: str,
        name: str,
        *,
        partitions: int,
        window: Buckets | None = None,
        retention_s: int | None = None,
        scales: Sequence[Scale] = (),
        generation: int | None = None,
        hashes_max: int = HASHES_MAX,
    ) -> None:
        self.name = name
        self.window = window
        self.scales = {scale.name: scale for scale in scales or (Scale("", window, retention_s),)}
        self.partitions = partitions
        self._hashes_max = hashes_max
        self._redis = redis
        self._prefix = prefix
        self._pinned = generation is not None
        self._generations = dict.fromkeys(range(partitions), generation or 0)

    def of_generation(self, generation: int) -> "Counter":
        """The same counter pinned to this generation, for its builder."""
        scales, partitions = tuple(self.scales.values()), self.partitions
        hashes_max = self._hashes_max
        return Counter(
            self._redis, self._prefix, self.name, partitions=partitions, scales=scales, generation=generation, hashes_max=hashes_max
        )

    async def apply(
        self, partition: int, offset: int, event_id: str, changes: Sequence[Change], *, after: int | None = None
    ) -> ApplyResult | OffsetGap:
        """Count the event at ``offset``, once. ``after``: the caller has read the log and found no record between this offset and
        ``offset``; default: the offset before.
        """
        for _ in range(SWITCH_TRIES):
            code, detail = await _APPLY(self._redis, *self._call(partition, offset, event_id, changes, after))
            if code != OTHER_GENERATION:
                return OffsetGap(int(detail)) if code < 0 else ApplyResult(counted=code == 1)
            self._generations[partition] = int(detail)
        raise Unavailable("redis_unavailable", f"the generation of {self.name} keeps changing")

    async def apply_each(self, events: Sequence[CountedEvent]) -> list[ApplyResult | OffsetGap | None]:
        """Count several events of any partitions in one round trip, in order, each as ``apply`` does. None: the shard is of another
        generation by now, and the event is to be applied again.
        """
        replies = await _APPLY.run_many(self._redis, [self._call(*event, None) for event in events])
        for (partition, *_), (code, detail) in zip(events, replies, strict=True):
            if code == OTHER_GENERATION:
                self._generations[partition] = int(detail)
        return [
            None if code == OTHER_GENERATION else OffsetGap(int(detail)) if code < 0 else ApplyResult(counted=code == 1)
            for code, detail in replies
        ]

    async def apply_many(self, partition: int, events: Sequence[tuple[int, str, Sequence[Change]]], *, after: int) -> None:
        """Count several (offset, event id, changes) in one round trip, in order; only the builder of a generation calls this.
        ``after`` as in ``apply``, of the first.
        """
        befores = [after, *(offset for offset, _, _ in events)]
        await _APPLY.run_many(self._redis, [self._call(partition, *event, before) for event, before in zip(events, befores, strict=False)])

    async def mark(self, partition: int) -> int:
        """The last offset of the partition that is counted, -1 for none."""
        (mark,) = await self._read([(partition, "GET", "mark")])
        return int(mark or -1)

    async def current(self, key: str, now: datetime, *, scale: str = "", partitions: Sequence[int] | None = None) -> dict[str, int]:
        """The sums of the window that is open at ``now``. ``partitions``: where the key is counted, when the caller knows."""
        total: dict[str, int] = {}
        for sums in (await self._sums(key, self.scales[scale].buckets(now), scale, partitions)).values():
            for name, value in sums.items():
                total[name] = total.get(name, 0) + value
        return total

    async def range(
        self, key: str, start: datetime, end: datetime, *, scale: str = "", partitions: Sequence[int] | None = None
    ) -> list[tuple[datetime, dict[str, int]]]:
        """The sums of each bucket that begins in [start, end), oldest first, empty ones left out; at most 1,000 buckets."""
        starts = self.scales[scale].buckets_between(start, end)
        found = await self._sums(key, starts, scale, partitions)
        return [(datetime.fromtimestamp(at, UTC), sums) for at, sums in found.items() if sums]

    async def sketches(self, key: str, starts: Sequence[int], *, scale: str = "") -> list[ThetaSketch]:
        """The sketch of each of these buckets."""
        places = [(index, partition) for index in range(len(starts)) for partition in range(self.partitions)]
        wanted = [(partition, "ZRANGE", self.sketch_part(key, starts[index], scale), 0, -1, "WITHSCORES") for index, partition in places]
        found: list[list[ThetaSketch]] = [[] for _ in starts]
        for (index, _), flat in zip(places, await self._read(wanted), strict=True):
            found[index].append(read_sketch(flat))
        return [merge_sketches(some) for some in found]

    async def erase(self, keys: Sequence[str], hashes: Mapping[str, int], starts: Sequence[int], *, scale: str = "") -> None:
        """Remove the sums of ``keys`` in these buckets from every shard, and from the sketches of keys the hash given with each."""
        for partition in range(0 if self._pinned else self.partitions):
            self._generations[partition] = await self.generation(partition)
        for start in starts:
            batch = self._redis.pipeline(transaction=False)
            for partition in range(self.partitions):
                for key in keys:
                    batch.execute_command("UNLINK", self.shard_key(partition, self.value_part(key, start, scale)))
                for key, each in hashes.items():
                    batch.execute_command("ZREM", self.shard_key(partition, self.sketch_part(key, start, scale)), each)
            await batch.execute()

    async def read_shard(self, partition: int, parts: Sequence[str]) -> tuple[int, list[dict[str, int]]]:
        """The sums under these names of values (``value_part``), and the mark at which they are just so: one transaction."""
        wanted = [(partition, "GET", "mark"), *((partition, "HGETALL", part) for part in parts)]
        mark, *sums = await self._read(wanted, together=True)
        return int(mark or -1), [_integers(fields) for fields in sums]

    async def generation(self, partition: int) -> int:
        """The generation that readers see."""
        return int(await self._redis.execute_command("GET", self._generation_key(partition)) or 0)

    def value_part(self, key: str, bucket: int, scale: str = "") -> str:
        """The name of the sums of one key and bucket inside a shard."""
        return f"value:{scale}:{bucket}:{key}" if scale else f"value:{bucket}:{key}"

    def sketch_part(self, key: str, bucket: int, scale: str = "") -> str:
        """The name of the sketch of one key and bucket inside a shard."""
        return "sketch" + self.value_part(key, bucket, scale).removeprefix("value")

    def parse_value_part(self, part: str) -> tuple[str, int, str]:
        """Scale, bucket and key of a value's name."""
        _, _, rest = part.partition(":")
        scale = ""
        if "" not in self.scales:
            scale, _, rest = rest.partition(":")
        bucket, _, key = rest.partition(":")
        return scale, int(bucket), key

    def shard_key(self, partition: int, part: str) -> str:
        """The Redis key of a part of the shard, in the generation that was seen last."""
        generation = self._generations[partition]
        part = f"g{generation}:{part}" if generation else part
        return f"{self._prefix}:counter:{{{self.name}:{partition}}}:{part}"

    async def _sums(self, key: str, starts: Sequence[int], scale: str, partitions: Sequence[int] | None) -> dict[int, dict[str, int]]:
        sums: dict[int, dict[str, int]] = {start: {} for start in starts}
        places = [(start, partition) for start in starts for partition in (partitions or range(self.partitions))]
        replies = await self._read([(partition, "HGETALL", self.value_part(key, start, scale)) for start, partition in places])
        for (start, _), fields in zip(places, replies, strict=True):
            for name, value in _integers(fields).items():
                sums[start][name] = sums[start].get(name, 0) + value
        return sums

    async def _read(self, wanted: Sequence[tuple[Any, ...]], *, together: bool = False) -> list[Any]:
        """The replies to (partition, command, part of the shard, argument, ...), all of one generation per partition, in one round trip;
        ``together``: of one moment.

        The generation is read last: values read before it belong to that generation.
        """
        partitions = sorted({partition for partition, *_ in wanted})
        for _ in range(SWITCH_TRIES if wanted else 0):
            batch = self._redis.pipeline(transaction=together)
            for partition, command, part, *more in wanted:
                batch.execute_command(command, self.shard_key(partition, part), *more)
            for partition in partitions:
                batch.execute_command("GET", self._generation_key(partition))
            replies = await batch.execute()
            now = dict(zip(partitions, (int(reply or 0) for reply in replies[len(wanted) :]), strict=True))
            if self._pinned or all(self._generations[partition] == generation for partition, generation in now.items()):
                return list(replies[: len(wanted)])
            self._generations.update(now)
        if not wanted:
            return []
        raise Unavailable("redis_unavailable", f"the generation of {self.name} keeps changing")

    def _call(
        self, partition: int, offset: int, event_id: str, changes: Sequence[Change], after: int | None
    ) -> tuple[Sequence[str], Sequence[Argument]]:
        if len(changes) * len(self.scales) > CHANGES_MAX:
            raise ValueError(f"{len(changes)} changes of one event in {len(self.scales)} scales; {CHANGES_MAX} values are the most")
        keys = [self._generation_key(partition), self.shard_key(partition, "mark"), self.shard_key(partition, "seen")]
        generation = PINNED if self._pinned else self._generations[partition]
        arguments: list[Argument] = [generation, offset, offset - 1 if after is None else after, event_id, SEEN_MAX, SEEN_S]
        for change in changes:
            fields = [part for name, delta in change.fields.items() for part in (name, delta)]
            for scale in self.scales.values():
                start = scale.bucket(change.at)
                if change.hashes:
                    keys.append(self.shard_key(partition, self.sketch_part(change.key, start, scale.name)))
                    arguments += [scale.expiry(start), -len(change.hashes), self._hashes_max, *change.hashes]
                    continue
                keys.append(self.shard_key(partition, self.value_part(change.key, start, scale.name)))
                arguments += [scale.expiry(start), len(change.fields), *fields]
        return keys, arguments

    def _generation_key(self, partition: int) -> str:
        return f"{self._prefix}:counter:{{{self.name}:{partition}}}:generation"


def _integers(fields: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in fields.items()}


class CounterFeed:
    """Feeds a counter from its topic: in order per partition, gaps read from the log first.

    ``changes_of`` gives a record's event id and changes, or None for one that does not count (or cannot be decoded). Started with its
    process it also restores what Redis has lost while no new event arrives; several processes may do so at once.
    """

    def __init__(self, counter: Counter, gaps: RangeSource, changes_of: Callable[[LogRecord], tuple[str, Sequence[Change]] | None]) -> None:
        self._counter = counter
        self._gaps = gaps
        self._changes_of = changes_of
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Catch up with every partition beside other work; returns at once."""
        self._task = asyncio.create_task(self._catch_up_all(), name=f"counter-{self._counter.name}")

    async def stop(self) -> None:
        """Stop catching up; nothing is lost."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def feed(self, partition: int, offset: int, event_id: str, changes: Sequence[Change]) -> bool:
        """Count one event; True if it was counted now. Raises Unavailable when Redis or the log is out of reach."""
        outcome = await self._counter.apply(partition, offset, event_id, changes)
        for _ in range(GAP_TRIES):
            if isinstance(outcome, ApplyResult):
                return outcome.counted
            after = await self._apply_range(partition, outcome.mark, offset)
            outcome = await self._counter.apply(partition, offset, event_id, changes, after=after)
        if isinstance(outcome, ApplyResult):
            return outcome.counted
        raise Unavailable("redis_unavailable", f"the mark of {self._counter.name} keeps falling back")

    async def feed_many(self, events: Sequence[CountedEvent]) -> None:
        """Count several events, those of each partition in order, in one round trip where nothing is missing; raises as ``feed``."""
        for event, outcome in zip(events, await self._counter.apply_each(events), strict=True):
            if not isinstance(outcome, ApplyResult):
                await self.feed(*event)

    async def catch_up(self, partition: int) -> None:
        """Take over the partition: count everything up to the end of the log that the shard lacks."""
        await self._apply_range(partition, await self._counter.mark(partition), None)

    async def _catch_up_all(self) -> None:
        for partition in range(self._counter.partitions):
            pause_s = RETRY_S_MIN
            while True:
                try:
                    await self.catch_up(partition)
                except Unavailable:
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, RETRY_S_MAX)
                else:
                    break

    async def _apply_range(self, partition: int, mark: int, stop: int | None) -> int:
        """Apply the records between; returns the last offset that is counted then."""
        if stop is not None:
            log.info("counter_gap", counter=self._counter.name, partition=partition, mark=mark, offset=stop)
        async with aclosing(self._gaps.records(partition, mark + 1, stop)) as stretch:
            async for record in stretch:
                event_id, changes = self._changes_of(record) or ("", ())
                if isinstance(await self._counter.apply(partition, record.offset, event_id, changes, after=mark), OffsetGap):
                    break  # Redis lost writes meanwhile: the caller starts over from the new mark
                mark = record.offset
        return mark


class CounterFeeds:
    """Several feeds as one part of a process."""

    def __init__(self, *feeds: CounterFeed) -> None:
        self.feeds = feeds

    async def start(self) -> None:
        """Start each: they catch up beside other work."""
        for feed in self.feeds:
            await feed.start()

    async def stop(self) -> None:
        """Stop each; nothing is lost."""
        for feed in self.feeds:
            await feed.stop()
