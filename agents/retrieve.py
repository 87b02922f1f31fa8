"""chats.asked -> retrieve -> chats.grounded, usage.recorded

Finds passages in the user's tenant and knowledge bases: of visible versions only, so no answer uses half a document, an old version or a
deleted one. A follow-up question is first condensed into one that stands alone; the conversation before it is background of the search.
Greetings and thanks are passed on without a search. Whether the passages answer the question is the language model's judgement; where there
is none, words decide (``adapters.models.grounding.answerability``), and passages that do not answer go no further.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal

import msgspec
import structlog
from msgspec.structs import replace

from adapters.index.port import Hit, heading_of
from adapters.models.dialogue.condensing import CondensedQuestion, Condenser, QuestionCondenser
from adapters.models.dialogue.courtesies import find_courtesy
from adapters.models.dialogue.follow_ups import search_background
from adapters.models.grounding.answerability import find_meant, is_follow_up_answerable
from adapters.rerankers.choose import create_reranker
from adapters.rerankers.port import Reranker
from adapters.text.enumerations import listing_of
from adapters.text.language import fold, language_of
from domain import composition
from domain.chats.topics import CHATS_ASKED, CHATS_GROUNDED
from domain.retrieval import passages
from domain.retrieval.passages import HitGroup
from domain.retrieval.search import SearchResult, SearchService
from domain.retrieval.tables.answers import TableAnswers
from domain.time_zones import read_time_zone
from domain.usage.topics import USAGE_RECORDED
from schemas import ids
from schemas.chats import ChatAsked, ChatGrounded, Consumption, Grounding, LogPlace, Passage, UsageRecorded
from schemas.errors import ClawError, Problem
from schemas.model_names import model_chain
from schemas.settings import RetrievalSettings
from streams.live import Live
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts

NAME, WORKER_GROUP = "retrieve", "knowledge"
QUESTIONS_IN_FLIGHT_MAX = 64  # per partition: more only wait for the index's threads
OVERFETCH_FACTOR = 2  # times the passages are searched for: some are copies, some are neighbours that become one
LISTING_FACTOR = 2  # times the passages where a question asks for everything of a kind; the budget of tokens stays
WIDENED_MAX = 2  # best passages whose lists and tables are completed from the index

Grounds = Literal["words", "meaning", ""]  # why a question is answerable from its passages; "": it is not

log = structlog.get_logger(__name__)


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the search that it shares with the query service."""
    retrieval, searching = ports.settings.retrieval, ports.get(composition.search_service)
    condenser = Condenser(ports.get(composition.writer), retrieval.condense_timeout_s)
    reranker = create_reranker(retrieval)
    if reranker is not None:
        ports.attach(reranker)
    tables, provider = TableAnswers(searching, retrieval), ports.settings.model.provider
    zone = read_time_zone(retrieval.time_zone, "CLAW_RETRIEVAL_TIME_ZONE")
    step = Retrieve(
        searching,
        condenser,
        reranker,
        ports.get(composition.live_settings).of(RetrievalSettings),
        QUESTIONS_IN_FLIGHT_MAX,
        provider,
        tables,
        zone,
        words_decide=all(each == "local" for _, each in model_chain(ports.settings)),
    )
    return (step.agent(),)


