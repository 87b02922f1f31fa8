"""The epoch of the tables: what tells a record that never was from tables that are lost.

When the tables of an installation are built, a random id is written to the log and to Redis. As long as both have the same one, what
Redis does not have was never there. A Redis without it (emptied, replaced, failed over to another one), or with another one, has lost the
tables: it must not be believed, so every process treats it like a Redis that is down, with a code of its own, until the tables are built
again.

A Redis that went back in time (an older snapshot or append-only file, a replica that lagged behind) still has the id. Beside it lies a
beat that every process raises once a second; whoever is given a lower one than before removes the id. What was written since the last
beat of any process is not covered by it. A loss while no process ran is found by the marks of counters (``domain/table_rebuild.py``).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

import structlog

from adapters.redis.client import RedisClient, Script
from schemas.errors import TABLES_LOST, Unavailable

CHECK_S = 1.0  # between two looks at the epoch
START_S_MAX = 5.0  # a start waits this long for Redis and the log
REMEDY = "run `claw rebuild tables --all`, unless the rebuild starts by itself (CLAW_REDIS_REBUILD)"

State = Literal["unknown", "whole", "lost"]

log = structlog.get_logger(__name__)

# KEYS epoch, beat; ARGV the epoch that is expected, the last beat that the caller was given. Replies {epoch, beat}; without an epoch when
# Redis went back in time.
_BEAT = Script("""
local epoch = redis.call('GET', KEYS[1]) or ''
if epoch ~= ARGV[1] then return {epoch, 0} end
local beat = redis.call('INCR', KEYS[2])
if beat <= tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[1])
  return {'', beat}
end
return {epoch, beat}
""")
# KEYS epoch; ARGV epoch. Replies the epoch that is there now.
_BEGIN = Script("""
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
""")
# KEYS lease of the rebuild, epoch; ARGV holder of the lease, epoch. Replies 0 when the lease is not the holder's: what was built is lost.
_RENEW = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
""")


class EpochLog(Protocol):
    """The epoch on the log. Raises Unavailable("kafka_unavailable")."""

    async def read(self) -> str:
        """The newest epoch; "" for an installation that has none yet."""
        ...

    async def write(self, epoch: str) -> None:
        """The tables of this epoch are those that count."""
        ...


