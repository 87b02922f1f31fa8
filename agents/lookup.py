"""requests.asked -> lookup -> requests.answered

Answers what the API asks of the index: passages for a query, chunks of a document. Only what readers may see at this moment; nothing that
nobody waits for any more. Whoever rebuilds an index asks how much a shelf holds, and to clear one that is let go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.index.port import Hit
from adapters.language import estimated_tokens
from adapters.models.followups import background, condensed
from schemas import ids
from schemas.documents import Shelf
from schemas.errors import Problem, Refused
from schemas.requests import (
    Answer,
    Ask,
    Chunks,
    ChunkText,
    ClearShelf,
    CountShelves,
    Found,
    ListChunks,
    Passages,
    RequestAnswered,
    RequestAsked,
    Result,
    Search,
    ShelfCounts,
)
from streams.agent import Agent, Context, Outgoing
from streams.searching import Searching
from streams.topics import REQUESTS_ANSWERED, REQUESTS_ASKED

NAME = "lookup"
ANSWER_BYTES_MAX = 512 * 1024  # of text in one answer: with escapes and the rest it stays below a record's 1 MiB


@dataclass(frozen=True, slots=True)
class Lookup:
    """The agent's ports."""

    searching: Searching
    in_flight_max: int

    def agent(self) -> Agent:
        """Somebody waits for every one of these; order means nothing."""
        return Agent(name=NAME, reads=(REQUESTS_ASKED,), step=self.step, failed=self.failed, in_flight_max=self.in_flight_max, awaited=True)

    async def step(self, event: RequestAsked, context: Context) -> Sequence[Outgoing]:
        """Repeated while the index or Redis is out of reach, until the deadline."""
        asked = event.data
        if context.clock.now() >= asked.deadline:
            return []
        result = await self.result(event.tenant, asked.ask)
        return [answered(event, Answer(request_id=asked.request_id, result=result), context)]

    async def failed(self, event: RequestAsked, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """Whoever asked is told why there is no answer."""
        return [answered(event, Answer(request_id=event.data.request_id, problem=problem), context)]

    async def result(self, tenant: str, ask: Ask) -> Result:
        """What is known of it, or done about it."""
        match ask:
            case Search():
                return await self.passages(tenant, ask)
            case ListChunks():
                return await self.chunks(tenant, ask)
            case CountShelves():
                return ShelfCounts(points=await self.counts(tenant, ask.knowledge_base_id, ask.shelves))
            case ClearShelf():
                return await self.cleared(tenant, ask)

    async def passages(self, tenant: str, ask: Search) -> Passages:
        """The best of what passes the thresholds."""
        query = condensed(ask.query, ask.history)
        searched = await self.searching.search(tenant, ask.knowledge_base_ids, query, ask.limit, background=background(ask.history))
        hits = [hit for hit in searched.hits if hit.bm25 >= ask.bm25_min and hit.dense >= ask.dense_min]
        asked_for = query if query != ask.query else ""
        return Passages(keywords=searched.keywords, passages=tuple(found(hit) for hit in fitting(hits)), query=asked_for)

    async def chunks(self, tenant: str, ask: ListChunks) -> Chunks:
        """Looked at before the visibility record is: while its points are being removed a version is not visible any more."""
        key = ids.document_key(tenant, ask.knowledge_base_id, ask.document_id)
        hits = await self.searching.chunks(
            tenant, ask.knowledge_base_id, ask.document_id, ask.version, first=ask.first, limit=ask.limit + 1
        )
        standing = (await self.searching.sight.of((key,)))[key]
        if not standing.shows(ask.version):
            return Chunks(visible=standing.shown)
        page = fitting(hits[: ask.limit])
        return Chunks(visible=ask.version, chunks=tuple(chunk(hit) for hit in page), more=len(hits) > len(page))

    async def counts(self, tenant: str, knowledge_base: str, shelves: Sequence[Shelf]) -> tuple[int, ...]:
        """Points of each."""
        counted = []
        for shelf in shelves:
            index = (await self.searching.engine_of(shelf.embedding)).index
            counted.append(await index.count_shelf(tenant, ids.shelf_name(knowledge_base, shelf.generation)))
        return tuple(counted)

    async def cleared(self, tenant: str, ask: ClearShelf) -> ShelfCounts:
        """A repeat removes what was stored meanwhile. Never one that is still filled or read."""
        if ask.shelf in self.searching.plans.plan(tenant, ask.knowledge_base_id).shelves:
            raise Refused("index_building", f"generation {ask.shelf.generation} is in use")
        index = (await self.searching.engine_of(ask.shelf.embedding)).index
        removed = await index.remove_shelf(tenant, ids.shelf_name(ask.knowledge_base_id, ask.shelf.generation))
        return ShelfCounts(points=await self.counts(tenant, ask.knowledge_base_id, (ask.shelf,)), removed=removed)


def answered(event: RequestAsked, answer: Answer, context: Context) -> Outgoing:
    """The event that only the asking process reads."""
    made = RequestAnswered.caused_by(event, NAME, data=answer, now=context.clock.now())
    return Outgoing(REQUESTS_ANSWERED, made, partition=event.data.reply_partition)


def fitting(hits: Sequence[Hit]) -> Sequence[Hit]:
    """As many from the start as one answer holds; at least one."""
    size = 0
    for count, hit in enumerate(hits):
        size += len(hit.text.encode())
        if count and size > ANSWER_BYTES_MAX:
            return hits[:count]
    return hits


def found(hit: Hit) -> Found:
    """A hit as it travels."""
    return Found(
        chunk_id=hit.id,
        knowledge_base_id=hit.knowledge_base_id,
        document_id=hit.document_id,
        version=hit.version,
        ordinal=hit.ordinal,
        title=hit.title,
        headings=hit.headings,
        place=hit.place,
        text=hit.text,
        score=round(hit.score, 4),
        bm25=round(hit.bm25, 4),
        dense=round(hit.dense, 4),
    )


def chunk(hit: Hit) -> ChunkText:
    """A chunk as it travels."""
    return ChunkText(
        chunk_id=hit.id,
        ordinal=hit.ordinal,
        title=hit.title,
        headings=hit.headings,
        place=hit.place,
        text=hit.text,
        tokens=estimated_tokens(hit.text),
    )
