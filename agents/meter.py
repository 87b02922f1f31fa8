"""usage.recorded -> meter -> usage counters

Counts what users, API keys and tenants spend, strictly in order per partition: value and mark move together, so nothing is counted twice or
not at all, whatever is delivered twice and whatever Redis forgets.
"""

from collections.abc import Sequence

import msgspec

from schemas.chats import UsageRecorded
from streams.agent import Agent, Context, Outgoing
from streams.counters import Change, CounterFeed
from streams.gaps import Record
from streams.topics import USAGE_RECORDED
from streams.usage import usage_changes

_DECODER = msgspec.json.Decoder(UsageRecorded)


def agent(feed: CounterFeed) -> Agent:
    """``feed`` reads what lies between its mark and the event from the log before it counts the event."""

    async def step(event: UsageRecorded, context: Context) -> Sequence[Outgoing]:
        await feed.feed(context.place.partition, context.place.offset, event.id, usage_changes(event))
        return []

    return Agent(name="meter", reads=(USAGE_RECORDED,), step=step, in_order=True)


def changes_of(record: Record) -> tuple[str, Sequence[Change]] | None:
    """What a record read from the log again counts; None for one that the wrapper has put to the dead letters."""
    try:
        event = _DECODER.decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event.id, usage_changes(event)