class StoredEpoch:
    """The epoch in Redis. Methods raise Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis = redis
        self.key = f"{prefix}:{{tables}}:epoch"
        self.lease = f"{prefix}:{{tables}}:rebuild"  # of whoever rebuilds all tables
        self._beat_key = f"{prefix}:{{tables}}:beat"

    async def read(self) -> str:
        """The epoch of the tables that are there; "" without one."""
        return (await self._redis.execute_command("GET", self.key) or b"").decode(errors="replace")

    async def beat(self, epoch: str, last: int) -> tuple[str, int]:
        """The epoch, and the next beat if it is still ``epoch``; removes it when the beats went back below ``last``."""
        found, beat = await _BEAT(self._redis, (self.key, self._beat_key), (epoch, last))
        return found.decode(errors="replace"), int(beat)

    async def begin(self, epoch: str) -> str:
        """Store the first epoch of an installation; returns the one of whoever was first."""
        stored: bytes = await _BEGIN(self._redis, (self.key,), (epoch,))
        return stored.decode(errors="replace")

    async def discard(self) -> None:
        """The tables that are there are not those of the log: whoever looks finds them lost."""
        await self._redis.execute_command("DEL", self.key)

    async def renew(self, epoch: str, holder: str) -> bool:
        """Store the epoch of tables that ``holder`` of the lease has built; False when it has lost the lease."""
        return bool(await _RENEW(self._redis, (self.lease, self.key), (holder, epoch)))


class TableWatch:
    """Watches the epoch in one process, and holds back the calls of ``guarded`` while the tables are lost.

    ``own`` is a client of the watch alone. While Redis or the log is away nothing changes; a process that could never ask the log believes
    a Redis that has an epoch, and no other.
    """

    def __init__(self, guarded: RedisClient, own: RedisClient, prefix: str, recorded: EpochLog, make_epoch: Callable[[], str]) -> None:
        self._guarded, self._own, self._recorded, self._make_epoch = guarded, own, recorded, make_epoch
        self.stored = StoredEpoch(own, prefix)
        self._state: State = "unknown"
        self._epoch, self._beat = "", 0
        self._refused = ""  # the epoch that Redis has and the log has not
        self._doubt, self._looked, self._changed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        guarded.absence_check = self.confirm

    @property
    def state(self) -> State:
        """``unknown`` until the log was asked once."""
        return self._state

    async def start(self) -> None:
        """Compare Redis with the log once, for at most START_S_MAX; then watch."""
        self._task = asyncio.create_task(self._watch(), name="table-watch")
        with suppress(TimeoutError):
            async with asyncio.timeout(START_S_MAX):
                await self._looked.wait()

    async def stop(self) -> None:
        """Stop watching, and close the client of the watch."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None
        await self._own.aclose()

    async def wait_for(self, state: State) -> None:
        """Returns as soon as the state is this one."""
        while self._state != state:
            self._changed.clear()
            await self._changed.wait()

    async def confirm(self) -> None:
        """What is absent was never there; raises Unavailable("tables_lost") when that cannot be believed."""
        found = ((await self._guarded.execute_command("GET", self.stored.key)) or b"").decode(errors="replace")
        if found and found == (self._epoch or found):
            return
        if found and self._state == "whole" and await self._is_rebuilt(found):
            return
        if not found and self._state == "unknown" and await self._is_begun():
            return
        if not found and self._state == "whole":
            self._lose("Redis has no tables", found)
        self._doubt.set()
        raise Unavailable(TABLES_LOST, retry_after_s=CHECK_S)

    async def _is_rebuilt(self, epoch: str) -> bool:
        """Whether this new epoch is the log's, too: a rebuild has just ended."""
        await self._look(lambda: self._epoch == epoch or self._state != "whole")
        return self._epoch == epoch and self._state == "whole"

    async def _is_begun(self) -> bool:
        """Whether this process has only just started, and could not look yet."""
        await self._look(lambda: self._state != "unknown")
        return self._state == "whole"

    async def _look(self, is_known: Callable[[], bool]) -> None:
        """Wait for the watch's looks until one tells, for at most CHECK_S."""
        self._doubt.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_S):
                while not is_known():
                    self._changed.clear()
                    await self._changed.wait()

    async def check(self) -> State:
        """One look; raises Unavailable when Redis or the log is away."""
        if self._state == "whole":
            found, beat = await self.stored.beat(self._epoch, self._beat)
            if found == self._epoch:
                self._beat = beat
                return self._state
            if not found:
                self._lose(f"Redis went back in time, from beat {self._beat} to {beat}" if beat else "Redis has no tables", found)
                return self._state
        await self._compare()
        return self._state

    async def _compare(self) -> None:
        found = await self.stored.read()
        if self._state == "lost" and found == self._refused:
            return  # nothing new, so the log need not be asked
        try:
            recorded = await self._recorded.read()
            if not recorded:  # an installation that is new, or older than epochs
                found = recorded = await self.stored.begin(found or self._make_epoch())
                await self._recorded.write(recorded)
                log.info("table_epoch_begun", epoch=recorded)
        except Unavailable as error:
            if self._state != "unknown":
                self._hold(TABLES_LOST)  # another epoch than before is doubtful, until the log can be asked
            elif not found:
                self._hold(error.code)
            raise
        if found == recorded:
            self._accept(found)
        else:
            self._lose("Redis has tables that the log does not know" if found else "Redis has no tables", found)

    def _accept(self, epoch: str) -> None:
        if self._state == "lost":
            log.info("tables_whole", epoch=epoch)
        self._state, self._epoch, self._beat = "whole", epoch, 0
        self._hold("")

    def _lose(self, reason: str, found: str) -> None:
        if self._state != "lost":
            log.error("tables_lost", reason=reason, remedy=REMEDY)
        self._state, self._refused = "lost", found
        self._hold(TABLES_LOST)

    def _hold(self, code: str) -> None:
        """Refuse the calls of the guarded client with this code; "" lets them through."""
        self._changed.set()
        self._guarded.breaker.held = code

    async def _watch(self) -> None:
        while True:
            try:
                await self.check()
            except Unavailable as error:
                log.debug("table_epoch_unknown", error=str(error))
            self._looked.set()
            self._doubt.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._doubt.wait()
