"""Whoever sees little, hears little or uses no mouse can use the pages: axe-core finds nothing serious, in both languages and themes."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.pages.conftest import sign_in
from tests.support.accessibility import check_accessibility
from tests.support.browser import visit
from tests.support.chat_page import Reader, ask, ended
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


async def test_a_conversation_with_a_source_and_its_dialogs(reader: Reader, browser: Browser, up: Up) -> None:
    """What opens over a conversation, in English, in both themes; then the same in Chinese."""
    answer = await ask(reader.page, "How many days of leave?")
    await ended(answer)
    await answer.get_by_role("button", name="Bad answer").click()
    await expect(answer.get_by_role("button", name="Submit")).to_be_visible()  # the reason of a rating is looked at, too
    await _open_everything(reader.page, "Source 1: Leave rules", "Conversation settings", "Why this answer", "More")
    async with visit(browser, up.url, language="zh") as chinese:
        await sign_in(chinese.page, up.url, reader.email)
        await chinese.page.goto(reader.page.url)
        names = ("来源 1：Leave rules", "对话设置", "为什么这样回答", "更多")
        await _open_everything(chinese.page, *names)


async def _open_everything(page: Page, source: str, settings: str, explanation: str, more: str) -> None:
    await page.locator(".message.answer").get_by_role("button", name=source).first.click()
    await expect(page.locator(".chat-source mark").first).to_be_visible()
    await _check_both_themes(page)
    for name in (settings, explanation):
        await page.get_by_role("button", name=name).click()
        await expect(page.get_by_role("dialog", name=name)).to_be_visible()
        await expect(page.get_by_role("dialog").locator(":is(form, table)").first).to_be_visible()
        await _check_both_themes(page)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name=more, exact=True).click()
    await expect(page.get_by_role("menu")).to_be_visible()
    await _check_both_themes(page)


async def _check_both_themes(page: Page) -> None:
    await check_accessibility(page)
    await page.emulate_media(color_scheme="dark")
    await check_accessibility(page, colours_only=True)
    await page.emulate_media(color_scheme="light")


async def test_a_control_without_a_name_is_found(browser: Browser, up: Up) -> None:
    async with visit(browser, up.url) as somebody:
        await somebody.go("/sign-in")
        await expect(somebody.page.locator("input[name=email]")).to_be_visible()
        await somebody.page.evaluate("() => document.querySelector('form').append(document.createElement('select'))")
        with pytest.raises(AssertionError, match="critical: Select element must have an accessible name"):
            await check_accessibility(somebody.page)
