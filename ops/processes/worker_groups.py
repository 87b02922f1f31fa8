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
from adapters.concurrency import ConcurrencyLimits
from adapters.embedders.query import QueryEncoder
from adapters.index.choose import create_vector_index
from adapters.index.port import VectorIndex
from adapters.models.choose import create_answer_model, create_writer
from adapters.models.condensing import Condenser
from adapters.redis.client import RedisClient
from adapters.rerankers.choose import create_reranker
from adapters.web.fetch import Fetcher
from agents import count_decisions, count_usage, project
from agents.dispatch import Dispatch
from agents.embed import EmbedChunks
from agents.generate import Generate, answer_cache
from agents.index import IndexChunks
from agents.ingest import Ingest
from agents.parse import Parse
from agents.query import QueryService
from agents.retrieve import Retrieve
from agents.summarise import Summariser
from domain.chats.history import HistoryBudget
from domain.chats.reply_lock import CancelWatch, ReplyLocks
from domain.chats.topics import MESSAGES_CHANGED
from domain.documents.express import Express
from domain.documents.inbox import SizeLimits
from domain.documents.open_documents import OpenDocuments
from domain.documents.reconciler import Reconciler
from domain.documents.sources import DocumentLoader, blob_path
from domain.documents.storage import Storage
from domain.documents.topics import DOCUMENTS_PROGRESSED, DOCUMENTS_QUEUED_BULK, DOCUMENTS_QUEUED_EXPRESS, inbox_topic
from domain.documents.visibility import Visibility, VisibilityCheck
from domain.documents.visibility_replica import VisibilityReplica
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.engines import Engines
from domain.indexes.reindexer import reindexer
from domain.limits.decisions import DecisionCounters, DecisionFeeds, decode_changes
from domain.limits.reservations import build_reservations
from domain.limits.topics import LIMITS_DECIDED
from domain.read_models import ReadModels
from domain.retrieval.search import SearchService
from domain.retrieval.vector_cache import VectorCache
from domain.usage.counters import decode_usage_changes, usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas import ids
from schemas.documents import DocumentSubmitted
from schemas.documents import Lane as DocumentLane
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams import topics
from streams.cache import RedisCache
from streams.clock import SystemClock
from streams.log.outgoing import Outgoing, Publisher
from streams.log.range_reader import RangeReader
from streams.runtime.agent import Agent
from streams.runtime.worker_group import WorkerGroup
from streams.tables.counters import CounterFeed
from streams.tables.record_writer import RecordWriter

QUESTIONS_IN_FLIGHT_MAX = 64  # per partition: more only wait for the index's threads
UPSERTS_IN_FLIGHT_MAX = 128  # per partition: what the index gathers into its batches
EXPRESS_IN_FLIGHT_MAX = 16  # per partition: parsing is CPU, a deep queue in the children would only age there
BULK_IN_FLIGHT_MAX = 48  # per partition; the children take express first, so depth costs people nothing and batches every hop
KNOWLEDGE_POLL_MAX = 32  # people's questions come between the machines' documents
TABLES_PACE_S = 0.01  # somebody may look at a document's state; a delete waits for its own answer
CHAT_TABLES_PACE_S = 0.04  # nobody waits for these: a message was written through, and what was spent or refused is only counted
EMBEDDINGS_IN_FLIGHT_MAX = 96  # per partition: gathered into batches of the model


@dataclass(frozen=True, slots=True)
class WorkerResources:
    """What every lane is built from."""

    settings: Settings
    redis: RedisClient
    publisher: Publisher


class Openable(Protocol):
    """A port with a life of its own."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Startable(Protocol):
    """The same by other names."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def worker_group(name: str, parts: WorkerResources) -> WorkerGroup:
    """The lane of this name; raises ConfigurationError for one that does not exist."""
    if name not in BUILDERS:
        raise ConfigurationError(f"there is no lane {name!r}: the lanes are {', '.join(BUILDERS)}")
    return BUILDERS[name](parts)


