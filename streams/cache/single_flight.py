"""Single flight: the lease on an entry, renewed while its holder computes, and the wait of all other callers."""

import asyncio
from dataclasses import dataclass, field

import structlog

from adapters.redis.client import RedisClient
from schemas.errors import Unavailable
from streams.cache.entries import Marks
from streams.cache.names import Names
from streams.cache.scripts import RELEASE, RENEW

LEASE_S = 5.0  # a holder that crashed is replaced after this; renewed at a third of it
HOLD_S_MAX = 3_600.0  # the longest answer; a lease that is held longer was forgotten, and expires
POLL_S_MIN, POLL_S_MAX = 0.01, 0.2  # one watcher per process and entry looks at the lease of another process this often, growing

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class SingleFlightLease:
    """The right to store one entry; ``marks`` as they were when it was given."""

    names: Names
    key: str
    token: str
    marks: Marks
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    until_s: float = 0.0  # of the event loop's clock: not renewed any more from then on

    @property
    def name(self) -> str:
        return self.names.lease(self.key)


class SingleFlightLeases:
    """The leases this process holds, and those it waits for."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._held: dict[str, SingleFlightLease] = {}  # by token
        self._watches: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._renewer: asyncio.Task[None] | None = None

    def hold(self, lease: SingleFlightLease) -> None:
        """Renew it until it is given up."""
        self._held[lease.token] = lease
        lease.until_s = asyncio.get_running_loop().time() + HOLD_S_MAX
        if self._renewer is None or self._renewer.done():
            self._renewer = asyncio.create_task(self._renew(), name="cache-lease-renewer")

    def finish(self, lease: SingleFlightLease) -> None:
        """It was used or given up: callers that wait in this process look again."""
        self._held.pop(lease.token, None)
        lease.ended.set()

    async def release(self, lease: SingleFlightLease, *, alone_s: float = 0.0) -> None:
        """Give it up without storing. ``alone_s``: for so long callers do not wait for another holder, and each computes alone."""
        if lease.ended.is_set():
            return
        try:
            await RELEASE(self._redis, (lease.name,), (lease.token, int(alone_s * 1000)))
        except Unavailable:
            log.info("cache_lease_runs_out", lease=lease.name)
        finally:
            self.finish(lease)

    async def wait_for_end(self, name: str, holder: str, wait_s: float) -> None:
        """Returns when the holder has given the lease up, or lost it, or after ``wait_s``."""
        place = (name, holder)
        watch = self._watches.get(place)
        if watch is None:
            watch = self._watches[place] = asyncio.create_task(self._watch(name, holder), name="cache-lease-watch")
            watch.add_done_callback(lambda _: self._watches.pop(place, None))
        await asyncio.wait({watch}, timeout=max(0.0, wait_s))

    async def stop(self) -> None:
        """End the background tasks; leases that are still held expire."""
        running = [task for task in (self._renewer, *self._watches.values()) if task is not None]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _renew(self) -> None:
        while self._held:
            await asyncio.sleep(LEASE_S / 3)
            now_s = asyncio.get_running_loop().time()
            held = [lease for lease in self._held.values() if lease.until_s > now_s]
            try:
                await RENEW.run_many(self._redis, [((lease.name,), (lease.token, int(LEASE_S * 1000))) for lease in held])
            except Unavailable:
                continue  # what ran out meanwhile stores nothing

    async def _watch(self, name: str, holder: str) -> None:
        own = self._held.get(holder)
        if own is not None:
            await own.ended.wait()
            return
        pause_s = POLL_S_MIN
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, POLL_S_MAX)
            try:
                lease: bytes | None = await self._redis.execute_command("GET", name)
            except Unavailable:
                return
            if lease is None or not lease.startswith(holder.encode()):
                return
