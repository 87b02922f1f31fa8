"""Shared by benchmarks of Redis: a server of their own, and calls per second of many callers."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ops.stack import redis
from ops.stack.child import ComponentProcess
from ops.stack.ports import claim
from schemas.settings import RedisSettings

CALLERS = 64

Call = Callable[[int], Awaitable[object]]


@asynccontextmanager
async def own_redis() -> AsyncIterator[RedisSettings]:
    """Settings for a Redis that nobody else uses; it takes every command, those of other libraries and of measuring too."""
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as folder:
        port = claim("redis", 0, set())
        node = redis.RedisNode(Path(folder) / "redis", Path(folder) / "redis.log", port, commands=("@all",))
        child = ComponentProcess(redis.prepare(node, os.environ))
        try:
            await child.wait_ready()
            yield node.settings()
        finally:
            await child.stop()


async def rate(call: Call, count: int) -> float:
    """Calls a second of ``count`` from 64 callers; each is given its number."""
    numbers = iter(range(count))

    async def caller() -> None:
        for n in numbers:
            await call(n)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())
    return count / (time.perf_counter() - began)
