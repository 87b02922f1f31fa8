"""Opens what an API process needs, in order, and closes it again."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.blobs import BlobStore
from adapters.passwords import Passwords
from adapters.redis import connect
from adapters.tokens import Tokens
from api.cached import Cached
from api.estimates import Estimates
from api.identity import Identities
from api.limiting import Limiting
from api.metrics import Metrics
from api.ports import Ports
from api.readiness import Health
from api.running import Running
from api.spectators import Spectators
from schemas.settings import Settings
from streams.cache import Cache
from streams.clock import SystemClock
from streams.configs import Configs, ConfigWriter
from streams.decisions import DecisionTables, Teller
from streams.gaps import GapReader
from streams.idempotency import Idempotency
from streams.inquiries import Inquiries
from streams.limits import Limiter
from streams.loop_lag import LoopLag
from streams.plans import Plans
from streams.publisher import KafkaPublisher
from streams.rebuilds import Rebuilds
from streams.records import Records
from streams.relay import Relay
from streams.reservations import reservations
from streams.shelves import Shelves
from streams.storage import Storage
from streams.topics import DOCUMENTS_SUBMITTED, LIMITS_DECIDED, USAGE_RECORDED
from streams.trails import Trails
from streams.turns import Turns
from streams.usage import usage_counter
from streams.views import Views
from streams.visibility import Visibility


@asynccontextmanager
async def opened(settings: Settings, tokens: Tokens, metrics: Metrics) -> AsyncIterator[Ports]:
    """The ports of one process. Starts with Kafka or Redis down, too: requests then say so, and recover without a restart."""
    clock, prefix = SystemClock(), settings.redis.key_prefix
    async with AsyncExitStack() as stack:
        loop_lag = LoopLag(metrics.registry)
        stack.push_async_callback(loop_lag.stop)
        await loop_lag.start()
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(settings.kafka)
        stack.push_async_callback(publisher.stop)
        await publisher.start()
        relay, inquiries, shelves = Relay(settings.kafka), Inquiries(settings.kafka, publisher, clock), Shelves(settings.kafka)
        stack.push_async_callback(relay.stop)
        stack.push_async_callback(inquiries.stop)
        stack.push_async_callback(shelves.stop)
        configs, teller = Configs(settings.kafka), Teller(publisher, clock)
        limiter = Limiter(redis, prefix, settings.limits, fell_back=metrics.fallbacks.labels("limits").inc)
        stack.push_async_callback(limiter.stop)
        limiting = Limiting(
            limiter, settings, metrics, configs=configs, teller=teller, reservations=reservations(redis, settings), clock=clock
        )
        stack.push_async_callback(configs.stop)
        stack.push_async_callback(teller.stop)
        await asyncio.gather(relay.start(), inquiries.start(), shelves.start(), configs.start(), teller.start())
        spectators = Spectators(settings.kafka)
        stack.push_async_callback(spectators.stop)
        passwords = Passwords(settings.auth.hash_concurrency)
        stack.callback(passwords.close)
        blobs = BlobStore(settings)
        stack.push_async_callback(blobs.close)
        await blobs.open()
        running = Running()
        stack.push_async_callback(running.stop)
        views, visibility = Views(redis, prefix), Visibility(redis, prefix)
        cache = Cache(redis, prefix, settings.cache, clock, metrics.cache_looked)
        stack.push_async_callback(cache.stop)
        await cache.start()
        estimates = Estimates(redis, prefix, clock, settings.documents.wait_s_max, settings.limits.chat_wait_s_max)
        stack.push_async_callback(estimates.stop)
        records = Records(redis, prefix, publisher, views, clock)
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
            submissions=GapReader(settings.kafka, DOCUMENTS_SUBMITTED),
            turns=Turns(redis, prefix),
            usage=usage_counter(redis, prefix, USAGE_RECORDED.partitions(settings.kafka)),
            storage=Storage(redis, prefix),
            trails=Trails(settings.kafka),
            records=records,
            shelves=shelves,
            plans=Plans(shelves, records, publisher, clock, secrets.token_bytes, "api"),
            rebuilds=Rebuilds(redis, prefix),
            idempotency=Idempotency(redis, prefix),
            limiting=limiting,
            configs=configs,
            configuring=ConfigWriter(configs, records, publisher, clock, secrets.token_bytes, "api"),
            decisions=DecisionTables(redis, prefix, LIMITS_DECIDED.partitions(settings.kafka)),
            identities=Identities(tokens, views, clock),
            passwords=passwords,
            blobs=blobs,
            tokens=tokens,
            running=running,
            cached=Cached.of(cache, visibility, shelves),
            metrics=metrics,
            health=Health(redis, prefix, publisher, relay),
        )
