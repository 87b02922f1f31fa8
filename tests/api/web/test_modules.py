"""The tests of modules, which lie beside them, in a real browser under the policy of the pages."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from api.web.shell import POLICY
from api.web.static_files import FILES, StaticFiles
from tests.support.browser import NEEDS_CHROMIUM, open_browser, visit

URL = "http://modules.localhost"  # browsers trust it like a site with TLS
TESTS = sorted(path.relative_to(FILES).as_posix() for path in FILES.rglob("*.test.js"))
TESTING = (Path(__file__).parent / "modules" / "testing.js").read_bytes()

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_CHROMIUM]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@pytest.mark.parametrize("name", TESTS)
async def test_module(browser: Browser, name: str) -> None:
    files = StaticFiles(tests=True)

    async def serve(route: Route) -> None:
        path = route.request.url.removeprefix(f"{URL}/")
        file = files.get(path)
        if path == "":
            await route.fulfill(
                body="<!doctype html><title>test</title>", content_type="text/html", headers={"content-security-policy": POLICY}
            )
        elif path == "testing.js":
            await route.fulfill(body=TESTING, content_type="text/javascript")
        elif file is None:
            await route.fulfill(status=404)
        else:
            await route.fulfill(body=file.content, content_type=file.media_type)

    async with visit(browser, URL) as visitor:
        await visitor.context.route(f"{URL}/**", serve)
        await visitor.page.goto(f"{URL}/")
        async with asyncio.timeout(60):
            result = await visitor.page.evaluate(
                "async (name) => { await import(name); const { runTests } = await import('/testing.js'); return runTests(); }", f"/{name}"
            )
        assert result["failures"] == []
        assert result["count"] > 0
