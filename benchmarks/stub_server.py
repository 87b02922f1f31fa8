"""A stub server on loopback: in a test's loop, or as a process until it is told to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import uvloop
from aiohttp import web


class Stub(Protocol):
    """What is served."""

    def application(self) -> web.Application: ...


@asynccontextmanager
async def serving(stub: Stub, port: int = 0) -> AsyncIterator[str]:
    """Serve on the running loop; yields the root, ``http://127.0.0.1:PORT``."""
    runner = web.AppRunner(stub.application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def run(stub: Stub, port: int, path: str = "") -> None:
    """Serve until SIGINT or SIGTERM; prints ``listening`` and the address with ``path``."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(stub, port, path))


async def _serve(stub: Stub, port: int, path: str) -> None:
    async with serving(stub, port) as root:
        print(f"listening {root}{path}", flush=True)
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await stop.wait()
