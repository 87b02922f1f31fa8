"""The area of statistics of use. It has no topic of its own: they are sums over the events of other areas."""

from domain.area import Area
from domain.statistics.table import StatisticsTable
from streams.tables.rebuild import RebuildPorts, RebuildResult
from streams.tables.shadow_rebuild import ShadowRebuild, TopicHistoryReader


async def _rebuild_statistics(ports: RebuildPorts) -> RebuildResult:
    """Beside the ones in use, topic by topic; of a document compaction has left the newest submission."""
    table, prefix = StatisticsTable(ports.redis, ports.settings), ports.settings.redis.key_prefix
    events = 0
    for source in table.sources:
        history = TopicHistoryReader(ports.reader, source.topic)
        events += await ShadowRebuild(ports.redis, prefix, source.counter, history, source.decode).rebuild()
    return RebuildResult(events)


AREA = Area(name="statistics", rebuilds={"statistics": _rebuild_statistics})
