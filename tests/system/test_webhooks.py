"""A webhook of the whole stack: signed messages on the loopback, in order of the schedule, also when the worker dies in between."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier

from claw_client import Client


class Receiver:
    """A receiver with the answers that a test sets; every message is verified before it is counted."""

    def __init__(self) -> None:
        self.secret, self.status, self.url = "", 503, ""
        self.tried: list[str] = []
        self.accepted: list[dict[str, Any]] = []

    async def serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        message: dict[str, Any] = Verifier(self.secret).verify(body, dict(request.headers))
        self.tried.append(request.headers["webhook-id"])
        if self.status == 204:
            self.accepted.append(message)
        return web.Response(status=self.status)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    receiver.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/hook"  # type: ignore[attr-defined]
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def until(condition: Any, timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.timeout(180)
async def test_a_webhook_survives_its_worker(up, client: Client):
    """The receiver is down at first, and the worker is killed before the second attempt: one message arrives, once."""
    session, headers = client.session, client.headers
    async with receiving() as receiver:
        body = {"url": receiver.url, "event_types": ["document.indexed"]}
        async with session.post("/api/v1/webhooks", json=body, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            webhook = await answer.json()
        receiver.secret = webhook["secret"]
        async with session.put(f"{client.documents}/handbook", json={"title": "Leave", "text": "25 days."}, headers=headers) as answer:
            assert answer.status == 202, await answer.text()
        await until(lambda: receiver.tried)
        worker = up.process("documents")
        os.kill(worker.pid, signal.SIGKILL)
        receiver.status = 204
        await up.restarted("documents", worker)
        await until(lambda: receiver.accepted)
        await asyncio.sleep(2)
        (message,) = receiver.accepted
        assert (message["type"], message["data"]["document_id"], message["data"]["title"]) == ("document.indexed", "handbook", "Leave")
        assert len(set(receiver.tried)) == 1, "every attempt has the same webhook-id"
        deliveries = f"/api/v1/webhooks/{webhook['id']}/deliveries"
        async with session.get(deliveries, headers=headers) as answer:
            (shown,) = (await answer.json())["items"]
        assert (shown["state"], shown["attempts"][0]["status"], shown["attempts"][-1]["status"]) == ("delivered", 503, 204)
        async with session.get("/api/v1/notices", headers=headers) as answer:
            kinds = [each["kind"] for each in (await answer.json())["items"]]
        assert kinds == ["document.indexed"]
