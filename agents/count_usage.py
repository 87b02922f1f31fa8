"""usage.recorded -> meter -> usage counters

The usage counter sums up what users, API keys and tenants spend, strictly in order per partition. Sums and the offset they stand for change
together, so every event is counted exactly once, also when it is delivered twice or Redis loses data.
"""

from collections.abc import Sequence

from domain.limits.reservations import Reservations, build_reservations
from domain.usage.counters import decode_usage_changes, usage_changes, usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas.chats import UsageRecorded
from streams.log.outgoing import Outgoing
from streams.log.range_reader import RangeReader
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.tables.counters import CounterFeed

WORKER_GROUP = "tables"


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent of the usage counter."""
    kafka = ports.settings.kafka
    counter = usage_counter(ports.redis, ports.prefix, USAGE_RECORDED.partitions(kafka))
    feed = ports.attach(CounterFeed(counter, RangeReader(kafka, USAGE_RECORDED), decode_usage_changes))
    return (agent(feed, build_reservations(ports.redis, ports.settings)),)


def agent(feed: CounterFeed, reservations: Reservations) -> Agent:
    """``feed`` first reads earlier events that it has not counted from the log. The answer's reservation is settled once."""

    async def step(event: UsageRecorded, context: Context) -> Sequence[Outgoing]:
        await feed.feed(context.place.partition, context.place.offset, event.id, usage_changes(event))
        spent = event.data
        if spent.reserved and spent.purpose == "answer":
            user = f"{event.tenant}/{spent.user_id}"
            await reservations.settle(user, spent.reply_id, spent.prompt_tokens + spent.completion_tokens)
        return []

    return Agent(name="meter", reads=(USAGE_RECORDED,), step=step, in_order=True)