def knowledge(parts: WorkerResources) -> WorkerGroup:
    """Waits for the index; with the embedded engine there is one such worker."""
    settings, retrieval = parts.settings, parts.settings.retrieval
    visibility, mirror, shelves = _visibility(parts), VisibilityReplica(settings.kafka), CollectionCatalogue(settings.kafka)
    from_mirror = Counter(
        "claw_visibility_mirror_answers_total", "Looks at the visibility record that the mirror answered: Redis was down."
    )

    def make_index(encoder: QueryEncoder) -> VectorIndex:
        return create_vector_index(settings, model=encoder.embedding_name, dimensions=encoder.dimensions)

    gates = _concurrency_limits(parts)
    engines, blobs, sources = Engines(retrieval, make_index, gates), *_sources(settings)
    cache = _cache(parts)
    sight, vectors = VisibilityCheck(visibility, mirror, from_mirror.inc), VectorCache(cache.of("embeddings", bytes))
    searching = SearchService(engines.get, sight, shelves, retrieval.candidates, vectors)
    writing, reranking = create_writer(settings, gates), create_reranker(retrieval)
    condenser = Condenser(writing, retrieval.condense_timeout_s)
    providers = tuple(port for port in (writing, reranking) if port is not None)
    agents = (
        Retrieve(searching, condenser, reranking, retrieval, QUESTIONS_IN_FLIGHT_MAX, settings.model.provider).agent(),
        QueryService(searching, QUESTIONS_IN_FLIGHT_MAX).agent(),
        IndexChunks(engines, shelves, visibility, _express(parts), sources, UPSERTS_IN_FLIGHT_MAX).agent(),
    )
    return _worker_group(
        "knowledge", agents, opened=(blobs, engines, *providers), started=(mirror, shelves, cache), poll_max=KNOWLEDGE_POLL_MAX
    )


def chat(parts: WorkerResources) -> WorkerGroup:
    """Waits for the model; hundreds in flight."""
    settings, redis, prefix = parts.settings, parts.redis, parts.settings.redis.key_prefix
    gates, watch = _concurrency_limits(parts), CancelWatch(parts.redis, prefix)
    model = create_answer_model(settings, gates)
    views, writes, budget = ReadModels(redis, prefix), create_writer(settings, gates), HistoryBudget.from_limits(settings.limits)
    turns, titles, cache, visibility = ReplyLocks(redis, prefix), writes is not None, _cache(parts), _visibility(parts)
    kept = answer_cache(settings, cache, visibility, model.name)
    generate = Generate(
        *(model, settings.model, views, turns, watch, visibility),
        budget=budget,
        titles=titles,
        answer_cache=kept,
        waits=lambda: gates.people_waiting,
        late_s=settings.lanes.late_s,
    )
    digest = Summariser(writes, budget, views, RecordWriter(redis, prefix, parts.publisher, views, SystemClock()))
    opened: tuple[Openable, ...] = (model,) if writes is None else (model, writes)
    return _worker_group("chat", (generate.agent(), digest.agent()), opened=opened, started=(watch, cache))


def documents(parts: WorkerResources) -> WorkerGroup:
    """Waits for CPU, in child processes, for an embedding provider where one is configured, and for web pages."""
    settings, visibility, express = parts.settings, _visibility(parts), _express(parts)
    worker = TextWorker(settings.retrieval, settings.documents, gates=_concurrency_limits(parts))
    fetcher = Fetcher(settings.documents)
    blobs, sources = _sources(settings, fetcher)
    parse = Parse(worker, sources, visibility, express, settings.retrieval)
    agents = (
        parse.agent("parse_express", DOCUMENTS_QUEUED_EXPRESS, EXPRESS_IN_FLIGHT_MAX),
        parse.agent("parse_bulk", DOCUMENTS_QUEUED_BULK, BULK_IN_FLIGHT_MAX),
        EmbedChunks(worker, visibility, express, EMBEDDINGS_IN_FLIGHT_MAX).agent(),
    )
    return _worker_group("documents", agents, opened=(blobs, fetcher), started=(worker,))


