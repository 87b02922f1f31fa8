"""The schedules that an installation has by itself: it cleans up every night and checks itself every hour.

Their ids are derived, and each is written under a lease only if there never was one, so any number of processes create one of each.
Operators change them like any other; one that was deleted stays deleted.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec.structs import replace

from domain.schedules.records import SCHEDULES
from domain.schedules.topics import SCHEDULES_CHANGED
from schemas import ids
from schemas.errors import Unavailable
from schemas.jobs import CleanUpAction, HealthCheckAction
from schemas.schedules import CronSpec, IntervalSpec, Schedule, ScheduleChanged
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import Outgoing
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter

CLEAN_UP_ID = ids.derive("schedule", ids.INSTALLATION, "clean_up")
HEALTH_CHECK_ID = ids.derive("schedule", ids.INSTALLATION, "health_check")
RETRY_S = 5.0

log = structlog.get_logger(__name__)


def is_installed(schedule: Schedule) -> bool:
    """Whether it is one of those that the installation has by itself."""
    return schedule.id in (CLEAN_UP_ID, HEALTH_CHECK_ID)


def default_schedules(now: datetime) -> tuple[Schedule, ...]:
    """The schedules, as they are created."""
    clean_up = Schedule(
        id=CLEAN_UP_ID,
        tenant=ids.INSTALLATION,
        name="clean-up",
        spec=CronSpec(line="17 3 * * *"),
        action=CleanUpAction(),
        jitter_s=600,
        created_at=now,
        updated_at=now,
        anchor_at=now,
    )
    health_check = replace(
        clean_up, id=HEALTH_CHECK_ID, name="health-check", spec=IntervalSpec(every_s=3_600), action=HealthCheckAction(), jitter_s=0
    )
    return clean_up, health_check


def schedule_event(schedule: Schedule, source: str, now: datetime, traceparent: str) -> Outgoing:
    """The event of a change; a repeat of the same change has the same id."""
    event = ScheduleChanged(
        id=ids.derive("schedule-changed", schedule.id, schedule.revision),
        source=f"/claw/{source}",
        subject=schedule.id,
        time=now,
        tenant=schedule.tenant,
        traceparent=traceparent,
        data=schedule,
    )
    return Outgoing(SCHEDULES_CHANGED, event)


class DefaultSchedules:
    """Creates them once the tables can be read; part of a worker."""

    def __init__(self, tables: Tables, records: RecordWriter, clock: Clock, random_bytes: Callable[[int], bytes], source: str) -> None:
        self._table, self._records, self._clock = tables.of(SCHEDULES), records, clock
        self._random_bytes, self._source = random_bytes, source
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._run(), name="default-schedules")

    async def stop(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self.create()
            except Unavailable as error:
                log.info("default_schedules_put_off", error=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def create(self) -> int:
        """Write those that there never were; returns how many. Raises Unavailable."""
        created, now = 0, self._clock.now()
        for schedule in default_schedules(now):
            async with self._records.lease(f"schedule/{schedule.id}"):
                if await self._table.get(schedule.tenant, schedule.id) is not None:
                    continue
                if await self._table.is_deleted(schedule.tenant, schedule.id):
                    continue
                await self._records.change(schedule_event(schedule, self._source, now, new_traceparent(self._random_bytes)))
                created += 1
        return created
