"""limits.decided -> tally -> counters of decisions

Counts what the rate limits of all processes decided, by minute and by hour, strictly in order per partition.
"""

from collections.abc import Sequence

from domain.limits.decisions import DecisionFeeds
from domain.limits.topics import LIMITS_DECIDED
from schemas.limits import LimitsDecided
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context


def agent(feeds: DecisionFeeds) -> Agent:
    """The agent of these counters."""

    async def step(event: LimitsDecided, context: Context) -> Sequence[Outgoing]:
        await feeds.feed(context.place.partition, context.place.offset, event)
        return []

    return Agent(name="tally", reads=(LIMITS_DECIDED,), step=step, in_order=True)
