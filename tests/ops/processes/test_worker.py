"""A worker process: what it waits for before it works."""

import asyncio

import pytest

from ops.processes import worker
from schemas.errors import ConfigurationError


async def test_a_request_to_stop_ends_the_wait_for_configuration() -> None:
    """A broker that does not answer keeps no worker from stopping."""
    stop, work = asyncio.Event(), asyncio.ensure_future(asyncio.sleep(60))
    waiting = asyncio.ensure_future(worker._wait_unless_stopped(work, stop))
    await asyncio.sleep(0)
    assert not waiting.done()
    stop.set()
    async with asyncio.timeout(5):
        await waiting
    assert work.cancelled()


async def test_what_fails_before_that_is_raised() -> None:
    async def fail() -> None:
        raise ConfigurationError("no")

    with pytest.raises(ConfigurationError):
        await worker._wait_unless_stopped(asyncio.ensure_future(fail()), asyncio.Event())
