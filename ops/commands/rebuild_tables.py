"""``claw rebuild tables``: rebuilds the tables in Redis from the log while the installation serves.

State that exists only in Redis is not restored; docs/operations.md describes the effects of its loss.
"""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from adapters.redis.client import connect
from domain.areas import rebuilds
from domain.read_models import ReadModels
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams.log.reader import open_log_reader
from streams.tables.rebuild import RebuildPorts


async def run(settings: Settings, names: Sequence[str]) -> int:
    """Rebuild these tables, or all when none is named, and print the result of each. Raises ConfigurationError for an unknown one."""
    tables = rebuilds()
    unknown = sorted(set(names) - tables.keys())
    if unknown:
        raise ConfigurationError(f"--table: there is no table {', '.join(unknown)}: the tables are {', '.join(tables)}")
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        await redis.execute_command("PING")
        reader = await stack.enter_async_context(open_log_reader(settings.kafka))
        ports = RebuildPorts(settings, redis, reader, ReadModels(redis, settings.redis.key_prefix))
        for name in names or tables:
            began = time.monotonic()
            done = await tables[name](ports)
            skipped = f", {done.unreadable} unreadable" if done.unreadable else ""
            erased = f", {done.erased} of deleted conversations erased from the log" if done.erased else ""
            print(f"{name}: {done.events} events{skipped}{erased}, {time.monotonic() - began:.1f} s", flush=True)
    return 0
