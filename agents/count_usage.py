"""usage.recorded -> meter -> usage counters

Counts what users, API keys and tenants spend, strictly in order per partition: value and mark move together, so nothing is counted twice or
not at all, whatever is delivered twice and whatever Redis forgets.
"""

from collections.abc import Sequence

from domain.limits.reservations import Reservations
from domain.usage.counters import usage_changes
from domain.usage.topics import USAGE_RECORDED
from schemas.chats import UsageRecorded
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.tables.counters import CounterFeed


def agent(feed: CounterFeed, reservations: Reservations) -> Agent:
    """``feed`` reads what lies between its mark and the event from the log before it counts the event; what was reserved for the answer is
    settled, once.
    """

    async def step(event: UsageRecorded, context: Context) -> Sequence[Outgoing]:
        await feed.feed(context.place.partition, context.place.offset, event.id, usage_changes(event))
        spent = event.data
        if spent.reserved and spent.purpose == "answer":
            user = f"{event.tenant}/{spent.user_id}"
            await reservations.settle(user, spent.reply_id, spent.prompt_tokens + spent.completion_tokens)
        return []

    return Agent(name="meter", reads=(USAGE_RECORDED,), step=step, in_order=True)
