"""How soon a page can be used, and what it weighs: an empty browser cache, everything over loopback, in the system's Chromium.

The baseline is the smallest document of the API (/livez) in the same browser. A page can be used when what one does there is drawn and
enabled: the box for a question, the button for a new knowledge base.
"""

import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser

from benchmarks.figures import Figure, median
from claw_client import Client
from ops.stack.launch import stack
from tests.support.browser import CHROMIUM, open_browser

EMAIL, PASSWORD = "bench@example.org", "a long benchmark passphrase"
ROUNDS = 9
PAGES = {"chat": ("/", "textarea:enabled"), "knowledge": ("/knowledge", "main button.primary"), "account": ("/account", "main form button")}
INTERACTIVE_MS_MAX, WEIGHT_KB_MAX = 1_000, 120

_MEASURE = """() => {
  const files = performance.getEntriesByType("resource").filter((entry) => entry.name.includes("/static/"));
  return [performance.now(), files.reduce((sum, entry) => sum + entry.transferSize, 0), files.length];
}"""
_LONG_TASKS = """() => {
  window.longTasks = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((entry) => entry.duration))).observe(
    { type: "longtask", buffered: true });
}"""


async def run() -> list[Figure]:
    """Medians over rounds; nothing without a Chromium."""
    if CHROMIUM is None:
        return []
    figures = []
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with (
            stack(Path(home), {"CLAW_LIMIT_ENABLED": "false"}) as up,
            aiohttp.ClientSession(base_url=up.url) as session,
            open_browser() as browser,
        ):
            await Client.register(session, EMAIL, PASSWORD)
            bare = median([(await _load(browser, up.url, "/livez", "body"))[0] for _ in range(ROUNDS)])
            for name, (path, selector) in PAGES.items():
                rounds = [await _load(browser, up.url, path, selector) for _ in range(ROUNDS)]
                ready = median([each[0] for each in rounds])
                figures += [
                    Figure(
                        f"{name}_interactive",
                        round(ready),
                        "ms",
                        round(ready / bare, 1),
                        "/livez, same browser",
                        f"<= {INTERACTIVE_MS_MAX} ms",
                    ),
                    Figure(f"{name}_weight", round(rounds[0][1] / 1000, 1), f"KB in {rounds[0][2]} files", bar=f"<= {WEIGHT_KB_MAX} KB"),
                    Figure(f"{name}_longest_task", round(max(each[3] for each in rounds)), "ms"),
                ]
    return figures


async def _load(browser: Browser, url: str, path: str, selector: str) -> tuple[float, int, int, float]:
    """Milliseconds until the page can be used, bytes and number of files, the longest task of more than 50 ms (0: none)."""
    context = await browser.new_context(locale="zh-CN")
    try:
        body: dict[str, Any] = {"email": EMAIL, "password": PASSWORD, "cookie": True}
        answer = await context.request.post(f"{url}/api/v1/auth/login", data=body)
        assert answer.ok, await answer.text()
        await context.add_init_script(f"({_LONG_TASKS})()")
        page = await context.new_page()
        await page.goto(f"{url}{path}", wait_until="commit")
        await page.wait_for_selector(selector)
        ready, weight, files = await page.evaluate(_MEASURE)
        tasks: list[float] = await page.evaluate("() => window.longTasks")
        return ready, weight, files, max(tasks, default=0.0)
    finally:
        await context.close()
