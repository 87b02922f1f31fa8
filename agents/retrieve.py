"""chats.asked -> retrieve -> chats.grounded

Finds passages inside the asker's tenant and knowledge bases: of visible versions only, so no answer is made of half a document, an old one
or a deleted one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from adapters.index.port import Hit
from adapters.language import estimated_tokens
from adapters.models.grounds import found
from schemas.chats import ChatAsked, ChatGrounded, Grounding, LogPlace, Passage, Question
from schemas.errors import Problem
from schemas.settings import Retrieval
from streams.agent import Agent, Context, Outgoing
from streams.searching import Searching
from streams.topics import CHATS_ASKED, CHATS_GROUNDED

NAME = "retrieve"
FOLLOW_UP_CHARS_MAX = 500  # of the question before, put in front of one that finds nothing by itself


@dataclass(frozen=True, slots=True)
class Retrieve:
    """The agent's ports."""

    searching: Searching
    settings: Retrieval
    in_flight_max: int

    def agent(self) -> Agent:
        """Search runs beside the event loop; many questions are in flight at once."""
        return Agent(name=NAME, reads=(CHATS_ASKED,), step=self.step, failed=self.failed, in_flight_max=self.in_flight_max, awaited=True)

    async def step(self, event: ChatAsked, context: Context) -> Sequence[Outgoing]:
        """The question as it stands; a follow-up that finds nothing is asked again with the question before it."""
        asked, began = event.data, context.clock.monotonic_s()
        data = Grounding(question=asked, query=asked.content, keywords=(), passages=())
        for query in queries(asked):
            searched = await self.searching.search(event.tenant, asked.knowledge_base_ids, query, self.settings.passages)
            passages = fit(searched.hits, self.settings)
            if not found(query, passages):
                passages = ()
            retrieve_ms = (context.clock.monotonic_s() - began) * 1000
            data = Grounding(question=asked, query=query, keywords=searched.keywords, passages=passages, retrieve_ms=retrieve_ms)
            if passages:
                break
        return [grounded(event, data, context)]

    async def failed(self, event: ChatAsked, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """``generate`` owns the reply: it is told why there is nothing to answer from."""
        return [grounded(event, Grounding(question=event.data, query="", keywords=(), passages=(), problem=problem), context)]


def grounded(event: ChatAsked, data: Grounding, context: Context) -> Outgoing:
    """The event that ``generate`` answers from; it says where the question lies, so that nobody has to look for it."""
    data = msgspec.structs.replace(data, asked=LogPlace(context.place.partition, context.place.offset))
    return Outgoing(CHATS_GROUNDED, ChatGrounded.caused_by(event, NAME, data=data, now=context.clock.now()))


def queries(asked: Question) -> tuple[str, ...]:
    """What to search for, in order of preference."""
    before = next((turn.content for turn in reversed(asked.history) if turn.role == "user"), "")
    return (asked.content, f"{before[:FOLLOW_UP_CHARS_MAX]} {asked.content}") if before else (asked.content,)


def fit(hits: Sequence[Hit], settings: Retrieval) -> tuple[Passage, ...]:
    """The best hits within the token budget, numbered from 1; the first always fits."""
    passages: list[Passage] = []
    tokens = 0
    for hit in hits[: settings.passages]:
        tokens += estimated_tokens(hit.text)
        if passages and tokens > settings.context_tokens:
            break
        passages.append(
            Passage(
                marker=len(passages) + 1,
                chunk_id=hit.id,
                knowledge_base_id=hit.knowledge_base_id,
                document_id=hit.document_id,
                version=hit.version,
                ordinal=hit.ordinal,
                title=hit.title,
                headings=hit.headings,
                score=round(hit.score, 4),
                text=hit.text,
                place=hit.place,
            )
        )
    return tuple(passages)
