"""The source of a citation: where the quote is, on pages or in passages."""

from typing import Annotated
from uuid import UUID

from litestar import Router, get
from litestar.params import FromPath, QueryParameter

from adapters.pages.highlights import QuoteOnPages
from api.documents.routes import DocumentName
from api.http.gate import KNOWLEDGE_READ
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.sources.pages import find_on_pages, first_page, source_pages
from api.sources.passages import Citing, QuotedText, read_quoted_text
from api.sources.versions import CitedVersion, NoFile, find_version
from schemas.bodies.sources import NoPages, SourceView

QUOTE_CHARS_MAX = 4_000

ChunkId = Annotated[str, QueryParameter(name="chunk", max_length=100, description="`chunk_id` of the citation.")]
QuoteText = Annotated[str, QueryParameter(name="quote", max_length=QUOTE_CHARS_MAX, description="`quote` of the citation.")]
ReplyId = Annotated[
    UUID | None,
    QueryParameter(name="reply", description="The answer with the citation: its record has the passage of a version that is gone."),
]
First = Annotated[
    int | None,
    QueryParameter(name="first", ge=0, le=1_000_000_000, description="Passages from this ordinal on, instead of those around the quote."),
]
Passages = Annotated[int, QueryParameter(name="limit", ge=1, le=50, description="Most passages.")]


@get(
    "/knowledge/{knowledge_base_id:str}/documents/{document_id:str}/versions/{version:int}/source",
    opt=KNOWLEDGE_READ,
    responses=PROBLEMS,
    summary="Show the source of a citation",
)
async def source(
    request: ApiRequest,
    knowledge_base_id: FromPath[UUID],
    document_id: DocumentName,
    version: FromPath[int],
    chunk: ChunkId = "",
    quote: QuoteText = "",
    reply: ReplyId = None,
    first: First = None,
    limit: Passages = 6,
) -> SourceView:
    """The document in the version that was cited, and where the quote is: boxes on its pages, ranges in its passages.

    A request for more passages (``first``) is answered without pages.
    """
    cited = await find_version(request, str(knowledge_base_id), document_id, version)
    citing = Citing(chunk_id=chunk, quote=quote, reply_id=str(reply or ""), first=first, limit=limit)
    text = await read_quoted_text(request, cited, citing)
    if cited.state == "deleted":
        return _view(cited, text, reason="file_removed")
    if first is not None:
        return _view(cited, text)
    try:
        found = await find_on_pages(request, cited, text, quote)
    except NoFile as gone:
        return _view(cited, text, reason=gone.reason)
    return _view(cited, text, found)


def _view(cited: CitedVersion, text: QuotedText, found: QuoteOnPages | None = None, reason: NoPages | None = None) -> SourceView:
    return SourceView(
        knowledge_base_id=cited.knowledge_base_id,
        document_id=cited.document_id,
        version=cited.version,
        visible_version=cited.versions.visible_version,
        state=cited.state,
        title="" if cited.state == "deleted" else text.title or cited.title,
        media_type=cited.media_type,
        view="text" if found is None else "pages",
        no_pages=reason,
        found=round(text.share if found is None else found.share, 4),
        page_count=0 if found is None else found.page_count,
        first_page=0 if found is None else first_page(found, text.place),
        pages=() if found is None else source_pages(found),
        passages=text.passages,
        recorded=text.recorded,
        previous=text.previous,
        next=text.next,
    )


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[source], tags=["sources"])
