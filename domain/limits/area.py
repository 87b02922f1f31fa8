"""The area of rate limits."""

from domain.area import Area
from domain.limits.decisions import DecisionCounters, decode_changes
from domain.limits.topics import LIMITS_DECIDED
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


AREA = Area(name="limits", topics=(LIMITS_DECIDED,), rebuilds={"limits": _rebuild_decisions})
