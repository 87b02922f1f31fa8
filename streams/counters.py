"""Counters: sums over windows of time, exact whatever is delivered twice and whatever Redis forgets.

A counter has one shard per partition of its topic. A shard's values, its *mark* (the last offset that is in them) and the event ids it has
lately seen change in one script, so Redis can lose its last writes only together with the mark that says so; then the feed reads the
missing stretch from the log again. Readers sum the shards. The words are Faust's: tumbling, hopping, expires, current.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from adapters.redis import Argument, Client, Script
from schemas.errors import Unavailable
from streams.gaps import Gaps, Record

SEEN_MAX = 10_000  # event ids a shard remembers, about 1 MB: repeats lie close together, a replayed step apart
SEEN_S = 7 * 86_400
CHANGES_MAX = 64  # changes of one event: one script must not hold Redis up
BUCKETS_MAX = 1_000  # buckets of one reading
RETRY_S_MIN, RETRY_S_MAX = 0.5, 10.0  # between attempts to catch up while Redis or the log is down
GAP_TRIES = 3  # the mark may move while a gap is read (a stale owner of the partition); it only moves forward

log = structlog.get_logger(__name__)

# KEYS mark, seen, values...; ARGV offset, after, event id, seen size, seen seconds, then per value: expiry (unix s, 0 = never), number of
# fields, field, delta, ... Replies {1, mark} counted, {0, mark} nothing to do, {-1, mark} a gap.
_APPLY = Script("""
local offset, mark = tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or '-1')
if offset <= mark then return {0, mark} end
if tonumber(ARGV[2]) > mark then return {-1, mark} end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[3] ~= '' then
  if redis.call('ZADD', KEYS[2], 'NX', offset, ARGV[3]) == 0 then return {0, offset} end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[4])
  redis.call('EXPIRE', KEYS[2], ARGV[5])
end
local at = 6
for i = 3, #KEYS do
  local expiry, fields = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
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
class Window:
    """Stretches of ``size_s`` seconds, a new one every ``step_s``; kept in buckets of one step, counted from the epoch in UTC."""

    size_s: int
    step_s: int

    def bucket(self, at: datetime) -> int:
        """Start of the bucket that holds ``at``, in unix seconds."""
        seconds = int(at.timestamp())
        return seconds - seconds % self.step_s

    def buckets(self, now: datetime) -> list[int]:
        """The buckets of the window that is open at ``now``: the one that holds it and those before it up to ``size_s``."""
        last = self.bucket(now)
        return list(range(last - self.size_s + self.step_s, last + 1, self.step_s))


def tumbling(size_s: int) -> Window:
    """Windows side by side: each moment is in one."""
    return hopping(size_s, size_s)


def hopping(size_s: int, step_s: int) -> Window:
    """Windows that overlap: one of ``size_s`` begins every ``step_s``, which divides it."""
    if step_s < 1 or size_s % step_s or size_s // step_s > BUCKETS_MAX:
        raise ValueError(f"a window of {size_s} s cannot hop by {step_s} s")
    return Window(size_s, step_s)


@dataclass(frozen=True, slots=True)
class Change:
    """Add ``fields`` to what is counted under ``key`` at the time ``at``."""

    key: str
    fields: Mapping[str, int]
    at: datetime


@dataclass(frozen=True, slots=True)
class Applied:
    """The event is accounted for; ``counted`` False: it was already, or its id was."""

    counted: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """The shard ends at ``mark``: what lies between on the log must be applied first."""

    mark: int


