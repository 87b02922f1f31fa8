"""An embedding provider that a test tells what to answer."""

import asyncio
from typing import Any

from aiohttp import web


class Provider:
    """A server's ``/embeddings``: vectors of a text's length and place, or whatever the test wants it to answer."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.status, self.delay_s, self.dimensions, self.reply = 200, 0.0, 4, None

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.calls.append(body)
        self.headers.append(request.headers.get("Authorization", ""))
        await asyncio.sleep(self.delay_s)
        if self.status != 200:
            return web.json_response({"error": {"code": "x", "message": "no"}}, status=self.status)
        rows = [
            {"object": "embedding", "index": n, "embedding": [float(len(text))] * self.dimensions} for n, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
        reply = {"object": "list", "model": body["model"], "data": rows[::-1], "usage": usage}
        return web.json_response(self.reply or reply)
