"""Knowledge bases in the browser: documents arrive, are watched to their end, replaced, searched, shared and deleted."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, FilePayload, Page, Route, expect

from tests.pages.conftest import enter, make_admin, register
from tests.support import pdf_writer
from tests.support.accessibility import check_accessibility
from tests.support.browser import Visitor, visit
from tests.support.file_kinds import pdf, word, workbook
from tests.support.knowledge_page import END_MS, drop, ends, make_base, row
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "<img src=x onerror=alert(1)>"
PROBLEM = '{"type": "urn:claw:problem:storage_full", "title": "The storage is full", "code": "storage_full", "remedy": "Delete documents."}'


def _file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "", "buffer": content}


async def choose(page: Page, name: str, content: bytes) -> None:
    await page.get_by_label("Choose files").last.set_input_files(_file(name, content))


async def test_dropped_files_are_watched_to_their_end(visitor: Visitor) -> None:
    page = visitor.page
    await register(visitor)
    await make_base(visitor, f"Rules {HOSTILE}")
    files = {
        "leave.pdf": pdf("Everybody has twenty-five days of leave."),
        "差旅制度.docx": word("出差住宿每晚不超过五百元。"),
        "costs.xlsx": workbook("hotel"),
        "broken.docx": word("never")[:700],
        f"{HOSTILE}.txt": f"A hostile name {HOSTILE} is text.".encode(),
        "song.mp3": b"ID3",
    }
    await drop(page, files)
    await expect(page.get_by_text("Files of this kind are not supported")).to_be_visible()
    await page.get_by_role("button", name="Clear the failed ones").click()
    for name in ("leave.pdf", "差旅制度.docx", "costs.xlsx", f"{HOSTILE}.txt"):
        await ends(page, name, "Searchable")
    await ends(page, "broken.docx", "Failed")
    await expect(page.get_by_role("button", name="Searchable 4")).to_be_visible()
    await expect(page.get_by_text("All uploads have ended")).to_be_attached()

    await page.reload()  # a failure stays, with its cause, its remedy and what to do
    failed = row(page, "broken.docx")
    await expect(failed).to_contain_text("The document cannot be parsed")
    await expect(failed).to_contain_text("Check that the file is intact")
    await failed.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("“broken.docx” is processed again.").first).to_be_visible()
    await ends(page, "broken.docx", "Failed")
    await failed.get_by_label("Replace the file").first.set_input_files(_file("x", word("It is whole now.")))
    await ends(page, "broken.docx", "Searchable")
    await expect(failed).not_to_contain_text("cannot be parsed")
    await page.get_by_role("button", name=re.compile("^All 5")).click()

    await row(page, f"{HOSTILE}.txt").get_by_role("link").click()
    await expect(page.get_by_text(f"A hostile name {HOSTILE} is text.")).to_be_visible()
    await expect(page.get_by_text("Version that readers see", exact=True)).to_be_visible()


@asynccontextmanager
async def web_page(body: str) -> AsyncIterator[str]:
    """A page of a web server of this machine."""

    async def serve(request: web.Request) -> web.Response:
        return web.Response(text=body, content_type="text/html") if request.path == "/handbook" else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/handbook"
    finally:
        await runner.cleanup()


async def test_texts_and_addresses_are_found_with_a_reason(visitor: Visitor) -> None:
    page = visitor.page
    await register(visitor)
    await make_base(visitor)
    await page.get_by_role("button", name="Paste text").click()
    await page.get_by_label("Title").fill(HOSTILE)
    await page.get_by_label("Text", exact=True).fill("# Leave\n\nEverybody has twenty-five days of leave.")
    await page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    async with web_page(
        "<title>Parking</title><main><h1>Parking</h1><p>The garage opens at seven, and bicycles stand in the yard.</p></main>"
    ) as url:
        await page.get_by_role("button", name="Add addresses").click()
        await page.get_by_role("textbox", name="Addresses").fill(f"{url}\njavascript:alert(1)")
        await page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
        await expect(page.get_by_text("No http or https address: javascript:alert(1)")).to_be_visible()
        await page.get_by_role("textbox", name="Addresses").fill(url)
        await page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
        await ends(page, "› handbook", "Searchable")
    await ends(page, HOSTILE, "Searchable")

    await page.get_by_role("link", name="Test search").click()
    await page.get_by_role("searchbox").fill("When does the garage open?")
    await page.keyboard.press("Enter")
    first = page.locator("ol.passages > li").first
    await expect(first).to_contain_text("The garage opens at seven")
    await expect(first.get_by_role("meter", name="Words")).to_be_visible()
    await expect(first).to_contain_text("Best in words and in meaning.")
    await expect(first.locator("mark").first).to_be_visible()
    await page.get_by_role("searchbox").fill("days of leave")
    await page.keyboard.press("Enter")
    await expect(first.get_by_role("link")).to_have_text(HOSTILE)
    await first.get_by_role("button", name="Show in place").click()
    await expect(page.get_by_role("dialog").locator("mark").first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_many_documents_are_reprocessed_and_deleted_at_once(visitor: Visitor) -> None:
    page = visitor.page
    await register(visitor)
    await make_base(visitor)
    await drop(page, {f"note {number}.txt": f"Note number {number}.".encode() for number in range(3)})
    await expect(page.get_by_role("button", name="Searchable 3")).to_be_visible(timeout=END_MS)
    await page.get_by_label("Select all").check()
    await page.get_by_role("button", name="Reprocess").click()
    await page.get_by_role("dialog").get_by_role("button", name="Reprocess").click()
    await expect(page.get_by_text("3 documents are processed again.")).to_be_attached()
    await expect(page.get_by_role("button", name="Searchable 3")).to_be_visible(timeout=END_MS)
    await page.get_by_label("Select note 0.txt").check()
    await page.get_by_label("Select note 1.txt").check()
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(row(page, "note 0.txt")).to_have_count(0)
    await expect(row(page, "note 2.txt")).to_be_visible()
    await page.get_by_role("button", name="Knowledge base menu").click()
    await page.get_by_role("menuitem", name="Delete the knowledge base").click()
    await expect(page.get_by_role("dialog")).to_contain_text("“Handbook” and its 1 documents will be deleted")
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("heading", name="Knowledge", exact=True)).to_be_visible()
    await expect(page.get_by_role("link", name="Handbook")).to_have_count(0)


async def test_an_upload_that_does_not_arrive_stays_until_it_does(visitor: Visitor) -> None:
    page = visitor.page
    await register(visitor)
    await make_base(visitor)

    async def refuse(route: Route) -> None:
        await route.fulfill(status=409, content_type="application/problem+json", body=PROBLEM)

    await page.route("**/documents/upload", refuse)
    await drop(page, {"a.txt": b"The storage was full.", "b.txt": b"It was full here, too."})
    await expect(page.get_by_text("The storage is full")).to_have_count(2)
    await page.get_by_role("link", name="Test search").click()  # they stay while other pages are looked at
    await page.get_by_role("link", name="Documents").click()
    await expect(page.get_by_text("Delete documents.")).to_have_count(2)
    await page.unroute("**/documents/upload", refuse)
    await page.get_by_role("listitem").filter(has_text="a.txt").get_by_role("button", name="Try again").click()
    await ends(page, "a.txt", "Searchable")
    await page.reload()  # the other one is remembered, but not its file
    await expect(page.get_by_text("The storage is full")).to_be_visible()
    await page.get_by_label("Choose the file again").last.set_input_files(_file("b.txt", b"It is there now."))
    await ends(page, "b.txt", "Searchable")
    await page.reload()
    await expect(row(page, "b.txt")).to_be_visible()
    await expect(page.get_by_text("The storage is full")).to_have_count(0)


async def test_an_encrypted_file_is_opened_with_its_password(visitor: Visitor) -> None:
    page = visitor.page
    await register(visitor)
    await make_base(visitor)
    locked = pdf_writer.pdf(pdf_writer.Page().text(72, 700, "A sealed page says hello."), user="sesame")
    await choose(page, "locked.pdf", locked)
    await ends(page, "locked.pdf", "Failed")
    await page.get_by_role("link", name="Enter the password").click()
    await page.get_by_label("File", exact=True).set_input_files(_file("locked.pdf", locked))
    await page.get_by_label("Password of the file").fill("sesame")
    await page.get_by_role("button", name="Send again").click()
    await expect(page.get_by_text("A sealed page says hello.")).to_be_visible(timeout=END_MS)


async def test_the_index_is_rebuilt_beside_the_one_in_use(visitor: Visitor) -> None:
    page = visitor.page
    await register(visitor)
    await make_base(visitor)
    await choose(page, "a.txt", b"One document is enough.")
    await ends(page, "a.txt", "Searchable")
    await page.get_by_role("link", name="Index").click()
    await page.get_by_role("button", name="Rebuild the index").click()
    await page.get_by_role("dialog").get_by_label("Keep the old index").check()
    await page.get_by_role("dialog").get_by_role("button", name="Rebuild the index").click()
    await expect(page.get_by_role("heading", name="Kept from before")).to_be_visible(timeout=END_MS)
    await page.get_by_role("button", name="Discard").click()
    await page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    await expect(page.get_by_role("button", name="Rebuild the index")).to_be_visible(timeout=END_MS)
    await expect(page.locator("dl.pairs")).to_contain_text("Generation1")


async def test_a_colleague_reads_what_is_shared_and_changes_nothing(
    browser: Browser, up: Up, session: aiohttp.ClientSession, visitor: Visitor
) -> None:
    page = visitor.page
    await register(visitor)
    path = await make_base(visitor, "Shared rules")
    await choose(page, "a.txt", b"Colleagues may read this.")
    await ends(page, "a.txt", "Searchable")
    await page.get_by_role("button", name="Knowledge base menu").click()
    await page.get_by_role("menuitem", name="Settings and sharing").click()
    await page.get_by_label("Shared with your organisation").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Shared with your organisation")).to_be_visible()
    token = await _invite(up, session, await page.locator("nav.rail a[title]").get_attribute("title") or "")
    async with visit(browser, up.url) as colleague:
        await colleague.go(f"/invitation#token={token}")
        await enter(colleague.page, f"{uuid.uuid4().hex}@example.org")
        await colleague.go("/knowledge")
        await colleague.page.get_by_role("list", name="Shared with you").get_by_role("link", name="Shared rules").click()
        await expect(row(colleague.page, "a.txt")).to_be_visible()
        await expect(colleague.page.get_by_role("button", name="Choose files")).to_have_count(0)
        await expect(colleague.page.get_by_role("button", name="Knowledge base menu")).to_have_count(0)
        await page.get_by_role("button", name="Knowledge base menu").click()
        await page.get_by_role("menuitem", name="Settings and sharing").click()
        await page.get_by_role("radio", name="Only you Nobody").check()
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        async with asyncio.timeout(20):  # a process may remember a base for a moment
            await colleague.go(path)
            while not await colleague.page.get_by_role("alert").is_visible():
                await colleague.page.wait_for_timeout(500)
                await colleague.go(path)
                await expect(colleague.page.locator("main h1, [role=alert]").first).to_be_visible()
        await expect(colleague.page.get_by_role("alert")).to_contain_text("Not found")


async def test_everybody_can_use_the_pages(visitor: Visitor) -> None:
    """axe-core finds nothing serious, in both languages and both themes."""
    page = visitor.page
    await register(visitor)
    path = await make_base(visitor)
    await drop(page, {"a.csv": b"Place,Days\nYard,25\nGarage,3\n", "broken.docx": word("never")[:700], "song.mp3": b"ID3"})
    await ends(page, "broken.docx", "Failed")
    await ends(page, "a.csv", "Searchable")
    await check_accessibility(page)  # with an upload that was refused
    for language, scheme in (("zh", "dark"), ("en", "light")):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await page.evaluate(f"() => localStorage.setItem('claw.appearance', JSON.stringify({{language: '{language}'}}))")
        for part in ("", "/index", "/documents/a.csv", "/search") if language == "zh" else ("/search",):
            await visitor.go(f"{path}{part}")
            await expect(page.locator("main h1, main h2").first).to_be_visible()
            await expect(page.get_by_role("status").filter(has_text=re.compile("Loading|正在加载"))).to_have_count(0)
            if part == "/search":
                await page.get_by_role("searchbox").fill("days in the yard")
                await page.keyboard.press("Enter")
                await expect(page.locator("ol.passages > li").first).to_be_visible()
            await check_accessibility(page)
    await visitor.go("/knowledge")
    await page.get_by_role("button", name="New knowledge base").click()
    await check_accessibility(page)


async def _invite(up: Up, session: aiohttp.ClientSession, email: str) -> str:
    headers = await make_admin(up, session, email)
    async with session.post("/api/v1/organisation/invitations", json={}, headers=headers) as answer:
        assert answer.ok, await answer.text()
        return str((await answer.json())["invitation"])
