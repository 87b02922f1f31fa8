"""limits.decided -> tally -> counters of decisions

The decision counter sums up the decisions of rate limits in all processes, by minute and by hour, strictly in order per partition.
"""

from collections.abc import Sequence

from domain.limits.decisions import DecisionCounters, DecisionFeeds, decode_changes
from domain.limits.topics import LIMITS_DECIDED
from schemas.limits import LimitsDecided
from streams.log.outgoing import Outgoing
from streams.log.range_reader import RangeReader
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.tables.counters import CounterFeed

WORKER_GROUP = "tables"


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent of the decision counters."""
    kafka = ports.settings.kafka
    counters, reader = DecisionCounters(ports.redis, ports.prefix, LIMITS_DECIDED.partitions(kafka)), RangeReader(kafka, LIMITS_DECIDED)
    feeds = (CounterFeed(counter, reader, decode_changes) for counter in (counters.minutes, counters.hours))
    return (agent(ports.attach(DecisionFeeds(*feeds))),)


def agent(feeds: DecisionFeeds) -> Agent:
    """The agent of these counters."""

    async def step(event: LimitsDecided, context: Context) -> Sequence[Outgoing]:
        await feeds.feed(context.place.partition, context.place.offset, event)
        return []

    return Agent(name="tally", reads=(LIMITS_DECIDED,), step=step, in_order=True)
