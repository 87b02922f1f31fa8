"""Opens what an API process needs, in order, and closes it again in reverse."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.redis.client import connect
from api.area import ApiArea, Opening, OpenPorts
from api.core import Core, Watches
from api.http.background import BackgroundTasks
from api.http.metrics import Metrics
from domain.areas import TOPICS
from domain.configs.table_epoch import watch_tables
from domain.configuration import follow_settings
from domain.documents.visibility import Visibility
from domain.read_models import ReadModels
from schemas.settings import CacheSettings, Settings
from streams.cache import RedisCache
from streams.clock import SystemClock
from streams.dead_letters.unreadable import UnreadableBatches
from streams.log.followers import Followers
from streams.log.publisher import KafkaPublisher
from streams.runtime.client_watchdog import ClientWatchdog
from streams.runtime.loop_lag import LoopLag
from streams.tables.record_writer import RecordWriter


@asynccontextmanager
async def open_ports(
    settings: Settings, metrics: Metrics, areas: Sequence[ApiArea], stuck: Callable[[str], None]
) -> AsyncIterator[OpenPorts]:
    """The ports of one process. Opens with Kafka or Redis down, too: requests then fail with a 503, and succeed again without a restart.

    ``stuck`` is called, with the reason, when only a restart helps.
    """
    async with AsyncExitStack() as stack:
        opening = Opening(await _open_core(settings, metrics, stack, stuck), stack)
        opening.run(opening.core.watches.tables)
        opening.run(opening.core.live)
        for area in areas:
            if area.open_ports is not None:
                opening.ports.add(area.open_ports(opening))
        await opening.start()
        stack.push_async_callback(opening.core.background.stop)
        yield opening.ports


async def _open_core(settings: Settings, metrics: Metrics, stack: AsyncExitStack, stuck: Callable[[str], None]) -> Core:
    clock, prefix = SystemClock(), settings.redis.key_prefix
    loop_lag = LoopLag(metrics.registry)
    stack.push_async_callback(loop_lag.stop)
    await loop_lag.start()
    redis = connect(settings.redis)
    stack.push_async_callback(redis.aclose)
    publisher = KafkaPublisher(settings.kafka, TOPICS)
    stack.push_async_callback(publisher.stop)
    await publisher.start()
    followers = Followers()
    followers.install()
    watchdog = ClientWatchdog(settings.kafka, publisher, followers, stuck)
    stack.push_async_callback(watchdog.stop)
    await watchdog.start()
    UnreadableBatches(settings, publisher, redis, clock, metrics.registry).install()
    live = follow_settings(settings)
    cache = RedisCache(redis, prefix, live.of(CacheSettings), clock, metrics.count_cache_lookup)
    stack.push_async_callback(cache.stop)
    await cache.start()
    read_models = ReadModels(redis, prefix)
    return Core(
        live=live,
        clock=clock,
        random_bytes=secrets.token_bytes,
        redis=redis,
        publisher=publisher,
        read_models=read_models,
        records=RecordWriter(redis, prefix, publisher, read_models, clock),
        visibility=Visibility(redis, prefix),
        cache=cache,
        metrics=metrics,
        background=BackgroundTasks(),
        watches=Watches(watchdog, watch_tables(settings, redis, publisher, clock)),
    )
