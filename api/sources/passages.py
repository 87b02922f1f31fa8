"""The passages around a quote: chunks of the version that readers see, or what a reply has recorded of one that is gone."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.text.quotes import FOUND_SHARE_MIN, find_quote
from api.chats.explain import may_see
from api.http.request import ApiRequest
from api.knowledge.index_requests import list_chunks
from api.knowledge.ports import KnowledgePorts
from api.sources.ports import SourcePorts
from api.sources.versions import CitedVersion
from schemas import ids
from schemas.bodies.sources import HighlightRange, SourcePassage
from schemas.chats import Passage, locator_of
from schemas.documents import Locator
from schemas.requests import ChunkText, ListChunks

BEFORE = 2  # chunks shown before the one that is cited
BATCH = 100  # chunks read at once where the quote has to be looked for
BATCHES_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedText:
    """Passages with the quote in ``share``; ``text`` and ``place`` are those of the one that is cited, empty when it is not known."""

    passages: tuple[SourcePassage, ...] = ()
    share: float = 0.0
    title: str = ""
    text: str = ""
    place: Locator | None = None
    recorded: bool = False
    previous: int | None = None
    next: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Citing:
    """What a request says of a citation. ``first``: chunks from this ordinal on, instead of those around the cited one."""

    chunk_id: str = ""
    quote: str = ""
    reply_id: str = ""
    first: int | None = None
    limit: int


async def read_quoted_text(request: ApiRequest, cited: CitedVersion, citing: Citing) -> QuotedText:
    """The passages. Raises what asking the index or reading the log raises."""
    if cited.is_visible:
        return await _read_chunks(request, cited, citing)
    if cited.is_withdrawn or not citing.reply_id:
        return QuotedText()
    passage = await _find_recorded(request, cited, citing)
    return QuotedText() if passage is None else await asyncio.to_thread(_of_passage, passage, citing.quote)


async def _read_chunks(request: ApiRequest, cited: CitedVersion, citing: Citing) -> QuotedText:
    ordinal = await _find_ordinal(request, cited, citing)
    first = citing.first if citing.first is not None else max(0, (ordinal or 0) - BEFORE)
    listed, more = await _list(request, cited, first, citing.limit)
    chosen = next((chunk for chunk in listed if chunk.ordinal == ordinal), None)
    if chosen is None and ordinal is not None:
        chosen = next(iter((await _list(request, cited, ordinal, 1))[0]), None)
    pieces = [chunk.text[chunk.overlap if place else 0 :] for place, chunk in enumerate(listed)]
    match = await asyncio.to_thread(find_quote, pieces, citing.quote, chosen.text if chosen is not None else "")
    ranges: list[list[HighlightRange]] = [[] for _ in listed]
    for part in match.parts:
        cut = len(listed[part.piece].text) - len(pieces[part.piece])
        ranges[part.piece].append(HighlightRange(start=part.start + cut, end=part.end + cut))
    return QuotedText(
        passages=tuple(_of_chunk(chunk, tuple(found)) for chunk, found in zip(listed, ranges, strict=True)),
        share=match.share,
        title=listed[0].title if listed else "",
        text=chosen.text if chosen is not None else "",
        place=chosen.place if chosen is not None else None,
        previous=max(0, first - citing.limit) if first else None,
        next=listed[-1].ordinal + 1 if more and listed else None,
    )


async def _find_ordinal(request: ApiRequest, cited: CitedVersion, citing: Citing) -> int | None:
    """The ordinal of the cited chunk; after a rebuild, which gives chunks new ids, of one that has the quote."""
    generation = request.ports(KnowledgePorts).catalogue.plan(cited.tenant, cited.knowledge_base_id).active.generation
    count = (await request.core.visibility.prior_state(cited.key)).chunks
    if citing.chunk_id:
        found = await asyncio.to_thread(ids.chunk_ordinal, citing.chunk_id, cited.key, cited.version, generation, count)
        if found is not None:
            return found
    if citing.first is not None or not citing.quote:
        return None
    for first in range(0, min(count, BATCH * BATCHES_MAX), BATCH):
        listed, more = await _list(request, cited, first, BATCH)
        match = await asyncio.to_thread(find_quote, [chunk.text for chunk in listed], citing.quote)
        if match.parts:
            return listed[match.parts[0].piece].ordinal
        if not more:
            break
    return None


async def _list(request: ApiRequest, cited: CitedVersion, first: int, limit: int) -> tuple[tuple[ChunkText, ...], bool]:
    """Chunks, and whether more follow; none when another version became visible meanwhile."""
    ask = ListChunks(
        knowledge_base_id=cited.knowledge_base_id, document_id=cited.document_id, version=cited.version, first=first, limit=limit
    )
    listed = await list_chunks(request, ask)
    return (listed.chunks, listed.more) if listed.visible == cited.version else ((), False)


async def _find_recorded(request: ApiRequest, cited: CitedVersion, citing: Citing) -> Passage | None:
    """The passage of this version that a reply of the caller's was made from: the cited one, else one that has the quote.

    None for a reply that has not ended, or is not there for the caller.
    """
    ports, caller = request.ports(SourcePorts), request.user
    location = await ports.chats.reply_locks.locate(caller.tenant, citing.reply_id)
    scope = "" if location is None else f"{caller.tenant}/{location.conversation_id}"
    message = await ports.core.read_models.messages.get(scope, citing.reply_id) if scope else None
    if message is None or message.role != "assistant" or not may_see(caller, message):
        return None
    passages = [
        passage
        for passage in await ports.chats.audit_trails.read_passages(caller.tenant, message)
        if (passage.knowledge_base_id, passage.document_id, passage.version) == (cited.knowledge_base_id, cited.document_id, cited.version)
    ]
    named = [passage for passage in passages if citing.chunk_id in (passage.chunk_id, *passage.chunk_ids)]
    return await asyncio.to_thread(_choose_passage, named or passages, citing.quote) or next(iter(named), None)


def _choose_passage(passages: Sequence[Passage], quote: str) -> Passage | None:
    """The first that has the quote."""
    return next((passage for passage in passages if find_quote([passage.text], quote).share >= FOUND_SHARE_MIN), None)


def _of_passage(passage: Passage, quote: str) -> QuotedText:
    match = find_quote([passage.text], quote)
    shown = SourcePassage(
        chunk_id=passage.chunk_id,
        ordinal=passage.ordinal,
        headings=passage.headings,
        locator=passage.locator,
        place=passage.place,
        text=passage.text,
        tables=passage.tables,
        highlights=tuple(HighlightRange(start=part.start, end=part.end) for part in match.parts),
    )
    return QuotedText(passages=(shown,), share=match.share, title=passage.title, text=passage.text, place=passage.place, recorded=True)


def _of_chunk(chunk: ChunkText, highlights: tuple[HighlightRange, ...]) -> SourcePassage:
    return SourcePassage(
        chunk_id=chunk.chunk_id,
        ordinal=chunk.ordinal,
        headings=chunk.headings,
        locator=locator_of(chunk.place, chunk.headings, chunk.ordinal),
        place=chunk.place,
        text=chunk.text,
        overlap=chunk.overlap,
        tables=chunk.tables,
        highlights=highlights,
    )
