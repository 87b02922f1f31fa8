"""From an answer to its source on the whole stack: real files are parsed, asked about and cited, and the quote is found on their pages."""

import asyncio
import io
from typing import Any

import aiohttp
import pypdfium2 as pdfium2
import pytest
from PIL import Image

from adapters.text.quotes import find_quote
from claw_client import Client
from tests.support.pdf_writer import Page, pdf
from tests.system.conftest import Up

ENGLISH = ["The harbour lantern is lit every evening at nine", "o'clock and burns until the last ferry has left the", "island in the bay."]
CHINESE = ["员工每年享有二十五个工作日的年假，未使用的", "年假天数在次年三月底自动失效。"]
COLUMN = ["Tickets for bicycles", "are sold on board."]


def english() -> bytes:
    second = Page().text(50, 760, "Lighthouses", size=16, font="F2").lines(50, 700, ENGLISH).lines(380, 700, COLUMN)
    return pdf(Page().rule(50, 700, 500, 700), second)  # behind a cover without words


def chinese() -> bytes:
    return pdf(Page().lines(50, 700, CHINESE, font="C1", leading=14).text(50, 500, "食堂每天中午十二点开始供应午餐。", font="C1"))


async def upload(client: Client, document: str, data: bytes) -> int:
    form = aiohttp.FormData({"document_id": document})
    form.add_field("file", data, filename=f"{document}.pdf", content_type="application/pdf")
    async with client.session.post(f"{client.documents}/upload", data=form, headers=client.headers) as answer:
        assert answer.status == 202, await answer.text()
        version = int((await answer.json())["version"])
    await client.wait_indexed(document, version=version)
    return version


async def cited(client: Client, question: str) -> tuple[str, dict[str, Any]]:
    """The id of the answer and its first citation."""
    body = {"question": question, "knowledge_base_ids": [client.knowledge_base]}
    async with client.session.post("/api/v1/knowledge/query", json=body, headers=client.headers) as answer:
        told = await answer.json()
        assert answer.status == 200, told
    return told["reply_id"], told["citations"][0]


async def source(client: Client, citation: dict[str, Any], **query: str) -> dict[str, Any]:
    asked = {"chunk": citation["chunk_id"], "quote": citation["quote"]} | query
    async with client.session.get(f"{path(client, citation)}/source", params=asked, headers=client.headers) as answer:
        told: dict[str, Any] = await answer.json()
        assert answer.status == 200, told
    return told


def path(client: Client, citation: dict[str, Any]) -> str:
    return f"{client.documents}/{citation['document_id']}/versions/{citation['version']}"


def text_in_boxes(data: bytes, shown: dict[str, Any]) -> str:
    """What pdfium reads within the boxes."""
    said = ""
    with pdfium2.PdfDocument(data) as document:
        for each in shown["pages"]:
            page = document[each["page"] - 1]
            width, height = page.get_size()
            words = page.get_textpage()
            for box in each["boxes"]:
                left, top = box["left"] * width, height - box["top"] * height
                said += words.get_text_bounded(left, top - box["height"] * height, left + box["width"] * width, top) + "\n"
            words.close()
            page.close()
    return said


@pytest.mark.parametrize(
    ("make", "page", "question"),
    [(english, 2, "When is the harbour lantern lit?"), (chinese, 1, "员工每年有多少天年假？")],
    ids=["en", "zh"],
)
async def test_from_an_answer_to_the_quoted_words_on_the_page(client: Client, make: Any, page: int, question: str):
    """The boxes hold the quote and nothing else; the page's image has its proportions."""
    data = make()
    version = await upload(client, "rules", data)
    _, citation = await cited(client, question)
    shown = await source(client, citation)
    assert (citation["version"], shown["state"], shown["view"], shown["found"]) == (version, "present", "pages", 1)
    assert (shown["first_page"], [each["page"] for each in shown["pages"]]) == (page, [page])
    said = text_in_boxes(data, shown)
    assert find_quote([said], citation["quote"]).share == 1
    assert find_quote([citation["quote"]], said).share == 1
    async with client.session.get(f"{path(client, citation)}/pages/{page}", params={"width": 800}, headers=client.headers) as answer:
        assert (answer.status, answer.content_type) == (200, "image/webp")
        image = Image.open(io.BytesIO(await answer.read()))
    assert image.size == pytest.approx((800, 800 * 842 / 595), abs=1)


async def test_a_document_that_was_replaced_and_then_deleted_since(up: Up, client: Client, session: aiohttp.ClientSession):
    """First its pages as they were read, then nothing at all, and no file of any version is left; never for another tenant."""
    data, files = english(), up.home / "blobs"
    others = {each for each in files.rglob("*") if each.is_file()}
    old = await upload(client, "rules", data)
    reply, citation = await cited(client, "When is the harbour lantern lit?")
    new = await upload(client, "rules", pdf(Page().text(50, 700, "The harbour lantern was sold to a museum in the spring.")))
    shown = await source(client, citation, reply=reply)
    assert (shown["version"], shown["state"], shown["visible_version"]) == (old, "changed", new)
    assert find_quote([passage["text"] for passage in shown["passages"]], citation["quote"]).share == 1
    assert (shown["recorded"], shown["view"], shown["found"]) == (True, "pages", 1)
    assert find_quote([text_in_boxes(data, shown)], citation["quote"]).share == 1
    async with session.get(f"{client.documents}/rules/versions", headers=client.headers) as answer:
        listed = (await answer.json())["items"]
    assert [(each["version"], each["state"], each["has_file"]) for each in listed] == [(new, "present", True), (old, "replaced", True)]
    assert len({each for each in files.rglob("*") if each.is_file()} - others) == 2
    stranger = await Client.register(session, f"stranger-{citation['chunk_id']}@example.org", "a long test passphrase")
    async with session.get(f"{path(client, citation)}/source", headers=stranger.headers) as answer:
        assert answer.status == 404
    async with session.delete(f"{client.documents}/rules", headers=client.headers) as answer:
        assert answer.status in {202, 204}
    gone = await source(client, citation, reply=reply)
    assert (gone["state"], gone["passages"], gone["pages"]) == ("deleted", [], [])
    async with asyncio.timeout(30):
        while {each for each in files.rglob("*") if each.is_file()} - others:
            await asyncio.sleep(0.1)
