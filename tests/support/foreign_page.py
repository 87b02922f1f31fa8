"""A site of somebody else on this machine: one page, on an origin of its own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web


@dataclass
class ForeignSite:
    """``http://localhost:<port>``, where every path is the page ``html``."""

    origin: str = ""
    html: str = "<!doctype html><title>elsewhere</title>"


@asynccontextmanager
async def serve_page(headers: Mapping[str, str]) -> AsyncIterator[ForeignSite]:
    """The site until the block ends; its page is sent with these ``headers``."""
    page = ForeignSite()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=page.html, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        page.origin = f"http://localhost:{runner.addresses[0][1]}"
        yield page
    finally:
        await runner.cleanup()
