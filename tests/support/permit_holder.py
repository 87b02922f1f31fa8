"""A process that holds permits: ``python -m tests.support.permit_holder PREFIX LIMIT HELD LEASE_S``, with CLAW_REDIS_*; says ``held``, and
``lost`` once per permit that it lost."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack

import structlog

from adapters.concurrency.cluster import ClusterLimit
from adapters.concurrency.port import Priority
from adapters.redis.client import connect
from schemas.settings import Settings


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(prefix: str, limit: int, held: int, lease_s: float) -> None:
    gate = ClusterLimit(
        connect(Settings.from_env(os.environ).redis), prefix=prefix, name="g", label="g", limit=limit, workers=1, lease_s=lease_s
    )
    async with AsyncExitStack() as permits:
        for _ in range(held):
            permit = await permits.enter_async_context(gate.permit(Priority.PEOPLE, 5))
            permit.on_lost(lambda: say("lost"))
        say("held")
        await asyncio.Event().wait()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
