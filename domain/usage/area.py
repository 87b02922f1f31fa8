"""The area of usage: what people spend."""

from typing import get_args

from adapters.redis.client import RedisClient
from domain.area import Area
from domain.config_keys import at_most, config_keys
from domain.usage.counters import decode_usage_changes, usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas.records import Tier
from schemas.settings import QuotaSettings, Settings
from schemas.settings.quotas import MEASURES
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


QUOTAS = [
    config_keys(QuotaSettings, f"{tier}_{measure}_per_day", f"{tier}_{measure}_per_month", by_tenant=True)
    for tier in get_args(Tier)
    for measure in MEASURES
]

AREA = Area(
    name="usage",
    topics=(USAGE_RECORDED,),
    rebuilds={"usage": _rebuild_usage},
    configs=tuple(key for pair in QUOTAS for key in pair),
    config_rules=tuple(at_most(day, month, unlimited=0) for day, month in QUOTAS),
)
