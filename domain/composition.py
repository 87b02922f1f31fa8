"""Parts that several agents of a worker process share: ``ports.get(composition.blob_store)`` is the same store for all of them.

A part that only one agent uses is built by that agent.
"""

import secrets
from functools import partial

from prometheus_client import Counter

from adapters.blobs import BlobStore
from adapters.children.passages import PassageEncoder
from adapters.children.worker import TextWorker
from adapters.concurrency import ConcurrencyLimits
from adapters.embedders.local import table_folder
from adapters.embedders.query import QueryEncoder
from adapters.index.choose import create_vector_index, list_indexes, remove_empty_index
from adapters.index.port import VectorIndex
from adapters.models.choose import create_writer
from adapters.models.port import Writer
from domain.chats.live_model import LiveWriter
from domain.configs.live_settings import LiveSettings
from domain.configs.table_epoch import LoggedEpoch, watch_tables
from domain.configuration import follow_settings
from domain.document_caps import DocumentCaps
from domain.documents.lanes import Lanes
from domain.documents.open_documents import OpenDocuments
from domain.documents.record_keys import RecordKeys
from domain.documents.requests import SubmissionRequests
from domain.documents.storage import Storage
from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.documents.visibility import Visibility, VisibilityCheck
from domain.documents.visibility_replica import VisibilityReplica
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.engines import Engines
from domain.indexes.outdated import OutdatedIndexes
from domain.indexes.plans import PlanWriter
from domain.indexes.second_vectors import SecondVectors
from domain.read_models import ReadModels
from domain.retrieval.search import SearchService
from domain.retrieval.vector_cache import VectorCache
from domain.tasks.settings import TaskSettings
from domain.tasks.table import TaskTable
from schemas.errors import ConfigurationError
from schemas.settings import CacheSettings, CapSettings, RetrievalSettings, Settings
from streams.cache import RedisCache
from streams.runtime.agent_ports import AgentPorts
from streams.tables.epoch import TableWatch
from streams.tables.record_writer import RecordWriter


def blob_store(ports: AgentPorts) -> BlobStore:
    """The files of documents."""
    return ports.attach(BlobStore(ports.settings))


def cache(ports: AgentPorts) -> RedisCache:
    """The cache of the process, and its look-ups as a metric."""
    lookups = Counter("claw_cache_lookups_total", "Cache look-ups by outcome.", ("scenario", "outcome"), registry=ports.registry)

    def observe(scenario: str, outcome: str) -> None:
        lookups.labels(scenario, outcome).inc()

    return ports.attach(RedisCache(ports.redis, ports.prefix, ports.get(live_settings).of(CacheSettings), ports.clock, observe))


def collection_catalogue(ports: AgentPorts) -> CollectionCatalogue:
    """The collection catalogue: the index plan of every knowledge base."""
    return ports.attach(CollectionCatalogue(ports.settings.kafka))


def concurrency_limits(ports: AgentPorts) -> ConcurrencyLimits:
    """The concurrency limits, one set per process: without Redis all agents of a process share its share of a model's permits."""
    return ConcurrencyLimits(ports.settings, ports.redis)


def document_caps(ports: AgentPorts) -> DocumentCaps:
    """The caps on documents, for those that arrive through Kafka."""
    caps = ports.get(live_settings).of(CapSettings)
    return DocumentCaps(caps, Storage(ports.redis, ports.prefix), ports.get(read_models), ports.clock)


def engines(ports: AgentPorts) -> Engines:
    """The indexes, with their query encoders."""
    settings = ports.settings

    def make_index(encoder: QueryEncoder, name: str) -> VectorIndex:
        return create_vector_index(settings, model=encoder.embedding_name, dimensions=encoder.dimensions, name=name, second=encoder.second)

    return ports.attach(Engines(settings.retrieval, make_index, ports.get(concurrency_limits)))


def lanes(ports: AgentPorts) -> Lanes:
    """The queues of documents, and who has how many in them."""
    return Lanes(ports.redis, ports.prefix, ports.settings.documents.slow_s, ports.clock.monotonic_s)


def open_documents(ports: AgentPorts) -> OpenDocuments:
    """The documents in progress, with the time of their last progress."""
    return OpenDocuments(ports.redis, ports.prefix, DOCUMENTS_PROGRESSED.partitions(ports.settings.kafka))


