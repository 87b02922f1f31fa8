"""Everything a request handler may reach, opened once per process and handed over as one value."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.blobs import BlobStore
from adapters.redis.client import Client
from adapters.secrets.passwords import Passwords
from adapters.secrets.tokens import Tokens
from api.chats.estimates import Estimates
from api.chats.running import Running
from api.documents.watch import Spectators
from api.http.idempotency import Idempotency
from api.http.identity import Identities
from api.http.metrics import Metrics
from api.http.rate_limiting import Limiting
from api.knowledge.search_cache import Cached
from api.operations.readiness import Health
from domain.chats.audit_trail import Trails
from domain.chats.relay import Relay
from domain.chats.reply_lock import Turns
from domain.configs.configs import Configs, ConfigWriter
from domain.documents.storage import Storage
from domain.documents.visibility import Visibility
from domain.indexes.catalogue import Shelves
from domain.indexes.plans import Plans
from domain.indexes.reindex_reports import Rebuilds
from domain.limits.decisions import DecisionTables
from domain.read_models import Views
from schemas.settings import Settings
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import Gaps
from streams.log.request_reply import Inquiries
from streams.runtime.agent import Clock
from streams.tables.counters import Counter
from streams.tables.record_writer import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """``random_bytes(n)`` gives n bytes nobody can guess; ``submissions`` reads ``claw.documents.submitted.v1`` again."""

    settings: Settings
    clock: Clock
    random_bytes: Callable[[int], bytes]
    redis: Client
    publisher: KafkaPublisher
    relay: Relay
    inquiries: Inquiries
    spectators: Spectators
    estimates: Estimates
    views: Views
    visibility: Visibility
    submissions: Gaps
    turns: Turns
    usage: Counter
    storage: Storage
    trails: Trails
    records: Records
    shelves: Shelves
    plans: Plans
    rebuilds: Rebuilds
    idempotency: Idempotency
    limiting: Limiting
    configs: Configs
    configuring: ConfigWriter
    decisions: DecisionTables
    identities: Identities
    passwords: Passwords
    blobs: BlobStore
    tokens: Tokens
    running: Running
    cached: Cached
    metrics: Metrics
    health: Health
