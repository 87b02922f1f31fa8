"""Everything a request handler may reach, opened once per process and handed over as one value."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.blobs import BlobStore
from adapters.passwords import Passwords
from adapters.redis import Client
from adapters.tokens import Tokens
from api.cached import Cached
from api.estimates import Estimates
from api.identity import Identities
from api.limiting import Limiting
from api.metrics import Metrics
from api.readiness import Health
from api.running import Running
from api.spectators import Spectators
from schemas.settings import Settings
from streams.agent import Clock
from streams.configs import Configs, ConfigWriter
from streams.counters import Counter
from streams.decisions import DecisionTables
from streams.gaps import Gaps
from streams.idempotency import Idempotency
from streams.inquiries import Inquiries
from streams.plans import Plans
from streams.publisher import KafkaPublisher
from streams.rebuilds import Rebuilds
from streams.records import Records
from streams.relay import Relay
from streams.shelves import Shelves
from streams.storage import Storage
from streams.trails import Trails
from streams.turns import Turns
from streams.views import Views
from streams.visibility import Visibility


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
