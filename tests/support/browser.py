"""The system's Chromium, and somebody who looks at pages with it: what the browser complains about fails the test."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
DESKTOP, PHONE = (1280, 800), (390, 844)

# Violations of the policy are reported to the window, whichever element they concern.
_LISTENER = """
window.clawViolations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.clawViolations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
  console.error("policy violation", event.violatedDirective, event.blockedURI, event.sample);
});
"""
_EXPECTED = "Failed to load resource"  # a refusal of the API, which the page shows; the browser logs it, too


@dataclass
class Visitor:
    """Somebody with a browser of their own: cookies, storage, language. ``complaints``: errors of scripts, violations of the policy."""

    context: BrowserContext
    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """To an address of the pages."""
        await self.page.goto(f"{self.url}{path}")

    async def tab(self) -> Page:
        """Another tab of the same browser."""
        page = await self.context.new_page()
        self.watch(page)
        return page

    def watch(self, page: Page) -> None:
        """Collect what this tab complains about."""
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: self.complaints.append(message.text) if message.type == "error" and _EXPECTED not in message.text else None,
        )


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A headless Chromium until the block ends."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visit(
    browser: Browser, url: str, *, language: str = "en", theme: str = "light", size: tuple[int, int] = DESKTOP, **options: Any
) -> AsyncIterator[Visitor]:
    """A new visitor; at the end nothing may have complained."""
    context = await browser.new_context(
        locale={"zh": "zh-CN", "en": "en-US"}[language],
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": size[0], "height": size[1]},
        **options,
    )
    await context.add_init_script(_LISTENER)
    context.set_default_timeout(20_000)  # a busy machine
    visitor = Visitor(context, await context.new_page(), url)
    visitor.watch(visitor.page)
    try:
        yield visitor
        assert visitor.complaints == [], visitor.complaints
    finally:
        await context.close()


async def keep_screenshot(page: Page, file: Path) -> None:
    """A picture of what is seen, for people to look at."""
    file.parent.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=str(file), animations="disabled")
