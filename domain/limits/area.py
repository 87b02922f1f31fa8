"""The area of rate limits."""

from typing import get_args

from domain.area import Area
from domain.config_keys import at_most, config_keys
from domain.limits.decisions import DecisionCounters, decode_changes
from domain.limits.topics import LIMITS_DECIDED
from schemas.records import Tier
from schemas.settings import CapSettings, LimitSettings
from streams.tables.rebuild import RebuildPorts, RebuildResult
from streams.tables.shadow_rebuild import ShadowRebuild, TopicHistoryReader


async def _rebuild_decisions(ports: RebuildPorts) -> RebuildResult:
    """Rebuild the decision statistics, by minute and by hour."""
    prefix = ports.settings.redis.key_prefix
    decisions = DecisionCounters(ports.redis, prefix, LIMITS_DECIDED.partitions(ports.settings.kafka))
    history = TopicHistoryReader(ports.reader, LIMITS_DECIDED)
    counters = (decisions.minutes, decisions.hours)
    return RebuildResult(
        max([await ShadowRebuild(ports.redis, prefix, counter, history, decode_changes).rebuild() for counter in counters])
    )


RATES = config_keys(
    LimitSettings,
    *("global_per_minute", "anonymous_per_minute", "address_per_minute"),
    *(f"user_{tier}_per_minute" for tier in get_args(Tier)),
    *("conversations_per_minute", "messages_per_minute", "knowledge_per_minute"),
    *("embedding_calls_per_minute", "embedding_tokens_per_minute", "burst_factor"),
)
TOKENS = [config_keys(LimitSettings, f"tokens_{tier}_per_minute", f"tokens_{tier}_per_day") for tier in get_args(Tier)]

AREA = Area(
    name="limits",
    topics=(LIMITS_DECIDED,),
    rebuilds={"limits": _rebuild_decisions},
    configs=(*RATES, *(key for pair in TOKENS for key in pair), *config_keys(CapSettings)),
    config_rules=tuple(at_most(minute, day, unlimited=0) for minute, day in TOKENS),
)
