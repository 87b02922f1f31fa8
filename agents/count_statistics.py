"""usage.recorded, feedback.given, documents.submitted, accounts.changed -> count_statistics -> statistics of use

One agent for each topic sums up, by day, what accounts do (``domain/statistics/changes.py``), strictly in order per partition. They read
records, not events: of a document they need who submitted it, and not its text.
"""

from collections.abc import Sequence

from domain.statistics.settings import StatisticsSettings
from domain.statistics.table import StatisticsSource, StatisticsTable
from streams.log.delivery import Delivery
from streams.log.outgoing import Outgoing
from streams.log.range_reader import LogRecord, RangeReader
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.tables.counters import Change, CounterFeed, CounterFeeds

NAME, WORKER_GROUP = "count_statistics", "tables"
TOGETHER_MAX = 128


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agents, unless nothing is counted."""
    if not ports.settings.of(StatisticsSettings).counted:
        return ()
    table = StatisticsTable(ports.redis, ports.settings)

    feeds = [CounterFeed(source.counter, RangeReader(ports.settings.kafka, source.topic), source.decode) for source in table.sources]
    ports.attach(CounterFeeds(*feeds))
    return tuple(agent(source, feed) for source, feed in zip(table.sources, feeds, strict=True))


def agent(source: StatisticsSource, feed: CounterFeed) -> Agent:
    """``feed`` first reads earlier events that it has not counted from the log."""

    async def step(delivery: Delivery, context: Context) -> Sequence[Outgoing]:
        await step_many([(delivery, context)])
        return []

    async def step_many(deliveries: Sequence[tuple[Delivery, Context]]) -> Sequence[Sequence[Outgoing]]:
        await feed.feed_many([(d.place.partition, d.place.offset, *read(d)) for d, _ in deliveries])
        return [()] * len(deliveries)

    def read(delivery: Delivery) -> tuple[str, Sequence[Change]]:
        return source.decode(LogRecord(delivery.place.offset, delivery.value, delivery.key or b"")) or ("", ())

    name = f"{NAME}_{source.counter.name.removeprefix('statistics_')}"
    return Agent(name=name, reads=(source.topic,), step=step, step_many=step_many, together_max=TOGETHER_MAX, raw=True, in_order=True)
