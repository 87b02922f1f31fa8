"""A stack seen from outside: ``claw up`` as a process of its own, and a client that knows only HTTP.

The demo, the benchmarks and the system tests use it, so that what they show is what a stranger would see.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

PROJECT = Path(__file__).resolve().parent.parent
START_S_MAX = 240.0  # a first start resolves Kafka's jars and formats the log
STOP_S_MAX = 15.0


@dataclass(frozen=True, slots=True)
class ReadyProcess:
    """A process that said it is ready: ``said`` is the rest of that line."""

    process: asyncio.subprocess.Process
    said: str


@asynccontextmanager
async def launch(command: list[str], word: str, environment: Mapping[str, str], *, show: bool = False) -> AsyncIterator[ReadyProcess]:
    """Run a command until the block ends; enters when it prints a line that begins with ``word``. SystemExit when it ends before."""
    quiet = None if show else asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, env=dict(environment), cwd=PROJECT, stdout=asyncio.subprocess.PIPE, stderr=quiet, start_new_session=True
    )
    reading: asyncio.Task[str] | None = None
    try:
        async with asyncio.timeout(START_S_MAX):
            said = await _read_until(process, word, show=show)
        reading = asyncio.create_task(_read_until(process, "", show=show))
        yield ReadyProcess(process, said)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_S_MAX):
                await process.wait()
        if reading is not None:
            await reading


async def _read_until(process: asyncio.subprocess.Process, word: str, *, show: bool) -> str:
    """Up to the line that begins with ``word``, or all of it."""
    assert process.stdout is not None
    async for raw in process.stdout:
        line = raw.decode(errors="replace").rstrip()
        if show:
            print(f"  {line}", flush=True)
        if word and line.startswith(word):
            return line.removeprefix(word).strip()
    if word:
        raise SystemExit(f"claw: the process ended with status {await process.wait()} before it was ready")
    return ""


@asynccontextmanager
async def stack(home: Path, settings: Mapping[str, str], *, show: bool = False) -> AsyncIterator[ReadyProcess]:
    """``claw up`` in ``home`` on free ports; ``settings`` are CLAW_* variables. ``said`` is the URL."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLAW_")}
    environment |= {"CLAW_HOME": str(home), "CLAW_PORT": "0", "CLAW_KAFKA_PORT": "0", "CLAW_REDIS_PORT": "0"} | dict(settings)
    async with launch([sys.executable, "-m", "ops.cli", "up"], "ready ", environment, show=show) as up:
        yield up


@dataclass(frozen=True, slots=True)
class StackClient:
    """A user of a running stack and the knowledge base that everyone begins with."""

    session: aiohttp.ClientSession
    headers: Mapping[str, str]
    knowledge_base: str

    @classmethod
    async def register(cls, session: aiohttp.ClientSession, email: str, password: str) -> "StackClient":
        """A new user with a tenant of their own."""
        body = {"email": email, "password": password}
        await _json(session.post("/api/v1/auth/register", json=body))
        token = (await _json(session.post("/api/v1/auth/login", json=body)))["access_token"]
        return await cls.with_token(session, token)

    @classmethod
    async def with_token(cls, session: aiohttp.ClientSession, token: str) -> "StackClient":
        """Whoever an access token or an API key belongs to."""
        headers = {"Authorization": f"Bearer {token}"}
        page = await _json(session.get("/api/v1/knowledge?limit=100", headers=headers))  # the newest first
        return cls(session, headers, page["items"][-1]["id"])

    @property
    def documents(self) -> str:
        """Path of the documents of the first knowledge base."""
        return f"/api/v1/knowledge/{self.knowledge_base}/documents"

    async def submit(self, document: str, text: str, *, title: str = "", media_type: str = "text/plain") -> dict[str, Any]:
        """Submit or replace a document."""
        body = {"document_id": document, "title": title or document, "text": text, "media_type": media_type}
        return await _json(self.session.post(self.documents, json=body, headers=self.headers))

    async def document(self, document: str) -> dict[str, Any]:
        """Its state; empty when there is none."""
        async with self.session.get(f"{self.documents}/{document}", headers=self.headers) as answer:
            return dict(await answer.json()) if answer.ok else {}

    async def wait_indexed(
        self, document: str, *, version: int | None = None, poll_s: float = 0.02, timeout_s: float = 60.0
    ) -> dict[str, Any]:
        """Wait until a document (that version of it, when given) is searchable; SystemExit when it fails."""
        async with asyncio.timeout(timeout_s):
            while True:
                state = await self.document(document)
                if state.get("state") == "failed":
                    raise SystemExit(f"claw: document {document} failed: {state}")
                if state.get("state") == "indexed" and (version is None or state["version"] >= version):
                    return state
                await asyncio.sleep(poll_s)

    async def create_conversation(self) -> str:
        """A new conversation over everything the user can see."""
        return str((await _json(self.session.post("/api/v1/conversations", json={}, headers=self.headers)))["id"])

    @asynccontextmanager
    async def ask(self, conversation: str, question: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, and read the answer as an event stream."""
        async with self.session.post(
            f"/api/v1/conversations/{conversation}/messages",
            json={"content": question},
            headers={**self.headers, "Accept": "text/event-stream"},
        ) as answer:
            await _raise(answer)
            yield answer


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event."""

    id: str
    name: str
    data: dict[str, Any]


async def events(stream: aiohttp.StreamReader) -> AsyncIterator[ServerEvent]:
    """Every event of a stream; comments are passed over."""
    ident, name, data = "", "message", b""
    async for raw in stream:
        line = raw.rstrip(b"\r\n")
        if line.startswith(b"id:"):
            ident = line[3:].strip().decode()
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode()
        elif line.startswith(b"data:"):
            data += line[5:].strip()
        elif not line and data:
            yield ServerEvent(ident, name, msgspec.json.decode(data))
            name, data = "message", b""


async def _json(request: Any) -> dict[str, Any]:
    async with request as answer:
        await _raise(answer)
        return dict(await answer.json())


async def _raise(answer: aiohttp.ClientResponse) -> None:
    if not answer.ok:
        raise SystemExit(f"claw: {answer.method} {answer.url.path} answered {answer.status}: {(await answer.text())[:500]}")
