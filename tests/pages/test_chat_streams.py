"""An answer goes on whatever happens to whoever reads it: no gap, no repeat, one answer."""

import os
import signal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.pages.conftest import sign_in
from tests.support.browser import visit
from tests.support.chat_page import WATCH, Reader, ask, check_seen, ended, text_of
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def begin(page: Page) -> None:
    """Ask, and wait until some of the answer is there."""
    await page.evaluate(WATCH, 1)
    answer = await ask(page, "How many days of leave are there?")
    await expect(answer.locator(".citation").first).to_be_visible(timeout=30_000)


async def test_a_refresh_a_second_tab_and_a_second_device_show_the_same(reader: Reader, browser: Browser, up: Up) -> None:
    page = reader.page
    async with visit(browser, up.url) as elsewhere:
        await sign_in(elsewhere.page, up.url, reader.email)
        await ended(await ask(page, "Hello, how many days?"))
        # the other device shows a new chat, which has no conversation to look at
        await expect(elsewhere.page.get_by_role("complementary", name="Conversations").locator("li a")).to_have_count(1)
        tab = await reader.visitor.tab()
        for other in (tab, elsewhere.page):
            await other.goto(page.url)
            await expect(other.locator(".message.answer")).to_have_count(1)
        count = page.locator(".message.answer")
        await page.evaluate(WATCH, 1)
        await ask(page, "How many days of leave are there?")
        # sooner than the page's own look for news, which comes after ten seconds
        await expect(elsewhere.page.locator(".message.answer")).to_have_count(2, timeout=5_000)
        await page.reload()
        await page.evaluate(WATCH, 2)
        for each in (page, tab, elsewhere.page):
            await expect(each.locator(".message.answer")).to_have_count(2, timeout=20_000)
        texts = [await ended(each.locator(".message.answer").last) for each in (page, tab, elsewhere.page)]
        assert len(set(texts)) == 1
        await check_seen(page, texts[0])
        await expect(count).to_have_count(2)
        await tab.close()


async def test_the_network_is_gone_for_three_seconds(reader: Reader) -> None:
    page = reader.page
    await begin(page)
    await reader.visitor.context.set_offline(True)
    await page.wait_for_timeout(3000)  # what the promise says
    await reader.visitor.context.set_offline(False)
    whole = await ended(page.locator(".message.answer"))
    assert await check_seen(page, whole) > 1
    await page.reload()
    assert await ended(page.locator(".message.answer")) == whole
    reader.visitor.complaints[:] = [text for text in reader.visitor.complaints if "net::ERR" not in text]


async def test_the_worker_that_writes_the_answer_is_killed(reader: Reader, up: Up) -> None:
    page = reader.page
    await begin(page)
    before = up.process("chat")
    os.kill(before.pid, signal.SIGKILL)
    whole = await ended(page.locator(".message.answer"))
    await expect(page.locator(".message.answer")).to_have_count(1)
    await page.reload()
    assert await ended(page.locator(".message.answer")) == whole
    await up.restarted("chat", before)


async def test_closing_the_tab_stops_nothing(reader: Reader) -> None:
    page = reader.page
    await begin(page)
    address = page.url
    await page.goto("about:blank")
    await page.goto(address)
    assert len(await ended(page.locator(".message.answer"))) > 100
    assert (await text_of(page.locator(".message.answer"))).strip()
