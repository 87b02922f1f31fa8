"""A file as pages: the boxes over a quote, and images. The file itself is only opened in a confined child."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.pages.highlights import QuoteOnPages
from adapters.pages.paged_file import has_pages
from adapters.parsing.core.source import DocumentSource
from api.http.request import ApiRequest
from api.sources.passages import QuotedText
from api.sources.ports import SourcePorts
from api.sources.versions import CitedVersion, NoFile, find_file
from domain.documents.sources import StoredFile
from schemas.bodies.sources import NoPages, SourceBox, SourcePage
from schemas.documents import Locator
from schemas.errors import Refused, Unavailable

REASONS: dict[str, NoPages] = {
    "document_type_unsupported": "no_pages",
    "password_required": "encrypted",
    "file_missing": "file_removed",
}


async def find_on_pages(request: ApiRequest, cited: CitedVersion, text: QuotedText, quote: str) -> QuoteOnPages:
    """Where the quote is on the pages of the file. Raises NoFile."""
    if text.place is not None and text.place.part:
        raise NoFile("no_pages")  # a file inside an archive or a message
    try:
        file = await find_stored(request, cited)
        async with open_file(request, file) as source:
            renderer = request.ports(SourcePorts).renderer
            assert renderer is not None
            return await renderer.find_quote(source, quote, context=text.text, pages=_page_range(text.place), tenant=cited.tenant)
    except Refused as refusal:
        raise NoFile(REASONS.get(refusal.code, "unreadable")) from refusal
    except Unavailable:
        raise NoFile("busy") from None


async def find_stored(request: ApiRequest, cited: CitedVersion) -> StoredFile:
    """The file of the version, if it has pages by what is known of it. Raises NoFile, Unavailable."""
    if request.ports(SourcePorts).renderer is None or (cited.media_type and not has_pages(cited.media_type)):
        raise NoFile("no_pages")
    return await find_file(request, cited)


@asynccontextmanager
async def open_file(request: ApiRequest, file: StoredFile) -> AsyncIterator[DocumentSource]:
    """The file as a child reads it, in one of the account's slots. Raises Refused("file_missing") and Unavailable."""
    ports = request.ports(SourcePorts)
    with ports.rendering_slot(request.user.account_id):
        async with ports.documents.blobs.local_path(file.blob) as path:
            yield DocumentSource(media_type=file.media_type, path=str(path), filename=file.filename, digest=file.blob.sha256)


def first_page(found: QuoteOnPages, place: Locator | None) -> int:
    """The page to begin with: the first that has the quote, else where its chunk begins."""
    begun = found.pages[0].page if found.pages else _page_range(place)[0]
    return min(max(1, begun), max(1, found.page_count))


def source_pages(found: QuoteOnPages) -> tuple[SourcePage, ...]:
    """The pages with boxes, as readers get them."""
    return tuple(
        SourcePage(
            page=each.page,
            boxes=tuple(
                SourceBox(left=left, top=top, width=round(right - left, 5), height=round(bottom - top, 5))
                for left, top, right, bottom in each.boxes
            ),
        )
        for each in found.pages
    )


def _page_range(place: Locator | None) -> tuple[int, int]:
    """The pages or the slide of a chunk; (0, 0) when it has none."""
    if place is None:
        return 0, 0
    first = place.page or place.slide
    return first, max(first, place.page_last)
