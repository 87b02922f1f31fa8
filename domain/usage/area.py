"""The area of usage: what people spend."""

from adapters.redis.client import RedisClient
from domain.area import Area
from domain.usage.counters import decode_usage_changes, usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas.settings import Settings
from streams.log.reader import LogReader
from streams.tables.rebuild import RebuildPorts, RebuildResult
from streams.tables.shadow_rebuild import ShadowRebuild, TopicHistoryReader


def usage_shadow_rebuild(settings: Settings, redis: RedisClient, reader: LogReader) -> ShadowRebuild:
    """The usage counter beside its topic."""
    prefix = settings.redis.key_prefix
    counter = usage_counter(redis, prefix, USAGE_RECORDED.partitions(settings.kafka))
    return ShadowRebuild(redis, prefix, counter, TopicHistoryReader(reader, USAGE_RECORDED), decode_usage_changes)


async def _rebuild_usage(ports: RebuildPorts) -> RebuildResult:
    return RebuildResult(await usage_shadow_rebuild(ports.settings, ports.redis, ports.reader).rebuild())


AREA = Area(name="usage", topics=(USAGE_RECORDED,), rebuilds={"usage": _rebuild_usage})
