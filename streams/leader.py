"""Rounds of work that one process of several does at a time: whoever holds a lease in Redis."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from adapters.redis.client import RedisClient
from adapters.redis.lease import release_lease, take_lease
from schemas.errors import ClawError, Unavailable

log = structlog.get_logger(__name__)


class LeaderLoop:
    """``work`` is one round, and returns the seconds until the next; a round that lasts longer than ``lease_s`` is cut off.

    ``every_s``: before the first round, and between two looks whether the lease is free. After a failure, which is logged as
    ``<name>_put_off``, the next round comes after ``retry_s``.
    """

    def __init__(
        self,
        redis: RedisClient,
        lease: str,
        work: Callable[[], Awaitable[float]],
        *,
        name: str,
        holder: str,
        lease_s: float,
        every_s: float,
        retry_s: float,
    ) -> None:
        self._redis, self._lease, self._work, self._name, self._holder = redis, lease, work, name, holder
        self._put_off, self._ended = f"{name}_put_off", f"{name}_ended"  # events of the log
        self._lease_s, self._every_s, self._retry_s = lease_s, every_s, retry_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._run(), name=self._name)
        self._task.add_done_callback(self._log_end)

    async def stop(self) -> None:
        """Stop, and let another process take over at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None
            with contextlib.suppress(Unavailable):  # then it expires by itself
                await release_lease(self._redis, self._lease, self._holder)

    async def _run(self) -> None:
        pause_s = self._every_s
        while True:
            await asyncio.sleep(pause_s)
            pause_s = self._every_s
            try:
                if await take_lease(self._redis, self._lease, self._holder, self._lease_s) == self._holder:
                    async with asyncio.timeout(self._lease_s):
                        pause_s = await self._work()
            except (ClawError, TimeoutError) as error:
                log.warning(self._put_off, error=f"{type(error).__name__}: {error}")
                pause_s = self._retry_s

    def _log_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error(self._ended, exc_info=error)
