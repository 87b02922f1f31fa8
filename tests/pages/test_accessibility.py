"""Whoever sees little, hears little or uses no mouse can use the pages: axe-core finds nothing serious, in both languages and themes."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.accessibility import check_accessibility
from tests.support.browser import visit
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_sign_in(browser: Browser, up: Up, language: str, theme: str) -> None:
    async with visit(browser, up.url, language=language, theme=theme) as somebody:
        for path in ("/sign-in", "/register"):
            await somebody.go(path)
            await expect(somebody.page.locator("input[name=email]")).to_be_visible()
            await check_accessibility(somebody.page)


async def test_a_control_without_a_name_is_found(browser: Browser, up: Up) -> None:
    async with visit(browser, up.url) as somebody:
        await somebody.go("/sign-in")
        await expect(somebody.page.locator("input[name=email]")).to_be_visible()
        await somebody.page.evaluate("() => document.querySelector('form').append(document.createElement('select'))")
        with pytest.raises(AssertionError, match="critical: Select element must have an accessible name"):
            await check_accessibility(somebody.page)