class Counter:
    """Counts by key and window. Every method raises Unavailable("redis_unavailable").

    ``window`` None counts for ever. ``retention_s``: how long a bucket is kept after its end (``expires``). ``partitions``: of the topic
    that feeds it.
    """

    def __init__(
        self, redis: Client, prefix: str, name: str, *, partitions: int, window: Window | None = None, retention_s: int | None = None
    ) -> None:
        self.name = name
        self.window = window
        self.expires_s = retention_s
        self._redis = redis
        self._prefix = prefix
        self.partitions = partitions

    async def apply(
        self, partition: int, offset: int, event_id: str, changes: Sequence[Change], *, after: int | None = None
    ) -> Applied | Gap:
        """Account for the event at ``offset``, once. ``after``: the caller has read the log and vouches that there is nothing between this
        offset and ``offset``; without it that is the offset before.
        """
        if len(changes) > CHANGES_MAX:
            raise ValueError(f"{len(changes)} changes of one event; {CHANGES_MAX} are the most")
        keys = [self._mark(partition), self._shard(partition, "seen")]
        arguments: list[Argument] = [offset, offset - 1 if after is None else after, event_id, SEEN_MAX, SEEN_S]
        for change in changes:
            start = 0 if self.window is None else self.window.bucket(change.at)
            keys.append(self._value(partition, change.key, start))
            arguments += [self._expiry(start), len(change.fields)]
            for name, delta in change.fields.items():
                arguments += [name, delta]
        code, mark = await _APPLY(self._redis, keys, arguments)
        return Gap(int(mark)) if code < 0 else Applied(counted=code == 1)

    async def mark(self, partition: int) -> int:
        """The last offset of the partition that is accounted for, -1 for none."""
        return int(await self._redis.execute_command("GET", self._mark(partition)) or -1)

    async def current(self, key: str, now: datetime) -> dict[str, int]:
        """The sums of the window that is open at ``now``."""
        total: dict[str, int] = {}
        for sums in (await self._sums(key, [0] if self.window is None else self.window.buckets(now))).values():
            for name, value in sums.items():
                total[name] = total.get(name, 0) + value
        return total

    async def range(self, key: str, start: datetime, end: datetime) -> list[tuple[datetime, dict[str, int]]]:
        """The sums of each bucket that begins in [start, end), oldest first, empty ones left out; at most 1,000 buckets."""
        if self.window is None:
            raise ValueError(f"{self.name} has no window")
        step_s = self.window.step_s
        first = self.window.bucket(start + timedelta(seconds=step_s, microseconds=-1))
        starts = list(range(first, int(end.timestamp()) + (end.microsecond > 0), step_s))
        if len(starts) > BUCKETS_MAX:
            raise ValueError(f"{len(starts)} buckets asked for; {BUCKETS_MAX} are the most")
        return [(datetime.fromtimestamp(at, UTC), sums) for at, sums in (await self._sums(key, starts)).items() if sums]

    async def _sums(self, key: str, starts: Sequence[int]) -> dict[int, dict[str, int]]:
        sums: dict[int, dict[str, int]] = {start: {} for start in starts}
        batch = self._redis.pipeline()
        for start in starts:
            for partition in range(self.partitions):
                batch.execute_command("HGETALL", self._value(partition, key, start))
        replies = iter(await batch.execute() if starts else ())
        for start in starts:
            for _ in range(self.partitions):
                for name, value in next(replies).items():
                    sums[start][name.decode()] = sums[start].get(name.decode(), 0) + int(value)
        return sums

    def _expiry(self, start: int) -> int:
        if self.expires_s is None or self.window is None:
            return 0
        return start + self.window.step_s + self.expires_s

    def _mark(self, partition: int) -> str:
        return self._shard(partition, "mark")

    def _value(self, partition: int, key: str, start: int) -> str:
        return self._shard(partition, f"value:{start}:{key}")

    def _shard(self, partition: int, part: str) -> str:
        return f"{self._prefix}:counter:{{{self.name}:{partition}}}:{part}"


class CounterFeed:
    """Keeps a counter true to its topic: in order per partition, gaps read from the log first.

    ``changes_of`` gives a record's event id and changes, or None for one that does not count (or cannot be decoded). Started with its
    process it also accounts for what Redis has lost although no new event comes; that several processes do so is harmless.
    """

    def __init__(self, counter: Counter, gaps: Gaps, changes_of: Callable[[Record], tuple[str, Sequence[Change]] | None]) -> None:
        self._counter = counter
        self._gaps = gaps
        self._changes_of = changes_of
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Catch up with every partition beside other work; returns at once."""
        self._task = asyncio.create_task(self._catch_up_all(), name=f"counter-{self._counter.name}")

    async def stop(self) -> None:
        """Leave off; nothing is lost."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def feed(self, partition: int, offset: int, event_id: str, changes: Sequence[Change]) -> bool:
        """Account for one event; True if it was counted now. Raises Unavailable when Redis or the log is out of reach."""
        outcome = await self._counter.apply(partition, offset, event_id, changes)
        for _ in range(GAP_TRIES):
            if isinstance(outcome, Applied):
                return outcome.counted
            after = await self._catch_up(partition, outcome.mark, offset)
            outcome = await self._counter.apply(partition, offset, event_id, changes, after=after)
        if isinstance(outcome, Applied):
            return outcome.counted
        raise Unavailable("redis_unavailable", f"the mark of {self._counter.name} keeps falling back")

    async def assigned(self, partition: int) -> None:
        """The partition is ours now: account for everything up to the end of the log that the shard lacks."""
        await self._catch_up(partition, await self._counter.mark(partition), None)

    async def _catch_up_all(self) -> None:
        for partition in range(self._counter.partitions):
            pause_s = RETRY_S_MIN
            while True:
                try:
                    await self.assigned(partition)
                except Unavailable:
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, RETRY_S_MAX)
                else:
                    break

    async def _catch_up(self, partition: int, mark: int, stop: int | None) -> int:
        """Apply the records between; the last offset that is accounted for then."""
        if stop is not None:
            log.info("counter_gap", counter=self._counter.name, partition=partition, mark=mark, offset=stop)
        async with aclosing(self._gaps.records(partition, mark + 1, stop)) as stretch:
            async for record in stretch:
                event_id, changes = self._changes_of(record) or ("", ())
                if isinstance(await self._counter.apply(partition, record.offset, event_id, changes, after=mark), Gap):
                    break  # Redis fell back while we were reading: the caller starts over from the new mark
                mark = record.offset
        return mark
