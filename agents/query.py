"""requests.asked -> lookup -> requests.answered, usage.recorded

The query service answers the API's requests to the index: passages for a query, chunks of a document; only of versions that are visible
now, and only until the deadline of the request. A reindex asks how many points a collection holds, and clears one that is dropped. Requests
for vectors are charged to their user.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.index.port import Hit
from adapters.models.dialogue.follow_ups import condense_by_rules, search_background
from adapters.text.language import estimate_tokens
from domain import composition
from domain.retrieval.search import SearchService
from domain.retrieval.topics import REQUESTS_ANSWERED, REQUESTS_ASKED
from domain.usage.topics import USAGE_RECORDED
from schemas import ids
from schemas.chats import Consumption, UsageRecorded
from schemas.documents import Shelf
from schemas.errors import Problem, Refused
from schemas.requests import (
    Answer,
    Chunks,
    ChunkText,
    ClearShelf,
    CountShelves,
    Embed,
    Found,
    ListChunks,
    Passages,
    RequestAnswered,
    RequestAsked,
    Result,
    Search,
    ShelfCounts,
    Vectors,
)
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts

NAME, WORKER_GROUP = "lookup", "knowledge"
QUESTIONS_IN_FLIGHT_MAX = 64  # per partition: more only wait for the index's threads
ANSWER_BYTES_MAX = 512 * 1024  # of text in one answer: with escapes and the rest it stays below a record's 1 MiB
EMBEDS_AT_ONCE_MAX = 2  # a provider takes four calls at once: questions need some of them


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the search that it shares with ``retrieve``."""
    return (QueryService(ports.get(composition.search_service), QUESTIONS_IN_FLIGHT_MAX).agent(),)


