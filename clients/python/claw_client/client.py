"""One user of a running server, and the default knowledge base of their tenant."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from claw_client.errors import DocumentFailed, check_answer


@dataclass(frozen=True, slots=True)
class Client:
    """A user of a running server. ``session`` has the server's URL as its base; ``headers`` carry the credential."""

    session: aiohttp.ClientSession
    headers: Mapping[str, str]
    knowledge_base: str

    @classmethod
    async def register(cls, session: aiohttp.ClientSession, email: str, password: str) -> "Client":
        """A new user with a tenant of their own. Raises ApiError."""
        body = {"email": email, "password": password}
        await _read_json(session.post("/api/v1/auth/register", json=body))
        token = (await _read_json(session.post("/api/v1/auth/login", json=body)))["access_token"]
        return await cls.with_token(session, token)

    @classmethod
    async def with_token(cls, session: aiohttp.ClientSession, token: str) -> "Client":
        """The user that an access token or an API key belongs to, with the default knowledge base of their tenant. Raises ApiError."""
        headers = {"Authorization": f"Bearer {token}"}
        user = await _read_json(session.get("/api/v1/users/me", headers=headers))
        return cls(session, headers, user["default_knowledge_base_id"])

    @property
    def documents(self) -> str:
        """Path of the documents of the knowledge base."""
        return f"/api/v1/knowledge/{self.knowledge_base}/documents"

    async def submit(self, document: str, text: str, *, title: str = "", media_type: str = "text/plain") -> dict[str, Any]:
        """Submit or replace a document. Raises ApiError."""
        body = {"document_id": document, "title": title or document, "text": text, "media_type": media_type}
        return await _read_json(self.session.post(self.documents, json=body, headers=self.headers))

    async def document(self, document: str) -> dict[str, Any]:
        """The state of a document; empty when there is none."""
        async with self.session.get(f"{self.documents}/{document}", headers=self.headers) as answer:
            return dict(await answer.json()) if answer.ok else {}

    async def wait_indexed(
        self, document: str, *, version: int | None = None, poll_s: float = 0.02, timeout_s: float = 60.0
    ) -> dict[str, Any]:
        """Wait until a document, in that version of it when given, is searchable. Raises DocumentFailed, and TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                state = await self.document(document)
                if state.get("state") == "failed":
                    raise DocumentFailed(document, state)
                if state.get("state") == "indexed" and (version is None or state["version"] >= version):
                    return state
                await asyncio.sleep(poll_s)

    async def refused_records(self, *, limit: int = 20, cursor: str = "", code: str = "") -> dict[str, Any]:
        """A page of the records of the tenant's inbox that were refused, the newest first: ``items`` and ``next_cursor``, None at the end.

        ``code``: only those with this error code. Raises ApiError.
        """
        query = {"limit": str(limit), "cursor": cursor, "code": code}
        return await _read_json(self.session.get("/api/v1/inbox/refusals", params=query, headers=self.headers))

    async def create_conversation(self, *, mode: str = "", model: str = "") -> str:
        """The id of a new conversation over everything the user can see. Raises ApiError.

        ``mode``: ``grounded`` or ``assistant``; "" for that of the API key, else ``grounded``. ``model``: the one that is asked first, a
        name from ``GET /models``; "" for the installation's default.
        """
        body = {name: value for name, value in (("mode", mode), ("model", model)) if value}
        return str((await _read_json(self.session.post("/api/v1/conversations", json=body, headers=self.headers)))["id"])

    @asynccontextmanager
    async def ask(
        self, conversation: str, question: str, *, mode: str = "", model: str = "", show_thinking: bool | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask a question; the answer's ``content`` is an event stream. ``mode`` and ``model`` "": the conversation's. ``show_thinking``:
        whether what the model thinks is streamed, None: as the installation has it. Raises ApiError.
        """
        body = {"content": question} | {name: value for name, value in (("mode", mode), ("model", model)) if value}
        async with self.session.post(
            f"/api/v1/conversations/{conversation}/messages",
            json=body if show_thinking is None else body | {"show_thinking": show_thinking},
            headers={**self.headers, "Accept": "text/event-stream"},
        ) as answer:
            await check_answer(answer)
            yield answer


@asynccontextmanager
async def connect(url: str, *, token: str, timeout_s: float = 300.0) -> AsyncIterator[Client]:
    """A client of the server at ``url``, until the block ends; ``timeout_s`` is for one whole request."""
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=timeout_s)) as session:
        yield await Client.with_token(session, token)


async def _read_json(request: Any) -> dict[str, Any]:
    async with request as answer:
        await check_answer(answer)
        return dict(await answer.json())
