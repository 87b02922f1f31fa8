"""The way of somebody new, from the registration to an answer whose source is read, in one go."""

import os
import signal

import pytest
from playwright.async_api import expect

from tests.pages.conftest import register
from tests.support.browser import Visitor
from tests.support.chat_page import ask, ended
from tests.support.file_kinds import word, workbook
from tests.support.knowledge_page import drop, ends, make_base, row
from tests.support.pdf_writer import Page as Sheet
from tests.support.pdf_writer import pdf
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHINESE = ["员工每年享有二十五个工作日的年假，未使用的", "年假天数在次年三月底自动失效。"]


async def test_somebody_new_comes_to_an_answer_and_its_source(visitor: Visitor, up: Up) -> None:
    page = visitor.page
    await register(visitor)
    await make_base(visitor)
    await drop(
        page,
        {
            "年假.pdf": pdf(Sheet().lines(50, 700, CHINESE, font="C1")),
            "travel.docx": word("A hotel costs at most 180 euros a night."),
            "costs.xlsx": workbook("hotel")[:900],
        },
    )
    await ends(page, "年假.pdf", "Searchable")
    await ends(page, "travel.docx", "Searchable")
    await ends(page, "costs.xlsx", "Failed")
    await expect(row(page, "costs.xlsx").get_by_role("button", name="Try again")).to_be_visible()

    await page.get_by_role("link", name="Chat").click()
    first = await ask(page, "员工每年有多少天年假？")
    await ended(first)
    await first.get_by_role("button", name=": 年假").first.click()
    panel = page.get_by_role("region", name="Source: 年假")
    await expect(panel.locator(".source-box").first).to_be_visible(timeout=60_000)
    await page.keyboard.press("Escape")

    second = await ask(page, "How much does a hotel cost at most?")
    await expect(second.locator(".citation").first).to_be_visible(timeout=30_000)
    await page.reload()  # in mid-answer
    await expect(second.locator(".citation").first).to_be_visible(timeout=30_000)
    before = up.process("chat")
    os.kill(before.pid, signal.SIGKILL)
    other = await visitor.tab()
    await other.goto(page.url)
    whole = await ended(second)
    await expect(page.locator(".message.answer")).to_have_count(2)
    assert await ended(other.locator(".message.answer").nth(1)) == whole
    await up.restarted("chat", before)