@dataclass(frozen=True, slots=True)
class QueryService:
    """The agent's ports."""

    searching: SearchService
    in_flight_max: int
    embeds: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EMBEDS_AT_ONCE_MAX))

    def agent(self) -> Agent:
        """Every request is awaited; their order has no meaning."""
        return Agent(
            name=NAME, reads=(REQUESTS_ASKED,), step=self.step, failed=self.report_failure, in_flight_max=self.in_flight_max, awaited=True
        )

    async def step(self, event: RequestAsked, context: Context) -> Sequence[Outgoing]:
        """Repeated while the index or Redis is out of reach, until the deadline."""
        asked = event.data
        if context.clock.now() >= asked.deadline:
            return []
        if isinstance(asked.ask, Embed):
            return await self.embed(event, asked.ask, context)
        result = await self.result(event.tenant, asked.ask)
        return [answer_event(event, Answer(request_id=asked.request_id, result=result), context)]

    async def report_failure(self, event: RequestAsked, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """The answer carries the problem."""
        return [answer_event(event, Answer(request_id=event.data.request_id, problem=problem), context)]

    async def embed(self, event: RequestAsked, ask: Embed, context: Context) -> Sequence[Outgoing]:
        """A few at once; a request past its deadline is neither answered nor charged."""
        async with self.embeds:
            if context.clock.now() >= event.data.deadline:
                return []
            vectors = await self.vectors(ask)
        return [
            answer_event(event, Answer(request_id=event.data.request_id, result=vectors), context),
            usage_event(event, ask, vectors, context),
        ]

    async def result(self, tenant: str, ask: Search | ListChunks | CountShelves | ClearShelf) -> Result:
        """The answer to one request."""
        match ask:
            case Search():
                return await self.passages(tenant, ask)
            case ListChunks():
                return await self.chunks(tenant, ask)
            case CountShelves():
                points = await self.counts(tenant, ask.knowledge_base_id, ask.shelves)
                return ShelfCounts(points=points, unencoded=await self.counts_unencoded(tenant, ask.knowledge_base_id, ask.shelves))
            case ClearShelf():
                return await self.clear(tenant, ask)

    async def passages(self, tenant: str, ask: Search) -> Passages:
        """The best of what passes the thresholds."""
        query = condense_by_rules(ask.query, ask.history)
        searched = await self.searching.search(tenant, ask.knowledge_base_ids, query, ask.limit, background=search_background(ask.history))
        hits = [hit for hit in searched.hits if hit.bm25 >= ask.bm25_min and hit.dense >= ask.dense_min]
        asked_for = query if query != ask.query else ""
        return Passages(keywords=searched.keywords, passages=tuple(passage_of(hit) for hit in truncate_hits(hits)), query=asked_for)

    async def chunks(self, tenant: str, ask: ListChunks) -> Chunks:
        """Read before the visibility record: a version whose points are being removed is not visible any more."""
        key = ids.document_key(tenant, ask.knowledge_base_id, ask.document_id)
        hits = await self.searching.chunks(
            tenant, ask.knowledge_base_id, ask.document_id, ask.version, first=ask.first, limit=ask.limit + 1
        )
        state = (await self.searching.visibility.version_states((key,)))[key]
        if not state.is_visible(ask.version):
            return Chunks(visible=state.visible_version)
        page = truncate_hits(hits[: ask.limit])
        return Chunks(visible=ask.version, chunks=tuple(chunk_of(hit) for hit in page), more=len(hits) > len(page))

    async def counts(self, tenant: str, knowledge_base: str, shelves: Sequence[Shelf]) -> tuple[int, ...]:
        """Points of each."""
        counted = []
        for shelf in shelves:
            index = (await self.searching.engine_of(shelf.engine)).index
            counted.append(await index.count_collection(tenant, ids.collection_name(knowledge_base, shelf.generation)))
        return tuple(counted)

    async def counts_unencoded(self, tenant: str, knowledge_base: str, shelves: Sequence[Shelf]) -> tuple[int, ...]:
        """Points of each that still lack their second vector."""
        counted = []
        for shelf in shelves:
            index = (await self.searching.engine_of(shelf.engine)).index
            counted.append(await index.count_unencoded(tenant, ids.collection_name(knowledge_base, shelf.generation)))
        return tuple(counted)

    async def clear(self, tenant: str, ask: ClearShelf) -> ShelfCounts:
        """Remove the points of a collection that is not in use, or is erased; a repeat removes those stored meanwhile."""
        if not ask.erased and ask.shelf in self.searching.plans.plan(tenant, ask.knowledge_base_id).collections:
            raise Refused("index_building", f"generation {ask.shelf.generation} is in use")
        index = (await self.searching.engine_of(ask.shelf.engine)).index
        removed = await index.remove_collection(tenant, ids.collection_name(ask.knowledge_base_id, ask.shelf.generation))
        return ShelfCounts(points=await self.counts(tenant, ask.knowledge_base_id, (ask.shelf,)), removed=removed)

    async def vectors(self, ask: Embed) -> Vectors:
        """By the embedding of new collections."""
        encoder = (await self.searching.engine_of("")).encoder
        rows = await encoder.embed(ask.texts)
        tokens = sum(map(estimate_tokens, ask.texts))
        return Vectors(model=encoder.embedding_name, dimensions=rows.shape[1], values=rows.astype("<f4").tobytes(), tokens=tokens)


def usage_event(event: RequestAsked, ask: Embed, result: Vectors, context: Context) -> Outgoing:
    """Usage of the embedding model; a repeat of the event has the same id."""
    data = Consumption(
        user_id=ask.user_id,
        conversation_id="",
        reply_id=event.data.request_id,
        model=result.model,
        prompt_tokens=result.tokens,
        completion_tokens=0,
        estimated=True,
        purpose="embedding",
        api_key_id=ask.api_key_id,
    )
    return Outgoing(USAGE_RECORDED, UsageRecorded.from_cause(event, NAME, subject=ask.user_id, data=data, now=context.clock.now()))


def answer_event(event: RequestAsked, answer: Answer, context: Context) -> Outgoing:
    """The event that only the asking process reads."""
    made = RequestAnswered.from_cause(event, NAME, data=answer, now=context.clock.now())
    return Outgoing(REQUESTS_ANSWERED, made, partition=event.data.reply_partition)


def truncate_hits(hits: Sequence[Hit]) -> Sequence[Hit]:
    """As many from the start as one answer holds; at least one."""
    size = 0
    for count, hit in enumerate(hits):
        size += len(hit.text.encode())
        if count and size > ANSWER_BYTES_MAX:
            return hits[:count]
    return hits


def passage_of(hit: Hit) -> Found:
    """A hit, as in the answer event."""
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


def chunk_of(hit: Hit) -> ChunkText:
    """A chunk, as in the answer event."""
    return ChunkText(
        chunk_id=hit.id,
        ordinal=hit.ordinal,
        title=hit.title,
        headings=hit.headings,
        place=hit.place,
        text=hit.text,
        tokens=estimate_tokens(hit.text),
        overlap=hit.overlap,
        tables=hit.tables,
    )
