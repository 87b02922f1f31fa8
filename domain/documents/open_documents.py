"""Which documents are on their way, and when they last said so: what the reconciler looks through.

One sorted set per partition and lane, scored by the time of the last progress, so that "silent since" is a range. It follows the progress
topic in any order and with any repeats; an entry that is wrong (a late repeat of old news) is found and removed when it is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiokafka.partitioner import murmur2

from adapters.redis.client import Argument, RedisClient, Script
from domain.documents.visibility import NO_VERSION
from schemas.documents import PERCENT, DocumentProgressed, Lane

LANES: tuple[Lane, ...] = ("express", "bulk")
SHARD_MAX = 50_000  # documents of one partition and lane; what comes on top is on the log all the same, and entered with its next news

# KEYS express, bulk, tries; ARGV member, ms of the news (0: it has arrived), 1-based number of its lane's key, largest size
_UPDATE = Script("""
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[3], ARGV[1])
  return redis.call('ZREM', KEYS[1], ARGV[1]) + redis.call('ZREM', KEYS[2], ARGV[1])
end
local key = KEYS[tonumber(ARGV[3])]
if redis.call('ZCARD', key) >= tonumber(ARGV[4]) and not redis.call('ZSCORE', key, ARGV[1]) then return 0 end
return redis.call('ZADD', key, 'GT', ARGV[2], ARGV[1])
""")

# KEYS shard, tries; ARGV member, ms, tries. Only while it is still open: it may have arrived meanwhile.
_MARK_REQUEUED = Script("""
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
return redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
""")


@dataclass(frozen=True, slots=True)
class StalledDocument:
    """A document that has said nothing since ``since_ms``; ``tries``: how often it was sent on before."""

    key: str
    version: int
    lane: Lane
    since_ms: int
    tries: int


class OpenDocuments:
    """``partitions``: of the document topics. Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str, partitions: int) -> None:
        self._redis, self._prefix, self.partitions = redis, prefix, partitions

    async def apply(self, event: DocumentProgressed) -> None:
        """Take the news of one document into account."""
        await self.apply_many((event,))

    async def apply_many(self, events: Sequence[DocumentProgressed]) -> None:
        """The same for several, in one round trip."""
        calls = [self._progress_call(event) for event in events if event.data.version != NO_VERSION]
        if calls:
            await _UPDATE.run_many(self._redis, calls)

    async def find_silent(self, partition: int, lane: Lane, before_ms: int, limit: int) -> list[StalledDocument]:
        """Those that have said nothing since before that time, the longest silent first."""
        shard, tries = self._shard_key(partition, lane), self._tries_key(partition)
        rows = await self._redis.execute_command("ZRANGEBYSCORE", shard, "-inf", f"({before_ms}", "WITHSCORES", "LIMIT", 0, limit)
        found = [(member, int(score)) for member, score in _pairs(rows)]
        if not found:
            return []
        counts = await self._redis.execute_command("HMGET", tries, *(member for member, _ in found))
        silent = []
        for (member, since_ms), count in zip(found, counts, strict=True):
            version, _, key = member.decode().partition("/")
            silent.append(StalledDocument(key, int(version), lane, since_ms, int(count or 0)))
        return silent

    async def mark_requeued(self, document: StalledDocument, at: datetime) -> None:
        """It was sent on once more."""
        partition = self.partition_of(document.key)
        keys = (self._shard_key(partition, document.lane), self._tries_key(partition))
        await _MARK_REQUEUED(self._redis, keys, (_member(document.key, document.version), _ms(at), document.tries + 1))

    async def remove(self, key: str, version: int) -> None:
        """It is not on its way."""
        await _UPDATE(self._redis, *self._call(key, version, 0, "express"))

    async def count(self) -> int:
        """How many are on their way."""
        batch = self._redis.pipeline()
        for partition in range(self.partitions):
            for lane in LANES:
                batch.execute_command("ZCARD", self._shard_key(partition, lane))
        return sum(await batch.execute())

    def partition_of(self, key: str) -> int:
        """Where the records of a document lie, on every document topic."""
        return int(murmur2(key.encode()) & 0x7FFFFFFF) % self.partitions

    def _progress_call(self, event: DocumentProgressed) -> tuple[tuple[str, ...], tuple[Argument, ...]]:
        progress = event.data
        arrived = PERCENT[progress.state] == 100  # noqa: PLR2004
        return self._call(event.subject, progress.version, 0 if arrived else _ms(event.time), progress.lane)

    def _call(self, key: str, version: int, at_ms: int, lane: Lane) -> tuple[tuple[str, ...], tuple[Argument, ...]]:
        partition = self.partition_of(key)
        keys = (*(self._shard_key(partition, each) for each in LANES), self._tries_key(partition))
        return keys, (_member(key, version), at_ms, LANES.index(lane) + 1, SHARD_MAX)

    def _shard_key(self, partition: int, lane: Lane) -> str:
        return f"{self._prefix}:open:{{{partition}}}:{lane}"

    def _tries_key(self, partition: int) -> str:
        return f"{self._prefix}:open:{{{partition}}}:tries"


def _member(key: str, version: int) -> str:
    return f"{version}/{key}"


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _pairs(rows: Sequence[bytes]) -> list[tuple[bytes, float]]:
    return [(rows[n], float(rows[n + 1])) for n in range(0, len(rows), 2)]