@dataclass(frozen=True, slots=True)
class Retrieve:
    """The agent's ports. ``model_provider`` is the condensing model's, for its usage. ``words_decide``: no language model answers."""

    searching: SearchService
    condensing: QuestionCondenser
    reranker: Reranker | None
    settings: Live[RetrievalSettings]
    in_flight_max: int
    model_provider: str = ""
    tables: TableAnswers | None = None
    zone: tzinfo = UTC
    words_decide: bool = True

    def agent(self) -> Agent:
        """Search runs beside the event loop; many questions are in flight at once."""
        return Agent(
            name=NAME, reads=(CHATS_ASKED,), step=self.step, failed=self.report_failure, in_flight_max=self.in_flight_max, awaited=True
        )

    async def step(self, event: ChatAsked, context: Context) -> Sequence[Outgoing]:
        """Condense, search, choose; a greeting or the like as it is."""
        asked, began = event.data, context.clock.monotonic_s()
        if (courtesy := find_courtesy(asked.content)) is not None:
            return [grounding_event(event, Grounding(question=asked, query="", keywords=(), passages=(), courtesy=courtesy), context)]
        condensed = await self.condensing.condense(asked)
        searching = context.clock.monotonic_s()
        searched, reranked_by = await self.search(event.tenant, asked.knowledge_base_ids, condensed.query, event)
        computed = await self.compute(event, searched, condensed)
        chosen, grounds, meant = await self.choose_passages(event.tenant, searched, condensed, computed)
        ended = context.clock.monotonic_s()
        data = Grounding(
            question=asked,
            query=condensed.query,
            keywords=searched.keywords,
            passages=chosen,
            retrieve_ms=(ended - searching) * 1000,
            condensed_by=condensed.by,
            condense_ms=(searching - began) * 1000 if asked.history else 0.0,
            answerable=bool(grounds),
            by_meaning=grounds == "meaning",
            meant=meant,
            reranked_by=reranked_by,
        )
        return [grounding_event(event, data, context), *self.usage_events(event, condensed, context)]

    async def report_failure(self, event: ChatAsked, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """The reply is ``generate``'s: the event carries the reason why there are no passages."""
        data = Grounding(question=event.data, query="", keywords=(), passages=(), problem=problem)
        return [grounding_event(event, data, context)]

    async def search(self, tenant: str, bases: Sequence[str], query: str, event: ChatAsked) -> tuple[SearchResult, str]:
        """The hits, best first; as the reranker orders them when there is one and it answers, with its name, else with ""."""
        limit = OVERFETCH_FACTOR * self.passages_max(tenant, query)
        if self.reranker is not None:
            limit = max(limit, self.settings.value.candidates)
        searched = await self.searching.search(tenant, bases, query, limit, background=search_background(event.data.history))
        if self.reranker is None or not searched.hits:
            return searched, ""
        try:
            scores = await self.reranker.rerank(query, ["\n".join((hit.title, *hit.headings, hit.text)) for hit in searched.hits])
        except ClawError as error:
            log.warning("rerank_failed", code=error.code, detail=error.detail, reply_id=event.data.reply_id)
            return searched, ""
        order = sorted(range(len(scores)), key=lambda at: -scores[at])  # stable: hits without a score keep their order
        return SearchResult(searched.keywords, tuple(searched.hits[at] for at in order)), self.reranker.name

    async def compute(self, event: ChatAsked, searched: SearchResult, condensed: CondensedQuestion) -> tuple[Passage, ...]:
        """What the tables behind the hits answer; the days of a question such as 本月 are those of the time at which it was asked."""
        if self.tables is None:
            return ()
        today = event.time.astimezone(self.zone).date()
        return await self.tables.find(event.tenant, searched.hits, condensed.query, today)

    async def choose_passages(
        self, tenant: str, searched: SearchResult, condensed: CondensedQuestion, computed: Sequence[Passage] = ()
    ) -> tuple[tuple[Passage, ...], Grounds, tuple[int, ...]]:
        """The passages, why the question is answerable from them, and which are by their meaning though words say that it is not; no
        passages where words decide and it is not.

        An answer ``computed`` from a table goes first, and is one whatever words it shares with the question. Where words do not answer,
        the passages that may by their meaning are all that is left.
        """
        best = passages.select_groups(
            searched.hits, passages_max=self.passages_max(tenant, condensed.query), tokens_max=self.settings.value.context_tokens
        )
        plain = passages.build_passages(best.groups)
        if computed:
            return passages.put_first(computed, plain), "words", ()
        scores = max((hit.lexical for hit in searched.hits), default=())
        found = ["\n".join((heading_of(hit.title, hit.headings), hit.text)) for hit in searched.hits]
        grounds: Grounds = "words" if is_follow_up_answerable(condensed.claims, condensed.subject, plain, scores, found) else ""
        meant = [] if grounds else self.find_meant(condensed, best.groups)
        if not grounds and self.words_decide:
            return (passages.build_passages(meant), "meaning", ()) if meant else ((), "", ())
        left = best.tokens_left
        missing = passages.missing_neighbours(best.groups, groups_max=WIDENED_MAX) if left > 0 else []
        for group, ordinal in missing:
            for neighbour in await self.neighbours(tenant, group.best, ordinal):
                left = passages.add_neighbour(group, neighbour, left)
        markers = tuple(marker for marker, group in enumerate(best.groups, 1) if any(group is each for each in meant))
        return (passages.build_passages(best.groups) if missing else plain), grounds, markers

    def find_meant(self, condensed: CondensedQuestion, groups: Sequence[HitGroup]) -> list[HitGroup]:
        """The groups that may answer by their meaning, where words say that they do not; a language model gets all passages in any case.

        A subject that the question names in place of another is in passages of its language, or it is not there; so is what names a row of
        a table: 西瓜 is not in a row of 西芹, however near the two are.
        """
        subject, language = condensed.subject, language_of(condensed.query)
        others = [group for group in groups if not subject or language_of(group.best.text) != language_of(subject)]
        others = [group for group in others if language_of(group.best.text) != language or not passages.is_mostly_rows(group.best)]
        found = [(group.best.text, group.best.dense) for group in others]
        return [others[at] for at in find_meant(condensed.query, found, least=self.settings.value.meaning_min)]

    def passages_max(self, tenant: str, query: str) -> int:
        """How many passages a question of this tenant gets: more when it asks for everything of a kind."""
        return (LISTING_FACTOR if listing_of(fold(query)) else 1) * self.settings.of_tenant(tenant).passages

    async def neighbours(self, tenant: str, hit: Hit, ordinal: int) -> list[Hit]:
        """The chunk with that ordinal of the same version, if there is one."""
        return await self.searching.chunks(tenant, hit.knowledge_base_id, hit.document_id, hit.version, first=ordinal, limit=1)

    def usage_events(self, event: ChatAsked, condensed: CondensedQuestion, context: Context) -> list[Outgoing]:
        """Usage of the condensing model; the same event for every search of a reply, so it is charged once."""
        usage, asked = condensed.usage, event.data
        if usage is None:
            return []
        data = Consumption.of(
            usage,
            user_id=asked.user_id,
            conversation_id=asked.conversation_id,
            reply_id=asked.reply_id,
            model=condensed.model,
            cost_micros=condensed.cost_micros,
            provider=self.model_provider,
            purpose="condense",
            api_key_id=asked.api_key_id,
        )
        made = UsageRecorded.from_cause(event, NAME, subject=asked.user_id, data=data, now=context.clock.now())
        return [Outgoing(USAGE_RECORDED, replace(made, id=ids.derive("usage", asked.reply_id, "condense")))]


def grounding_event(event: ChatAsked, data: Grounding, context: Context) -> Outgoing:
    """The event that ``generate`` answers from, with the log offset of the question. A repeated search that finds something else is another
    event.
    """
    data = replace(data, asked=LogPlace(context.place.partition, context.place.offset))
    made = ChatGrounded.from_cause(event, NAME, data=data, now=context.clock.now())
    found = replace(data, retrieve_ms=0.0, condense_ms=0.0)
    return Outgoing(CHATS_GROUNDED, made.with_content_id(_encode(found)))


_encode = msgspec.json.Encoder().encode
