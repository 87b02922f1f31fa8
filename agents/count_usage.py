"""usage.recorded -> meter -> usage counters

The usage counter sums up what users, API keys and tenants spend, strictly in order per partition. Sums and the offset they stand for change
together, so every event is counted exactly once, also when it is delivered twice or Redis loses data.
"""

import asyncio
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
TOGETHER_MAX = 128


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent of the usage counter."""
    kafka = ports.settings.kafka
    counter = usage_counter(ports.redis, ports.prefix, USAGE_RECORDED.partitions(kafka))
    feed = ports.attach(CounterFeed(counter, RangeReader(kafka, USAGE_RECORDED), decode_usage_changes))
    return (agent(feed, build_reservations(ports.redis, ports.settings)),)


def agent(feed: CounterFeed, reservations: Reservations) -> Agent:
    """``feed`` first reads earlier events that it has not counted from the log. The answer's reservation is settled once."""

    async def step(event: UsageRecorded, context: Context) -> Sequence[Outgoing]:
        await step_many([(event, context)])
        return []

    async def step_many(events: Sequence[tuple[UsageRecorded, Context]]) -> Sequence[Sequence[Outgoing]]:
        await feed.feed_many([(context.place.partition, context.place.offset, event.id, usage_changes(event)) for event, context in events])
        answers = (event for event, _ in events if event.data.reserved and event.data.purpose == "answer")
        await asyncio.gather(*map(settle, answers))
        return [()] * len(events)

    async def settle(event: UsageRecorded) -> None:
        spent = event.data
        await reservations.settle(f"{event.tenant}/{spent.user_id}", spent.reply_id, spent.prompt_tokens + spent.completion_tokens)

    return Agent(name="meter", reads=(USAGE_RECORDED,), step=step, step_many=step_many, together_max=TOGETHER_MAX, in_order=True)
