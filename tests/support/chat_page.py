"""What people do on the chat page, and what they see of an answer."""

import re
from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

from claw_client import Client
from tests.support.browser import Visitor

# Every text of the so manieth answer that is seen, without markers, as long as the page lives.
WATCH = """(count) => {
  window.seenTexts = [];
  const read = () => {
    const last = document.querySelectorAll(".message.answer")[count - 1]?.querySelector(".markdown");
    if (!last) return;
    const copy = last.cloneNode(true);
    copy.querySelectorAll(".citation").forEach((each) => each.remove());
    const text = copy.textContent;
    if (text !== window.seenTexts[window.seenTexts.length - 1]) window.seenTexts.push(text);
  };
  new MutationObserver(read).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
MARKER = re.compile(r"\[\d*\]?")


@dataclass
class Reader:
    """Somebody in the browser who has a document, and the same account at the API."""

    visitor: Visitor
    client: Client
    email: str

    @property
    def page(self) -> Page:
        return self.visitor.page


async def account_id(client: Client) -> str:
    """The id of the account that the client belongs to."""
    async with client.session.get("/api/v1/users/me", headers=client.headers) as answer:
        return str((await answer.json())["id"])


async def ask(page: Page, question: str) -> Locator:
    """Ask by the keyboard; the answer that begins."""
    count = await page.locator(".message.answer").count()
    await page.get_by_role("textbox", name="Question").fill(question)
    await page.keyboard.press("Enter")
    answer = page.locator(".message.answer").nth(count)
    await expect(answer).to_be_visible()
    return answer


async def text_of(answer: Locator) -> str:
    """The text of an answer, without its markers."""
    text: str = await answer.locator(".markdown").evaluate(
        "(it) => { const copy = it.cloneNode(true); copy.querySelectorAll('.citation').forEach((each) => each.remove());"
        " return copy.textContent.replace(/\\[\\d*\\]?$|\\[\\d+\\]/g, ''); }"
    )
    return text


async def ended(answer: Locator) -> str:
    """The text of an answer once it has ended."""
    await expect(answer.get_by_role("button", name="Regenerate")).to_be_enabled(timeout=90_000)
    return await text_of(answer)


async def check_seen(page: Page, whole: str) -> int:
    """Whatever was seen is the beginning of the answer, and grew; how many texts were seen."""
    seen = [MARKER.sub("", text).strip() for text in await page.evaluate("() => window.seenTexts")]
    assert all(whole.startswith(text) for text in seen), [text for text in seen if not whole.startswith(text)]
    assert [len(text) for text in seen] == sorted(len(text) for text in seen)
    return len(seen)
