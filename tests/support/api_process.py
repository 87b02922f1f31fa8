"""A whole API process in the test's own event loop, on a real socket, and clients of it."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import uvicorn
from litestar import Litestar

from api.app import create_app
from api.area import OpenPorts, ports_of
from api.core import Core
from domain.areas import TOPICS
from ops.processes.api import configuration
from schemas.settings import LimitSettings, Settings

PASSWORD = "correct horse battery"
STREAM_S_MAX = 10.0


@dataclass(frozen=True)
class House:
    """A running application; ``client`` carries no credential."""

    app: Litestar
    client: httpx.AsyncClient
    settings: Settings
    server: uvicorn.Server

    @property
    def ports(self) -> OpenPorts:
        """The ports of the process by type: ``house.ports(ChatPorts)``."""
        return ports_of(self.app)

    async def person(self) -> "Person":
        """Somebody new with a tenant of their own."""
        body = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, "name": "Ada"}
        answer = await self.client.post("/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        return Person(self, answer.json()["access_token"], answer.json()["user"], body["email"])


@dataclass(frozen=True)
class Person:
    house: House
    token: str
    user: dict[str, Any]
    email: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    @property
    def base(self) -> str:
        return str(self.user["default_knowledge_base_id"])

    async def call(self, method: str, path: str, headers: dict[str, str] | None = None, **rest: Any) -> httpx.Response:
        return await self.house.client.request(method, f"/api/v1{path}", headers=self.headers | (headers or {}), **rest)

    async def conversation(self, **body: Any) -> str:
        answer = await self.call("POST", "/conversations", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


async def read_metrics(house: House) -> str:
    """What Prometheus scrapes of the process."""
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{house.app.state.metrics_port}/metrics")).text


async def lose(house: House, *patterns: str) -> None:
    """Redis loses the keys of these patterns, such as ``idempotency:*``: what is remembered of requests with an Idempotency-Key."""
    redis, prefix = house.ports(Core).redis, house.settings.redis.key_prefix
    for pattern in patterns:
        for key in await redis.execute_command("KEYS", f"{prefix}:{pattern}"):
            await redis.execute_command("DEL", key)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[House]:
    """Serve until the block ends."""
    app = create_app(settings)
    config = configuration(app, msgspec.structs.replace(settings, node=msgspec.structs.replace(settings.node, port=0)))
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not serving.done(), serving.result()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield House(app, client, settings, server)
    finally:
        server.should_exit = True
        await serving


@dataclass(frozen=True)
class Sent:
    id: str
    event: str
    data: dict[str, Any]


async def events(answer: httpx.Response) -> AsyncIterator[Sent]:
    """The events of a stream, comments left out."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line.startswith(":"):
            continue
        if not line:
            if "data" in fields:
                yield Sent(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}
            continue
        name, _, value = line.partition(": ")
        fields[name] = value


async def collected(answer: httpx.Response) -> list[Sent]:
    """All events up to the end of the stream."""
    async with asyncio.timeout(STREAM_S_MAX):
        return [sent async for sent in events(answer)]


WANTED = TOPICS


def with_limits(settings: Settings, **limits: object) -> Settings:
    """The same installation with limits of its own in Redis."""
    redis = msgspec.structs.replace(settings.redis, key_prefix=f"t{uuid.uuid4().hex[:10]}")
    return msgspec.structs.replace(settings, redis=redis, limits=LimitSettings(**limits))  # type: ignore[arg-type]
