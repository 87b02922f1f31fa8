"""What people do with an answer, and what they see of one that waits or that no source supports: answers of any content."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Route, expect

from claw_client import Client
from domain.sections import load_settings
from ops.stack.embedded import locate_servers
from schemas.chats import Citation, UnsupportedNumber
from tests.pages.conftest import client_of, register
from tests.support.browser import DESKTOP, PHONE, Visitor, visit
from tests.support.chat_page import account_id, ask, ended
from tests.support.long_conversation import CITATION, write_answer
from tests.system.conftest import Up, tenant_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

CODE = "def days(year):\n    return 25 if year < 2026 else 26"
ANSWER = f"""Everybody has **25 days** of leave a year [1]:

| Year | Days |
|------|-----:|
| 2025 | 25 |

```python
{CODE}
```"""


def read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@dataclass
class Author:
    """Somebody in the browser, for whom answers are written."""

    visitor: Visitor
    client: Client
    up: Up

    async def show(self, answer: str, *, title: str = "Leave", question: str = "How many days?", **more: Any) -> Locator:
        """A new conversation with one answer, opened; the answer."""
        async with self.client.session.post("/api/v1/conversations", json={"title": title}, headers=self.client.headers) as made:
            conversation = (await made.json())["id"]
        settings, owner = locate_servers(load_settings(self.up.environ)), await account_id(self.client)
        await write_answer(settings, tenant_of(self.client), owner, conversation, question, answer, **more)
        await self.visitor.go(f"/chat/{conversation}")
        shown = self.visitor.page.locator(".message.answer")
        await expect(shown).to_be_visible()
        return shown


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def author(browser: Browser, up: Up) -> AsyncIterator[Author]:
    async with visit(browser, up.url) as visitor, aiohttp.ClientSession(base_url=up.url) as session:
        yield Author(visitor, await client_of(session, await register(visitor)), up)


async def test_an_answer_and_its_code_are_copied_as_they_were_written(author: Author) -> None:
    answer, page = await author.show(ANSWER, citations=(CITATION,)), author.visitor.page
    question = page.get_by_role("textbox", name="Question")
    await answer.get_by_role("button", name="Copy the answer").click()
    copied = page.locator(".toast").filter(has_text="Copied")
    await expect(copied).to_have_count(1)
    await question.press("Control+V")
    await expect(question).not_to_be_empty()
    assert await question.input_value() == ANSWER
    await page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as over plain HTTP
    await answer.locator(".code").get_by_role("button", name="Copy", exact=True).click()
    await expect(copied).to_have_count(2)
    await question.fill("")
    await question.press("Control+V")
    await expect(question).not_to_be_empty()
    assert await question.input_value() == CODE


async def test_a_conversation_is_saved_as_a_file(author: Author) -> None:
    await author.show(ANSWER, title="Leave: 2026/27", citations=(CITATION,))
    page, saved = author.visitor.page, {}
    for form in ("Markdown", "JSON"):
        await page.get_by_role("button", name="More", exact=True).click()
        async with page.expect_download() as begun:
            await page.get_by_role("menuitem", name=f"Export as {form}").click()
        download = await begun.value
        saved[download.suggested_filename] = read_text(await download.path())
    assert list(saved) == ["Leave  2026 27.md", "Leave  2026 27.json"]
    markdown, whole = saved["Leave  2026 27.md"], json.loads(saved["Leave  2026 27.json"])
    assert "How many days?" in markdown
    assert CODE in markdown
    assert "Leave rules" in markdown  # the source, as a footnote
    assert [message["content"] for message in whole["messages"]] == ["How many days?", ANSWER]


async def test_a_question_that_waits_shows_its_place_until_it_is_answered(author: Author) -> None:
    page = author.visitor.page
    held: list[Route] = []

    async def accept(route: Route) -> None:
        """The API's own answer, as it is when three questions are before this one."""
        if route.request.method != "POST":
            await route.continue_()
            return
        accepted = await route.fetch()
        waiting = {**await accepted.json(), "queue_position": 3, "estimated_wait_s": 75.0}
        await route.fulfill(response=accepted, json=waiting)

    async def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/conversations/*/messages", accept)
    await page.route("**/replies/*/stream*", hold)
    await author.visitor.go(f"/chat/{await author.client.create_conversation()}")
    answer = await ask(page, "How many days?")
    await expect(answer.locator(".progress")).to_have_text("Waiting; questions ahead: 3, about 75 seconds")
    await page.unroute("**/replies/*/stream*", hold)
    await held[0].continue_()
    await expect(answer.locator(".markdown")).to_be_visible()
    await expect(answer.locator(".progress")).to_have_count(0)
    await page.unroute("**/conversations/*/messages", accept)
    assert await ended(answer)


async def test_numbers_that_no_source_has_are_marked(author: Author) -> None:
    text = "🎉 Everybody has 25 days [1] and 31 days off, of which **47** are paid."
    numbers = [UnsupportedNumber(text=it, start_index=text.index(it), end_index=text.index(it) + len(it)) for it in ("31", "47")]
    answer = await author.show(text, citations=(CITATION,), unsupported_numbers=tuple(numbers))
    note = "This number is in none of the cited passages. Please check it."
    await expect(answer.get_by_title(note)).to_have_text([f"31 ({note})", f"47 ({note})"])  # in words, too, for screen readers
    await expect(answer.locator("strong").get_by_title(note)).to_have_count(1)
    await expect(answer.locator("p").first).to_contain_text("Everybody has 25 days")
    assert await answer.get_by_text("Numbers with a wavy line").count() == 1  # seen where nothing can be pointed at


WORD = "Donaudampfschiff" * 40
HEBREW = "לכל עובד יש 25 ימי חופשה בשנה"
COLUMNS, CITATIONS = 30, 200
HOSTILE = "\n".join(
    [
        f"{WORD} and `{WORD}` and [{WORD}](https://example.org/{WORD})",
        "",
        "|" + "|".join(f" Column {number} " for number in range(COLUMNS)) + "|",
        "|" + "---|" * COLUMNS,
        "|" + "|".join(f" {number}00,000 " for number in range(COLUMNS)) + "|",
        "",
        r"$$\begin{aligned} x_{1,2} &= \frac{-b \pm \sqrt{b^2-4ac}}{2a} + " + r"\sum_{i=1}^{n} \left(a_i + b_i + c_i\right)" * 6 + r" \\",
        r"y &= \int_0^\infty e^{-t} \, dt \\ z &= \text{年假天数} \end{aligned}$$",
        "",
        "".join(f"Point {number} [{number}]. " for number in range(1, CITATIONS + 1)),
        "",
        f"{HEBREW}: `leave(25)` [1].",
        "",
        f"- {HEBREW}",
        "",
        f"> {HEBREW}",
        "",
        f"```\n{WORD}\n```",
    ]
)
TOO_WIDE = """() => ["body", ".chat-main", ".chat-head", ".thread", ".message", ".markdown", ".markdown > p", ".bubble", ".sources li"]
  .flatMap((name) => [...document.querySelectorAll(name)])
  .filter((it) => it.scrollWidth > it.clientWidth + 1)
  .map((it) => `${it.tagName} ${it.className}: ${it.scrollWidth} > ${it.clientWidth}`)"""


async def test_whatever_an_answer_has_in_it_a_phone_shows_all_of_it(author: Author) -> None:
    """Long words, wide tables, formulas of several lines, many sources, right-to-left script: read without moving the page aside."""
    page = author.visitor.page
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    citations = tuple(
        Citation(
            marker=number,
            chunk_id=f"c{number}",
            knowledge_base_id="k",
            document_id=f"d{number}",
            version=1,
            title=f"{WORD[:90]} {number}",
            locator="p. 3",
            quote="25",
            passage=number,
        )
        for number in range(1, CITATIONS + 1)
    )
    answer = await author.show(HOSTILE, title=WORD[:200], question=f"{WORD} {HEBREW}?", citations=citations)
    await expect(answer.locator(".formula.display math")).to_be_visible()
    await expect(answer.locator("p button.citation")).to_have_count(CITATIONS + 1)
    assert await page.evaluate(TOO_WIDE) == []
    for wide in (".scroll-x", ".code pre", ".formula.display"):  # these are moved by themselves
        assert await answer.locator(wide).evaluate("(it) => it.scrollWidth > it.clientWidth"), wide
    assert await answer.locator(".formula.display mtr").count() == 3
    for line in await answer.locator(".markdown > :is(p, ul, blockquote)").filter(has_text=re.compile(HEBREW)).all():
        assert await line.evaluate("(it) => getComputedStyle(it).direction") == "rtl"
    assert await answer.locator("p > code").last.evaluate("(it) => getComputedStyle(it).direction") == "ltr"
    sources = answer.get_by_role("region", name="Sources")
    await expect(sources.get_by_role("listitem")).to_have_count(13)
    await sources.get_by_role("button", name=f"All {CITATIONS} sources").click()
    await expect(sources.get_by_role("listitem")).to_have_count(CITATIONS)
    await expect(sources.get_by_role("button").nth(12)).to_be_focused()
    assert await page.evaluate(TOO_WIDE) == []
    await page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
