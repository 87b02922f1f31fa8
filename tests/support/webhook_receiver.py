"""A receiver of webhooks on the loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier


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
