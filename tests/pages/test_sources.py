"""From an answer to the quoted words: a click on a citation shows the page of the file that was read, and what has become of it since."""

import asyncio
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Locator, expect

from claw_client import Client
from tests.pages.conftest import client_of, register
from tests.support.browser import Visitor
from tests.support.pdf_writer import Page as Sheet
from tests.support.pdf_writer import pdf

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHINESE = ["员工每年享有二十五个工作日的年假，未使用的", "年假天数在次年三月底自动失效。"]
ENGLISH = ["The harbour lantern is lit every evening at nine", "and burns until the last ferry has left the island."]


async def upload(client: Client, document: str, data: bytes) -> None:
    form = aiohttp.FormData({"document_id": document, "title": document})
    form.add_field("file", data, filename=f"{document}.pdf", content_type="application/pdf")
    async with client.session.post(f"{client.documents}/upload", data=form, headers=client.headers) as answer:
        assert answer.status == 202, await answer.text()
        version = (await answer.json())["version"]
    await client.wait_indexed(document, version=version)


async def open_citation(visitor: Visitor, question: str, title: str) -> Locator:
    """The panel of the first citation of an answer."""
    page = visitor.page
    count = await page.locator(".message.answer").count()
    await page.get_by_role("textbox", name="Question").fill(question)
    await page.keyboard.press("Enter")
    await page.locator(".message.answer").nth(count).get_by_role("button", name=f": {title}").first.click(timeout=60_000)
    panel = page.get_by_role("region", name=f"Source: {title}")
    await expect(panel).to_be_visible()
    return panel


async def ink_in(panel: Locator) -> list[float]:
    """Of each box the share of dark pixels of the page's image beneath it."""
    found: list[Any] = await panel.evaluate(
        """async (panel) => {
          const image = panel.querySelector("img");
          await image.decode();
          const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
          const paper = canvas.getContext("2d");
          paper.drawImage(image, 0, 0);
          const sheet = image.getBoundingClientRect();
          const scale = image.naturalWidth / sheet.width;
          return [...panel.querySelectorAll(".source-box")].map((box) => {
            const place = box.getBoundingClientRect();
            const sides = [place.x - sheet.x, place.y - sheet.y, place.width, place.height].map((side) => Math.round(side * scale));
            const { data } = paper.getImageData(...sides);
            let dark = 0;
            for (let at = 0; at < data.length; at += 4) dark += data[at] < 128;
            return dark / (data.length / 4);
          });
        }"""
    )
    return [float(each) for each in found]


async def test_a_click_on_a_citation_shows_the_words_on_the_page(visitor: Visitor, session: aiohttp.ClientSession) -> None:
    """In both languages: every box lies on letters, and there is a box for each line of the quote."""
    client = await client_of(session, await register(visitor))
    await upload(client, "Lights", pdf(Sheet().rule(50, 700, 500, 700), Sheet().lines(50, 700, ENGLISH).text(50, 100, "Page 2")))
    await visitor.go("/")
    panel = await open_citation(visitor, "When is the harbour lantern lit?", "Lights")
    await expect(panel.get_by_text("Page 2 of 2")).to_be_visible(timeout=60_000)
    await expect(panel.locator(".source-box")).to_have_count(2, timeout=60_000)
    assert all(0.03 < ink < 0.6 for ink in await ink_in(panel))
    await visitor.page.keyboard.press("ArrowLeft")
    await expect(panel.get_by_text("Page 1 of 2")).to_be_visible()
    await expect(panel.locator(".source-box")).to_have_count(0)
    await visitor.page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()


async def test_a_document_that_has_changed_since_says_so(visitor: Visitor, session: aiohttp.ClientSession) -> None:
    """The page that was read is shown with its boxes, and the present version is a click away; the document's list of versions opens both.
    Once it is deleted, only the quote is shown.
    """
    client = await client_of(session, await register(visitor))
    await upload(client, "Leave", pdf(Sheet().lines(50, 700, CHINESE, font="C1")))
    await visitor.go("/")
    panel = await open_citation(visitor, "员工每年有多少天年假？", "Leave")
    await expect(panel.locator(".source-box")).to_have_count(2, timeout=60_000)
    await visitor.page.keyboard.press("Escape")
    await upload(client, "Leave", pdf(Sheet().text(50, 700, "自明年起年假改为三十天。", font="C1")))
    chat = visitor.page.url
    citation = visitor.page.locator(".message.answer").last.get_by_role("button", name=": Leave").first
    await citation.click()
    await expect(panel.get_by_role("status").first).to_contain_text("has changed since this answer", timeout=60_000)
    await expect(panel.locator(".source-box")).to_have_count(2, timeout=60_000)
    assert all(0.03 < ink < 0.6 for ink in await ink_in(panel))
    await panel.get_by_role("button", name="Open the present version").click()
    await expect(panel.get_by_role("button", name="Back to the version of the answer")).to_be_visible()
    await expect(panel.locator("img")).to_be_visible(timeout=60_000)
    await visitor.page.keyboard.press("Escape")
    await visitor.go(f"/knowledge/{client.knowledge_base}/documents/Leave")
    versions = visitor.page.get_by_role("region", name="Versions").get_by_role("listitem")
    await expect(versions).to_have_count(2)
    await expect(versions.nth(0)).to_contain_text("Present")
    await expect(versions.nth(1)).to_contain_text("Replaced")
    await versions.nth(1).get_by_role("button", name="Open version").click()
    await expect(panel.get_by_role("status").first).to_contain_text("was replaced by a newer one")
    await expect(panel.get_by_role("img", name="page 1")).to_be_visible(timeout=60_000)
    await visitor.page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await visitor.page.goto(chat)
    async with session.delete(f"{client.documents}/Leave", headers=client.headers) as answer:
        assert answer.status in {202, 204}
    async with asyncio.timeout(30):  # 202: the deletion takes longer than 5 s
        while True:
            async with session.get(f"{client.documents}/Leave", headers=client.headers) as answer:
                if answer.status == HTTPStatus.NOT_FOUND:
                    break
            await asyncio.sleep(0.2)
    await citation.click()
    await expect(panel.get_by_text("The document was deleted")).to_be_visible()
    await expect(panel.locator("blockquote")).to_be_visible()
