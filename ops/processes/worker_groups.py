"""Which agents share a process, and what each lane opens.

Lanes are split by what they wait for, because a slow agent starves its neighbours.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Counter

from adapters.blobs import BlobStore
from adapters.children.worker import TextWorker
from adapters.concurrency import Gates
from adapters.embedders.query import QueryEncoder
from adapters.index.choose import vector_index
from adapters.index.port import VectorIndex
from adapters.models.choose import answer_model, writer
from adapters.models.condensing import Condenser
from adapters.redis.client import Client
from adapters.rerankers.choose import reranker
from adapters.web.fetch import Fetcher
from agents import count_decisions, count_usage, project
from agents.dispatch import Route
from agents.embed import Embed
from agents.generate import Generate, kept_answers
from agents.index import Index
from agents.ingest import Admit
from agents.parse import Parse
from agents.query import Lookup
from agents.retrieve import Retrieve
from agents.summarise import Digester
from domain.chats.history import Budget
from domain.chats.reply_lock import CancelWatch, Turns
from domain.documents.express import Express
from domain.documents.inbox import Sizes
from domain.documents.open_documents import OpenDocuments
from domain.documents.reconciler import Reconciler
from domain.documents.sources import Sources, file_of
from domain.documents.storage import Storage
from domain.documents.visibility import Sight, Visibility
from domain.documents.visibility_replica import Mirror
from domain.indexes.catalogue import Shelves
from domain.indexes.engines import Engines
from domain.indexes.reindexer import rebuilder
from domain.limits.decisions import DecisionFeeds, DecisionTables, changes_in
from domain.limits.reservations import reservations
from domain.read_models import Views
from domain.retrieval.search import Searching
from domain.retrieval.vector_cache import Vectors
from domain.usage.counters import usage_counter
from schemas import ids
from schemas.documents import DocumentSubmitted
from schemas.documents import Lane as DocumentLane
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams import topics
from streams.cache import Cache
from streams.clock import SystemClock
from streams.log.range_reader import GapReader
from streams.runtime.agent import Agent, Lane, Outgoing, Publisher
from streams.tables.counters import CounterFeed
from streams.tables.record_writer import Records

QUESTIONS_IN_FLIGHT_MAX = 64  # per partition: more only wait for the index's threads
UPSERTS_IN_FLIGHT_MAX = 128  # per partition: what the index gathers into its batches
EXPRESS_IN_FLIGHT_MAX = 16  # per partition: parsing is CPU, a deep queue in the children would only age there
BULK_IN_FLIGHT_MAX = 48  # per partition; the children take express first, so depth costs people nothing and batches every hop
KNOWLEDGE_POLL_MAX = 32  # people's questions come between the machines' documents
TABLES_PACE_S = 0.01  # somebody may look at a document's state; a delete waits for its own answer
CHAT_TABLES_PACE_S = 0.04  # nobody waits for these: a message was written through, and what was spent or refused is only counted
EMBEDDINGS_IN_FLIGHT_MAX = 96  # per partition: gathered into batches of the model


@dataclass(frozen=True, slots=True)
class Parts:
    """What every lane is built from."""

    settings: Settings
    redis: Client
    publisher: Publisher


class Opened(Protocol):
    """A port with a life of its own."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Started(Protocol):
    """The same by other names."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def lane(name: str, parts: Parts) -> Lane:
    """The lane of this name; raises ConfigurationError for one that does not exist."""
    if name not in BUILT_BY:
        raise ConfigurationError(f"there is no lane {name!r}: the lanes are {', '.join(BUILT_BY)}")
    return BUILT_BY[name](parts)


def knowledge(parts: Parts) -> Lane:
    """Waits for the index; with the embedded engine there is one such worker."""
    settings, retrieval = parts.settings, parts.settings.retrieval
    visibility, mirror, shelves = _visibility(parts), Mirror(settings.kafka), Shelves(settings.kafka)
    from_mirror = Counter(
        "claw_visibility_mirror_answers_total", "Looks at the visibility record that the mirror answered: Redis was down."
    )

    def make_index(encoder: QueryEncoder) -> VectorIndex:
        return vector_index(settings, model=encoder.embedding_name, dimensions=encoder.dimensions)

    gates = _gates(parts)
    engines, blobs, sources = Engines(retrieval, make_index, gates), *_sources(settings)
    cache = _cache(parts)
    sight, vectors = Sight(visibility, mirror, from_mirror.inc), Vectors(cache.of("embeddings", bytes))
    searching = Searching(engines.of, sight, shelves, retrieval.candidates, vectors)
    writing, reranking = writer(settings, gates), reranker(retrieval)
    condenser = Condenser(writing, retrieval.condense_timeout_s)
    providers = tuple(port for port in (writing, reranking) if port is not None)
    agents = (
        Retrieve(searching, condenser, reranking, retrieval, QUESTIONS_IN_FLIGHT_MAX, settings.model.provider).agent(),
        Lookup(searching, QUESTIONS_IN_FLIGHT_MAX).agent(),
        Index(engines, shelves, visibility, _express(parts), sources, UPSERTS_IN_FLIGHT_MAX).agent(),
    )
    return _lane("knowledge", agents, opened=(blobs, engines, *providers), started=(mirror, shelves, cache), poll_max=KNOWLEDGE_POLL_MAX)


def chat(parts: Parts) -> Lane:
    """Waits for the model; hundreds in flight."""
    settings, redis, prefix = parts.settings, parts.redis, parts.settings.redis.key_prefix
    gates, watch = _gates(parts), CancelWatch(parts.redis, prefix)
    model = answer_model(settings, gates)
    views, writes, budget = Views(redis, prefix), writer(settings, gates), Budget.of(settings.limits)
    turns, titles, cache, visibility = Turns(redis, prefix), writes is not None, _cache(parts), _visibility(parts)
    kept = kept_answers(settings, cache, visibility, model.name)
    generate = Generate(
        *(model, settings.model, views, turns, watch, visibility),
        budget=budget,
        titles=titles,
        answer_cache=kept,
        waits=lambda: gates.people_waiting,
        late_s=settings.lanes.late_s,
    )
    digest = Digester(writes, budget, views, Records(redis, prefix, parts.publisher, views, SystemClock()))
    opened: tuple[Opened, ...] = (model,) if writes is None else (model, writes)
    return _lane("chat", (generate.agent(), digest.agent()), opened=opened, started=(watch, cache))


def documents(parts: Parts) -> Lane:
    """Waits for CPU, in child processes, for an embedding provider where one is configured, and for web pages."""
    settings, visibility, express = parts.settings, _visibility(parts), _express(parts)
    worker = TextWorker(settings.retrieval, settings.documents, gates=_gates(parts))
    fetcher = Fetcher(settings.documents)
    blobs, sources = _sources(settings, fetcher)
    parse = Parse(worker, sources, visibility, express, settings.retrieval)
    agents = (
        parse.agent("parse_express", topics.DOCUMENTS_QUEUED_EXPRESS, EXPRESS_IN_FLIGHT_MAX),
        parse.agent("parse_bulk", topics.DOCUMENTS_QUEUED_BULK, BULK_IN_FLIGHT_MAX),
        Embed(worker, visibility, express, EMBEDDINGS_IN_FLIGHT_MAX).agent(),
    )
    return _lane("documents", agents, opened=(blobs, fetcher), started=(worker,))


def tables(parts: Parts) -> Lane:
    """Waits for Redis: fast, in order."""
    settings, redis, prefix = parts.settings, parts.redis, parts.settings.redis.key_prefix
    views = Views(redis, prefix)
    counter = usage_counter(redis, prefix, topics.USAGE_RECORDED.partitions(settings.kafka))
    feed = CounterFeed(counter, GapReader(settings.kafka, topics.USAGE_RECORDED), count_usage.changes_of)

    async def has_knowledge_base(tenant: str, knowledge_base: str) -> bool:
        if knowledge_base == ids.default_knowledge_base(tenant):
            return True
        return await views.knowledge_bases.get(tenant, knowledge_base) is not None

    inboxes = tuple(topics.inbox(tenant) for tenant in settings.lanes.inboxes)
    blobs, shelves = BlobStore(settings), Shelves(settings.kafka)
    incoming = Admit(
        has_knowledge_base=has_knowledge_base,
        blobs=blobs,
        sizes=Sizes(settings.limits.document_inline_bytes_max, settings.documents.file_bytes_max),
        random_bytes=secrets.token_bytes,
    )
    route = Route(_visibility(parts), _express(parts), shelves, settings.retrieval, file_of)
    underway = OpenDocuments(redis, prefix, topics.DOCUMENTS_PROGRESSED.partitions(settings.kafka))
    decided = DecisionTables(redis, prefix, topics.LIMITS_DECIDED.partitions(settings.kafka))
    gaps = GapReader(settings.kafka, topics.LIMITS_DECIDED)
    decisions = DecisionFeeds(*(CounterFeed(table, gaps, changes_in) for table in (decided.minutes, decided.hours)))
    agents = (
        incoming.agent(inboxes),
        route.agent(),
        project.agent(views, underway, Storage(redis, prefix)),
        count_usage.agent(feed, reservations(redis, settings)),
        count_decisions.agent(decisions),
    )
    started = (feed, decisions, shelves, rebuilder(settings, redis, shelves), _reconciler(parts, underway, route))
    unhurried = (topics.MESSAGES_CHANGED, topics.USAGE_RECORDED, topics.LIMITS_DECIDED)
    return _lane("tables", agents, opened=(blobs,), started=started, pace_s=TABLES_PACE_S, unhurried=unhurried)


BUILT_BY: dict[str, Callable[[Parts], Lane]] = {"knowledge": knowledge, "chat": chat, "documents": documents, "tables": tables}


def _reconciler(parts: Parts, underway: OpenDocuments, route: Route) -> Reconciler:
    clock = SystemClock()

    async def requeue(event: DocumentSubmitted, version: int, lane: DocumentLane, again: int) -> Sequence[Outgoing]:
        return await route.again(event, version, lane, again, clock.now())

    worker = secrets.token_hex(8)
    return Reconciler(parts.settings, underway, _visibility(parts), parts.redis, parts.publisher, clock, requeue, worker=worker)


def _cache(parts: Parts) -> Cache:
    looks = Counter("claw_cache_lookups_total", "Looks into the cache, and what came of them.", ("scenario", "outcome"))

    def observe(scenario: str, outcome: str) -> None:
        looks.labels(scenario, outcome).inc()

    return Cache(parts.redis, parts.settings.redis.key_prefix, parts.settings.cache, SystemClock(), observe)


def _gates(parts: Parts) -> Gates:
    """One per lane: with Redis down its share of a model's permits is one share, whoever in the process calls the model."""
    return Gates(parts.settings, parts.redis)


def _visibility(parts: Parts) -> Visibility:
    return Visibility(parts.redis, parts.settings.redis.key_prefix)


def _express(parts: Parts) -> Express:
    return Express(parts.redis, parts.settings.redis.key_prefix)


def _sources(settings: Settings, fetcher: Fetcher | None = None) -> tuple[BlobStore, Sources]:
    blobs = BlobStore(settings)
    return blobs, Sources(blobs, fetcher or Fetcher(settings.documents), settings.sealing)


def _lane(
    name: str,
    agents: tuple[Agent, ...],
    *,
    opened: tuple[Opened, ...] = (),
    started: tuple[Started, ...] = (),
    pace_s: float = 0.0,
    poll_max: int = 500,
    unhurried: tuple[topics.Topic, ...] = (),
) -> Lane:
    """A lane whose ports open in order and close in reverse, also when one of them fails to open."""
    stack = AsyncExitStack()
    steps: list[tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]] = [(port.open, port.close) for port in opened]
    steps += [(port.start, port.stop) for port in started]

    async def open_all() -> None:
        for begin, end in steps:
            await begin()
            stack.push_async_callback(end)

    return Lane(name, agents, open_all, stack.aclose, pace_s, poll_max, unhurried, CHAT_TABLES_PACE_S)
