"""The record tables of schedules, and of the last tick of each."""

from collections.abc import Sequence

from domain.schedules.topics import SCHEDULES_CHANGED, SCHEDULES_TICKED, TICKS_MS
from schemas.schedules import Schedule, ScheduleChanged, ScheduleTick, ScheduleTicked
from streams.log.outgoing import LogOffset
from streams.tables.projection import Record, Tables, rank_of
from streams.tables.record_table import order_of


def _tick_order(event: ScheduleTicked, offset: LogOffset) -> str:
    """The latest by the schedule, whichever worker wrote it and when."""
    return order_of(int(event.data.nominal_at.timestamp()), offset.offset)


async def _close_deleted(tables: Tables, events: Sequence[ScheduleChanged]) -> None:
    for event in events:
        if event.data.deleted:
            await tables.of(LAST_TICKS).close(event.data.id)


SCHEDULES = Record(
    table="schedules",
    topic=SCHEDULES_CHANGED,
    event=ScheduleChanged,
    type=Schedule,
    scope=lambda event: event.data.tenant,
    gone=lambda event: event.data.deleted,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    then=_close_deleted,
)
LAST_TICKS = Record(
    table="last_ticks",
    topic=SCHEDULES_TICKED,
    event=ScheduleTicked,
    type=ScheduleTick,
    scope=lambda event: event.data.schedule_id,
    id=lambda event: event.data.schedule_id,
    order=_tick_order,
    rank=lambda _event, _offset: 0.0,
    retention_s=TICKS_MS / 1000,
)
