"""The servers that a restore writes into: those that the settings name, or the embedded ones of a stopped stack, started meanwhile."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from ops.stack import kafka, redis
from ops.stack.child import Component, ComponentProcess, StartFailed
from ops.stack.credentials import OTHERS
from ops.stack.plan import plan
from ops.stack.state import end_leftovers, hold
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import Settings

STOP_S = 30.0  # a broker that ends in good order writes down where its partitions begin


def are_embedded(settings: Settings) -> bool:
    """Whether a server is the stack's own."""
    return not (settings.kafka.bootstrap and settings.redis.url)


@asynccontextmanager
async def servers(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Settings]:
    """The settings with the addresses and credentials of the servers, which run until the block ends.

    Raises ConfigurationError when a stack runs in this CLAW_HOME, Unavailable when a server does not start.
    """
    if not are_embedded(settings):
        yield settings
        return
    os.umask(OTHERS)
    home = settings.node.home.absolute()
    with hold(home):
        end_leftovers(home)
        free = msgspec.structs.replace(settings, node=msgspec.structs.replace(settings.node, port=0))
        planned = plan(free, environ)
        async with AsyncExitStack() as running:
            if planned.redis:
                await _start(redis.prepare(planned.redis, environ), running)
            if planned.kafka:
                await _start(await asyncio.to_thread(kafka.prepare, planned.kafka, environ), running)
            yield planned.settings


async def _start(component: Component, running: AsyncExitStack) -> None:
    try:
        child = ComponentProcess(component)
    except OSError as error:
        raise ConfigurationError(f"cannot run {component.command[0]}: {error.strerror}") from error
    running.push_async_callback(child.stop, STOP_S)
    try:
        await child.wait_ready()
    except StartFailed as ended:
        raise Unavailable("internal_error", f"{ended}\n{ended.tail()}") from ended
