"""Everything a request handler may reach, opened once per process and handed over as one value."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.blobs import BlobStore
from adapters.redis.client import RedisClient
from adapters.secrets.passwords import Passwords
from adapters.secrets.tokens import AccessTokens
from api.chats.estimates import Estimates
from api.chats.running import LocalState
from api.documents.watch import ProgressFeed
from api.http.idempotency import Idempotency
from api.http.identity import Identities
from api.http.metrics import Metrics
from api.http.rate_limiting import RateLimiting
from api.knowledge.search_cache import SearchCache
from api.operations.readiness import Health
from domain.chats.audit_trail import AuditTrails
from domain.chats.relay import Relay
from domain.chats.reply_lock import ReplyLocks
from domain.configs.configs import Configs, ConfigWriter
from domain.documents.storage import Storage
from domain.documents.visibility import Visibility
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanWriter
from domain.indexes.reindex_reports import ReindexReports
from domain.limits.decisions import DecisionCounters
from domain.read_models import ReadModels
from domain.retrieval.index_client import IndexClient
from schemas.settings import Settings
from streams.clock import Clock
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import RangeSource
from streams.tables.counters import Counter
from streams.tables.record_writer import RecordWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """``random_bytes(n)`` gives n bytes nobody can guess; ``submissions`` reads ``claw.documents.submitted.v1`` again."""

    settings: Settings
    clock: Clock
    random_bytes: Callable[[int], bytes]
    redis: RedisClient
    publisher: KafkaPublisher
    relay: Relay
    inquiries: IndexClient
    spectators: ProgressFeed
    estimates: Estimates
    views: ReadModels
    visibility: Visibility
    submissions: RangeSource
    turns: ReplyLocks
    usage: Counter
    storage: Storage
    trails: AuditTrails
    records: RecordWriter
    shelves: CollectionCatalogue
    plans: PlanWriter
    rebuilds: ReindexReports
    idempotency: Idempotency
    limiting: RateLimiting
    configs: Configs
    configuring: ConfigWriter
    decisions: DecisionCounters
    identities: Identities
    passwords: Passwords
    blobs: BlobStore
    tokens: AccessTokens
    running: LocalState
    cached: SearchCache
    metrics: Metrics
    health: Health
