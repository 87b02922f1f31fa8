"""Opens what an API process needs, in order, and closes it again."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.blobs import BlobStore
from adapters.redis.client import connect
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
from api.ports import Ports
from domain.areas import TOPICS
from domain.chats.audit_trail import AuditTrails
from domain.chats.relay import Relay
from domain.chats.reply_lock import ReplyLocks
from domain.configs.configs import Configs, ConfigWriter
from domain.documents.storage import Storage
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.visibility import Visibility
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanWriter
from domain.indexes.reindex_reports import ReindexReports
from domain.limits.decisions import DecisionCounters, DecisionReporter
from domain.limits.limiter import Limiter
from domain.limits.live_rules import live_rules
from domain.limits.reservations import build_reservations
from domain.limits.topics import LIMITS_DECIDED
from domain.read_models import ReadModels
from domain.retrieval.index_client import IndexClient
from domain.usage.counters import usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas.settings import Settings
from streams.cache import RedisCache
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import RangeReader
from streams.runtime.loop_lag import LoopLag
from streams.tables.record_writer import RecordWriter


@asynccontextmanager
async def open_ports(settings: Settings, tokens: AccessTokens, metrics: Metrics) -> AsyncIterator[Ports]:
    """The ports of one process. Starts with Kafka or Redis down, too: requests then say so, and recover without a restart."""
    clock, prefix = SystemClock(), settings.redis.key_prefix
    async with AsyncExitStack() as stack:
        loop_lag = LoopLag(metrics.registry)
        stack.push_async_callback(loop_lag.stop)
        await loop_lag.start()
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(settings.kafka, TOPICS)
        stack.push_async_callback(publisher.stop)
        await publisher.start()
        relay, inquiries, shelves = (
            Relay(settings.kafka),
            IndexClient(settings.kafka, publisher, clock),
            CollectionCatalogue(settings.kafka),
        )
        stack.push_async_callback(relay.stop)
        stack.push_async_callback(inquiries.stop)
        stack.push_async_callback(shelves.stop)
        configs, teller = Configs(settings.kafka), DecisionReporter(publisher, clock)
        limiter = Limiter(redis, prefix, settings.limits, fell_back=metrics.fallbacks.labels("limits").inc)
        stack.push_async_callback(limiter.stop)
        limiting = RateLimiting(
            limiter,
            settings,
            metrics,
            rules=live_rules(configs, settings.limits),
            configs=configs,
            teller=teller,
            reservations=build_reservations(redis, settings),
            clock=clock,
        )
        stack.push_async_callback(configs.stop)
        stack.push_async_callback(teller.stop)
        await asyncio.gather(relay.start(), inquiries.start(), shelves.start(), configs.start(), teller.start())
        spectators = ProgressFeed(settings.kafka)
        stack.push_async_callback(spectators.stop)
        passwords = Passwords(settings.auth.hash_concurrency)
        stack.callback(passwords.close)
        blobs = BlobStore(settings)
        stack.push_async_callback(blobs.close)
        await blobs.open()
        running = LocalState()
        stack.push_async_callback(running.stop)
        views, visibility = ReadModels(redis, prefix), Visibility(redis, prefix)
        cache = RedisCache(redis, prefix, settings.cache, clock, metrics.count_cache_lookup)
        stack.push_async_callback(cache.stop)
        await cache.start()
        estimates = Estimates(redis, prefix, clock, settings.documents.wait_s_max, settings.limits.chat_wait_s_max)
        stack.push_async_callback(estimates.stop)
        records = RecordWriter(redis, prefix, publisher, views, clock)
        yield Ports(
            settings=settings,
            clock=clock,
            random_bytes=secrets.token_bytes,
            redis=redis,
            publisher=publisher,
            relay=relay,
            inquiries=inquiries,
            spectators=spectators,
            estimates=estimates,
            views=views,
            visibility=visibility,
            submissions=RangeReader(settings.kafka, DOCUMENTS_SUBMITTED),
            turns=ReplyLocks(redis, prefix),
            usage=usage_counter(redis, prefix, USAGE_RECORDED.partitions(settings.kafka)),
            storage=Storage(redis, prefix),
            trails=AuditTrails(settings.kafka),
            records=records,
            shelves=shelves,
            plans=PlanWriter(shelves, records, publisher, clock, secrets.token_bytes, "api"),
            rebuilds=ReindexReports(redis, prefix),
            idempotency=Idempotency(redis, prefix),
            limiting=limiting,
            configs=configs,
            configuring=ConfigWriter(configs, records, publisher, clock, secrets.token_bytes, "api"),
            decisions=DecisionCounters(redis, prefix, LIMITS_DECIDED.partitions(settings.kafka)),
            identities=Identities(tokens, views, clock),
            passwords=passwords,
            blobs=blobs,
            tokens=tokens,
            running=running,
            cached=SearchCache.of(cache, visibility, shelves),
            metrics=metrics,
            health=Health(redis, prefix, publisher, relay),
        )
