"""People who search a knowledge base all the time, and what they and an operator see of its index."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from claw_client import Client

FILLER = "The archive of the island keeps the ledgers of its harbours, mills and lighthouses since the year the dike was built. "


def text(name: str, edition: int = 1) -> str:
    """Some 500 tokens: one or two chunks as the settings say, several of the rebuilt ones."""
    return "\n\n".join(f"Sheet {n} about the {name}, edition {edition}. {FILLER * 3}" for n in range(6))


@dataclass
class Readers:
    """People who search all the time; ``misses`` are searches that did not find their document, or found two versions of one."""

    client: Client
    names: list[str]
    searches: int = 0
    misses: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def reading(self, count: int = 3) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for first in range(count):
                group.create_task(self._read(first, stop))
            try:
                yield
            finally:
                stop.set()

    async def _read(self, first: int, stop: asyncio.Event) -> None:
        at = first
        while not stop.is_set():
            name = self.names[at % len(self.names)]
            found = await search(self.client, f"sheet about the {name}")
            versions = {each["version"] for each in found if each["document_id"] == name}
            if len(versions) != 1:
                self.misses.append(f"{name}: {versions or [each['document_id'] for each in found]}")
            self.searches += 1
            at += 1


async def search(client: Client, query: str) -> list[dict[str, Any]]:
    body = {"query": query, "limit": 10}
    async with client.session.post(f"/api/v1/knowledge/{client.knowledge_base}/search", json=body, headers=client.headers) as answer:
        assert answer.status == 200, await answer.text()
        passages: list[dict[str, Any]] = (await answer.json())["passages"]
        return passages


async def index(client: Client, method: str = "GET", path: str = "", **body: Any) -> dict[str, Any]:
    url = f"/api/v1/knowledge/{client.knowledge_base}/index{path}"
    async with client.session.request(method, url, json=body if path == "/rebuild" else None, headers=client.headers) as answer:
        assert answer.ok, await answer.text()
        return dict(await answer.json())


async def until(client: Client, condition: Callable[[dict[str, Any]], bool], timeout_s: float = 90.0) -> dict[str, Any]:
    async with asyncio.timeout(timeout_s):
        while not condition(seen := await index(client)):
            await asyncio.sleep(0.3)
    return seen
