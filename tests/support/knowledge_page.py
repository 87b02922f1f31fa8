"""What people do on the knowledge page."""

import base64
from collections.abc import Mapping

from playwright.async_api import Locator, Page, expect

from tests.support.browser import Visitor

END_MS = 60_000  # of a document on a busy machine


async def make_base(visitor: Visitor, name: str = "Handbook") -> str:
    """A new knowledge base of somebody who is signed in; it is shown. Its path."""
    page = visitor.page
    await page.get_by_role("link", name="Knowledge").click()
    await page.get_by_role("button", name="New knowledge base").click()
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Create", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)
    await expect(page.get_by_role("heading", name="No documents yet")).to_be_visible()
    return page.url.removeprefix(visitor.url)


async def drop(page: Page, files: Mapping[str, bytes]) -> None:
    """Drop files on the page."""
    encoded = [[name, base64.b64encode(content).decode()] for name, content in files.items()]
    transfer = await page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            const bytesOf = (content) => Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            for (const [name, content] of files) transfer.items.add(new File([bytesOf(content)], name));
            return transfer;
        }""",
        encoded,
    )
    for event in ("dragenter", "drop"):
        await page.dispatch_event("main", event, {"dataTransfer": transfer})


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has_text=name)


async def ends(page: Page, name: str, state: str) -> None:
    await expect(row(page, name).get_by_text(state, exact=True)).to_be_visible(timeout=END_MS)