def outdated_indexes(ports: AgentPorts) -> OutdatedIndexes:
    """The search for collections that an earlier release or other settings built."""
    catalogue, settings = ports.get(collection_catalogue), ports.settings
    plans = PlanWriter(catalogue, ports.get(record_writer), ports.publisher, ports.clock, secrets.token_bytes, "index")
    listed, remove = partial(list_indexes, settings), partial(remove_empty_index, settings)
    return ports.attach(OutdatedIndexes(ports.get(engines), catalogue, plans, listed, remove))


def live_settings(ports: AgentPorts) -> LiveSettings:
    """Live configuration, already read where the process provides it; see ``ops.processes.worker``."""
    return ports.attach(follow_settings(ports.settings))


def read_models(ports: AgentPorts) -> ReadModels:
    """All record tables."""
    return ReadModels(ports.redis, ports.prefix)


def record_writer(ports: AgentPorts) -> RecordWriter:
    """The writer of records that are read back at once."""
    return RecordWriter(ports.redis, ports.prefix, ports.publisher, ports.get(read_models), ports.clock)


def record_keys(ports: AgentPorts) -> RecordKeys:
    """The record keys of documents in inboxes."""
    return RecordKeys(ports.get(read_models))


def search_service(ports: AgentPorts) -> SearchService:
    """Search of visible documents; the visibility records are also followed in memory, for when Redis is down."""
    replica = ports.attach(VisibilityReplica(ports.settings.kafka))
    from_replica = Counter(
        "claw_visibility_mirror_answers_total", "Visibility look-ups answered by the replica: Redis was down.", registry=ports.registry
    )
    check = VisibilityCheck(ports.get(visibility), replica, from_replica.inc)
    vectors = VectorCache(ports.get(cache).of("embeddings", bytes))
    catalogue = ports.get(collection_catalogue)
    return SearchService(ports.get(engines).get, check, catalogue, ports.get(live_settings).of(RetrievalSettings), vectors)


def second_vectors(ports: AgentPorts) -> SecondVectors:
    """The second vectors of chunks, with the child that computes them."""
    encoder = ports.attach(PassageEncoder(table_folder(ports.settings.retrieval), confinement=ports.settings.parsers.confinement))
    return ports.attach(SecondVectors(ports.get(engines), encoder, ports.redis, ports.prefix, registry=ports.registry))


def submission_requests(ports: AgentPorts) -> SubmissionRequests:
    """The requests by which late repeats of submissions are recognised."""
    return SubmissionRequests(ports.redis, ports.prefix, ports.settings.documents.requests_max)


def logged_epoch(ports: AgentPorts) -> LoggedEpoch:
    """The epoch of the tables on the log."""
    return LoggedEpoch(ports.settings, ports.publisher, ports.clock)


def table_watch(ports: AgentPorts) -> TableWatch:
    """The watch over the tables: ask for it first, so that it is started before what reads them."""
    return ports.attach(watch_tables(ports.settings, ports.redis, ports.publisher, ports.clock))


def task_table(ports: AgentPorts) -> TaskTable:
    """The table of tasks."""
    return TaskTable(ports.redis, ports.prefix, ports.settings.of(TaskSettings))


def text_worker(ports: AgentPorts) -> TextWorker:
    """The child processes that parse, chunk and embed."""
    settings = ports.settings
    limits, weight = ports.get(concurrency_limits), settings.lanes.weight_of
    confinement = settings.parsers.confinement
    return ports.attach(TextWorker(settings.retrieval, settings.documents, confinement=confinement, gates=limits, weight=weight))


def visibility(ports: AgentPorts) -> Visibility:
    """The visibility records."""
    return Visibility(ports.redis, ports.prefix)


def writer(ports: AgentPorts) -> Writer | None:
    """The model that condenses, summarises and titles; None when no language model is configured."""
    limits, settings = ports.get(concurrency_limits), ports.get(live_settings).whole
    if create_writer(settings.value, limits) is None:
        return None

    def create(settings: Settings) -> Writer:
        made = create_writer(settings, limits)
        if made is None:
            raise ConfigurationError("no language model is left: CLAW_MODEL_PROVIDER and the fallbacks are `local`")
        return made

    return ports.attach(LiveWriter(settings, create))
