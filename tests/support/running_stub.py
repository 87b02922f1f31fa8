"""The stub provider on a free port of the test's own loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from msgspec import Struct

from benchmarks.stub_provider import StubProvider
from benchmarks.stub_server import serving
from tests.support.model_samples import KEY


class Running(Struct):
    """A stub that listens at ``root``; ``provider.stats`` is what it counts."""

    root: str
    provider: StubProvider

    async def shown(self) -> dict[str, Any]:
        """Its stats as an outsider reads them."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.root}/stats") as response:
            shown: dict[str, Any] = json.loads(await response.read())
            return shown


async def eventually(condition: Callable[[], bool]) -> None:
    """Within a second."""
    async with asyncio.timeout(1):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def run_stub() -> AsyncIterator[Running]:
    """A stub until the block ends."""
    provider = StubProvider(key=KEY)
    async with serving(provider) as root:
        yield Running(root, provider)