def tables(parts: WorkerResources) -> WorkerGroup:
    """Waits for Redis: fast, in order."""
    settings, redis, prefix = parts.settings, parts.redis, parts.settings.redis.key_prefix
    views = ReadModels(redis, prefix)
    counter = usage_counter(redis, prefix, USAGE_RECORDED.partitions(settings.kafka))
    feed = CounterFeed(counter, RangeReader(settings.kafka, USAGE_RECORDED), decode_usage_changes)

    async def has_knowledge_base(tenant: str, knowledge_base: str) -> bool:
        if knowledge_base == ids.default_knowledge_base(tenant):
            return True
        return await views.knowledge_bases.get(tenant, knowledge_base) is not None

    inboxes = tuple(inbox_topic(tenant) for tenant in settings.lanes.inboxes)
    blobs, shelves = BlobStore(settings), CollectionCatalogue(settings.kafka)
    incoming = Ingest(
        has_knowledge_base=has_knowledge_base,
        blobs=blobs,
        sizes=SizeLimits(settings.limits.document_inline_bytes_max, settings.documents.file_bytes_max),
        random_bytes=secrets.token_bytes,
    )
    route = Dispatch(_visibility(parts), _express(parts), shelves, settings.retrieval, blob_path)
    underway = OpenDocuments(redis, prefix, DOCUMENTS_PROGRESSED.partitions(settings.kafka))
    decided = DecisionCounters(redis, prefix, LIMITS_DECIDED.partitions(settings.kafka))
    gaps = RangeReader(settings.kafka, LIMITS_DECIDED)
    decisions = DecisionFeeds(*(CounterFeed(table, gaps, decode_changes) for table in (decided.minutes, decided.hours)))
    agents = (
        incoming.agent(inboxes),
        route.agent(),
        project.agent(views, underway, Storage(redis, prefix)),
        count_usage.agent(feed, build_reservations(redis, settings)),
        count_decisions.agent(decisions),
    )
    started = (feed, decisions, shelves, reindexer(settings, redis, shelves), _reconciler(parts, underway, route))
    unhurried = (MESSAGES_CHANGED, USAGE_RECORDED, LIMITS_DECIDED)
    return _worker_group("tables", agents, opened=(blobs,), started=started, pace_s=TABLES_PACE_S, unhurried=unhurried)


BUILDERS: dict[str, Callable[[WorkerResources], WorkerGroup]] = {
    "knowledge": knowledge,
    "chat": chat,
    "documents": documents,
    "tables": tables,
}


def _reconciler(parts: WorkerResources, underway: OpenDocuments, route: Dispatch) -> Reconciler:
    clock = SystemClock()

    async def requeue(event: DocumentSubmitted, version: int, lane: DocumentLane, again: int) -> Sequence[Outgoing]:
        return await route.requeue(event, version, lane, again, clock.now())

    worker = secrets.token_hex(8)
    return Reconciler(parts.settings, underway, _visibility(parts), parts.redis, parts.publisher, clock, requeue, worker=worker)


def _cache(parts: WorkerResources) -> RedisCache:
    looks = Counter("claw_cache_lookups_total", "Looks into the cache, and what came of them.", ("scenario", "outcome"))

    def observe(scenario: str, outcome: str) -> None:
        looks.labels(scenario, outcome).inc()

    return RedisCache(parts.redis, parts.settings.redis.key_prefix, parts.settings.cache, SystemClock(), observe)


def _concurrency_limits(parts: WorkerResources) -> ConcurrencyLimits:
    """One per lane: with Redis down its share of a model's permits is one share, whoever in the process calls the model."""
    return ConcurrencyLimits(parts.settings, parts.redis)


def _visibility(parts: WorkerResources) -> Visibility:
    return Visibility(parts.redis, parts.settings.redis.key_prefix)


def _express(parts: WorkerResources) -> Express:
    return Express(parts.redis, parts.settings.redis.key_prefix)


def _sources(settings: Settings, fetcher: Fetcher | None = None) -> tuple[BlobStore, DocumentLoader]:
    blobs = BlobStore(settings)
    return blobs, DocumentLoader(blobs, fetcher or Fetcher(settings.documents), settings.encryption_secret)


def _worker_group(
    name: str,
    agents: tuple[Agent, ...],
    *,
    opened: tuple[Openable, ...] = (),
    started: tuple[Startable, ...] = (),
    pace_s: float = 0.0,
    poll_max: int = 500,
    unhurried: tuple[topics.Topic, ...] = (),
) -> WorkerGroup:
    """A lane whose ports open in order and close in reverse, also when one of them fails to open."""
    stack = AsyncExitStack()
    steps: list[tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]] = [(port.open, port.close) for port in opened]
    steps += [(port.start, port.stop) for port in started]

    async def open_all() -> None:
        for begin, end in steps:
            await begin()
            stack.push_async_callback(end)

    return WorkerGroup(name, agents, open_all, stack.aclose, pace_s, poll_max, unhurried, CHAT_TABLES_PACE_S)
