"""chats.asked -> retrieve -> chats.grounded, usage.recorded

Finds passages inside the asker's tenant and knowledge bases: of visible versions only, so no answer is made of half a document, an old one
or a deleted one. A follow-up is made to stand alone first, and what was said before it colours the search.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from msgspec.structs import replace

from adapters.index.port import Hit
from adapters.models.answerability import found
from adapters.models.condensing import Condensed, Condensing
from adapters.models.follow_ups import background
from adapters.rerankers.port import Reranker
from domain.retrieval import passages
from domain.retrieval.search import Searched, Searching
from schemas import ids
from schemas.chats import ChatAsked, ChatGrounded, Consumption, Grounding, LogPlace, Passage, UsageRecorded
from schemas.errors import ClawError, Problem
from schemas.settings import Retrieval
from streams.runtime.agent import Agent, Context, Outgoing
from streams.topics import CHATS_ASKED, CHATS_GROUNDED, USAGE_RECORDED

NAME = "retrieve"
SPARE = 2  # times the passages are searched for: some are copies, some are neighbours that become one
WIDENED_MAX = 2  # best passages whose lists and tables are completed from the index

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Retrieve:
    """The agent's ports. ``model_provider`` is the condensing model's, for its usage."""

    searching: Searching
    condensing: Condensing
    reranker: Reranker | None
    settings: Retrieval
    in_flight_max: int
    model_provider: str = ""

    def agent(self) -> Agent:
        """Search runs beside the event loop; many questions are in flight at once."""
        return Agent(name=NAME, reads=(CHATS_ASKED,), step=self.step, failed=self.failed, in_flight_max=self.in_flight_max, awaited=True)

    async def step(self, event: ChatAsked, context: Context) -> Sequence[Outgoing]:
        """Condense, search, choose; no passages when none of them can ground an answer."""
        asked, began = event.data, context.clock.monotonic_s()
        condensed = await self.condensing.condense(asked)
        searching = context.clock.monotonic_s()
        searched = await self.searched(event.tenant, asked.knowledge_base_ids, condensed.query, event)
        grounds = await self.chosen(event.tenant, searched, (asked.content, condensed.query))
        ended = context.clock.monotonic_s()
        data = Grounding(
            question=asked,
            query=condensed.query,
            keywords=searched.keywords,
            passages=grounds,
            retrieve_ms=(ended - searching) * 1000,
            condensed_by=condensed.by,
            condense_ms=(searching - began) * 1000 if asked.history else 0.0,
        )
        return [grounded(event, data, context), *self.charge(event, condensed, context)]

    async def failed(self, event: ChatAsked, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """``generate`` owns the reply: it is told why there is nothing to answer from."""
        data = Grounding(question=event.data, query="", keywords=(), passages=(), problem=problem)
        return [grounded(event, data, context)]

    async def searched(self, tenant: str, bases: Sequence[str], query: str, event: ChatAsked) -> Searched:
        """The hits, best first; as the reranker orders them when there is one and it answers."""
        limit = SPARE * self.settings.passages
        if self.reranker is not None:
            limit = max(limit, self.settings.candidates)
        searched = await self.searching.search(tenant, bases, query, limit, background=background(event.data.history))
        if self.reranker is None or not searched.hits:
            return searched
        try:
            scores = await self.reranker.rerank(query, ["\n".join((hit.title, *hit.headings, hit.text)) for hit in searched.hits])
        except ClawError as error:
            log.warning("rerank_failed", code=error.code, detail=error.detail, reply_id=event.data.reply_id)
            return searched
        order = sorted(range(len(scores)), key=lambda at: -scores[at])  # stable: what the reranker left out keeps its order
        return Searched(searched.keywords, tuple(searched.hits[at] for at in order))

    async def chosen(self, tenant: str, searched: Searched, questions: Sequence[str]) -> tuple[Passage, ...]:
        """The passages, when they can ground an answer to the question as asked or as condensed."""
        best = passages.chosen(searched.hits, passages_max=self.settings.passages, tokens_max=self.settings.context_tokens)
        plain = passages.passages(best.groups)
        if not any(found(question, plain) for question in dict.fromkeys(questions)):
            return ()
        left = best.tokens_left
        missing = passages.wanted(best.groups, groups_max=WIDENED_MAX) if left > 0 else []
        for group, ordinal in missing:
            for neighbour in await self.neighbours(tenant, group.best, ordinal):
                left = passages.widened(group, neighbour, left)
        return passages.passages(best.groups) if missing else plain

    async def neighbours(self, tenant: str, hit: Hit, ordinal: int) -> list[Hit]:
        """The chunk with that ordinal of the same version, if there is one."""
        return await self.searching.chunks(tenant, hit.knowledge_base_id, hit.document_id, hit.version, first=ordinal, limit=1)

    def charge(self, event: ChatAsked, condensed: Condensed, context: Context) -> list[Outgoing]:
        """What condensing cost; the same event for every search of a reply, so it is charged once."""
        usage, asked = condensed.usage, event.data
        if usage is None:
            return []
        data = Consumption(
            user_id=asked.user_id,
            conversation_id=asked.conversation_id,
            reply_id=asked.reply_id,
            model=condensed.model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            estimated=usage.estimated,
            provider=self.model_provider,
            purpose="condense",
            api_key_id=asked.api_key_id,
        )
        made = UsageRecorded.caused_by(event, NAME, subject=asked.user_id, data=data, now=context.clock.now())
        return [Outgoing(USAGE_RECORDED, replace(made, id=ids.derived("usage", asked.reply_id, "condense")))]


def grounded(event: ChatAsked, data: Grounding, context: Context) -> Outgoing:
    """The event that ``generate`` answers from; it says where the question lies, so that nobody has to look for it."""
    data = replace(data, asked=LogPlace(context.place.partition, context.place.offset))
    return Outgoing(CHATS_GROUNDED, ChatGrounded.caused_by(event, NAME, data=data, now=context.clock.now()))
