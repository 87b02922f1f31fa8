"""An embedding provider that a test tells what to answer."""

import pytest
from aiohttp import web

from tests.support.embedding_provider import Provider


@pytest.fixture
async def provider():
    made = Provider()
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/v1/embeddings", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield made
    await runner.cleanup()
