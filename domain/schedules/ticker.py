"""Fires ticks: a durable timer per schedule in the partition of the schedule, whose owner publishes what is due.

A tick's id follows from the schedule and its time, and the last tick of each schedule is a record: so a tick is published once, whichever
worker has the partition, and whatever its clock does. A worker that lost the partition without knowing it may publish a tick again, with
the same id; who reads ticks begins one run per id.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from adapters.redis.client import RedisClient
from domain.schedules.defaults import is_installed
from domain.schedules.records import LAST_TICKS, SCHEDULES
from domain.schedules.settings import ScheduleSettings
from domain.schedules.times import due_at, find_due, tick_id
from domain.schedules.topics import SCHEDULES_TICKED
from schemas.schedules import Schedule, ScheduleTick, ScheduleTicked
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import Outgoing
from streams.runtime.timer_loop import TimerLoop
from streams.runtime.timers import Timers, TimerSetting, move_settings, ms_of
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter

NAME = "schedule"
CLAIMED_S = 10.0  # for one look at a schedule; then it is looked at again, should the worker have died
LOOK_S = 60.0  # a schedule is looked at this often at least: a change that was missed takes effect then
SCHEDULES_MAX = 256  # of one partition looked at in a round
TICKS_MAX = 50  # of one schedule at once; more are fired in the next round
BUCKETS_S = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 3_600)


class ScheduleTimers:
    """When to look at each schedule. Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    async def look_at(self, schedules: Sequence[tuple[Schedule, int]]) -> None:
        """Schedules, with their partitions, were changed: look at each now; at those that do not run never again."""
        settings: list[TimerSetting] = []
        for schedule, partition in schedules:
            runs = not (schedule.deleted or schedule.paused)
            settings += move_settings(partition, timer_id(schedule), 0 if runs else None)
        await self._timers.set_many(settings)

    async def take_over(self, partition: int, at: datetime) -> int:
        """The token to claim with in this partition; tokens taken earlier end."""
        return await self._timers.take_over(partition, ms_of(at))

    async def claim(self, partition: int, token: int, now: datetime) -> list[str]:
        """The timers that are due. Raises Superseded when another worker has the partition."""
        again_at_ms = ms_of(now + timedelta(seconds=CLAIMED_S))
        due = await self._timers.claim(partition, token, before_ms=ms_of(now) + 1, again_at_ms=again_at_ms, limit=SCHEDULES_MAX)
        return [timer.id for timer in due]

    async def set(self, partition: int, timer: str, at: datetime | None) -> None:
        """Look at the schedule at this time; None: not before it is changed."""
        await self._timers.set_many(move_settings(partition, timer, None if at is None else ms_of(at)))


class Ticker:
    """Part of a worker. ``loop`` has its rounds, and the partitions of the worker."""

    def __init__(
        self,
        settings: ScheduleSettings,
        timers: ScheduleTimers,
        tables: Tables,
        records: RecordWriter,
        clock: Clock,
        *,
        random_bytes: Callable[[int], bytes],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._settings, self._timers, self._records, self._clock, self._random_bytes = settings, timers, records, clock, random_bytes
        self._schedules, self._last_ticks = tables.of(SCHEDULES), tables.of(LAST_TICKS)
        self.loop = TimerLoop("ticker", self._take_over, self._serve_partition)
        self._ticks = Counter("claw_schedule_ticks", "Ticks of schedules, fired or too late to run.", ("outcome",), registry=registry)
        self._delay = Histogram(
            "claw_schedule_tick_delay_seconds", "From when a tick is due to when it is fired.", buckets=BUCKETS_S, registry=registry
        )

    async def start(self) -> None:
        """Begin the rounds; returns at once."""
        await self.loop.start()

    async def stop(self) -> None:
        """Stop: work under way has two seconds."""
        await self.loop.stop()

    async def _take_over(self, partition: int) -> int:
        return await self._timers.take_over(partition, self._clock.now())

    async def _serve_partition(self, partition: int, token: int) -> int:
        due = await self._timers.claim(partition, token, self._clock.now())
        return sum([self.loop.begin(timer, partial(self._look, partition, timer)) for timer in due])

    async def _look(self, partition: int, timer: str) -> None:
        """Fire what is due of one schedule, and set its timer. Raises Unavailable: it is claimed again."""
        tenant, _, schedule_id = timer.partition("/")
        schedule: Schedule | None = None
        while True:
            known, schedule = schedule, await self._schedules.get(tenant, schedule_id)
            if known is not None and schedule is not None and known.revision == schedule.revision:
                return  # it was not changed while its timer was set
            if schedule is None or schedule.paused or (is_installed(schedule) and not self._settings.installed):
                await self._timers.set(partition, timer, None)
                if schedule is None:
                    return
                continue
            async with self._records.lease(f"ticks/{schedule_id}"):
                next_at = await self._fire(schedule)
            now = self._clock.now()
            await self._timers.set(partition, timer, min(next_at or now + timedelta(days=1), now + timedelta(seconds=LOOK_S)))

    async def _fire(self, schedule: Schedule) -> datetime | None:
        """Publish the ticks that are due; returns when to look again."""
        last, now = await self._last_ticks.get(schedule.id, schedule.id), self._clock.now()
        due = find_due(schedule, None if last is None else last.nominal_at, now, TICKS_MAX)
        if due.times:
            await self._records.change(
                *(self._tick(schedule, at, now, 0 if number else due.skipped) for number, at in enumerate(due.times))
            )
            self._ticks.labels("fired").inc(len(due.times))
            self._ticks.labels("skipped").inc(due.skipped)
            for at in due.times:
                self._delay.observe(max(0.0, (now - due_at(schedule, at)).total_seconds()))
        return due.next_at

    def _tick(self, schedule: Schedule, nominal_at: datetime, now: datetime, skipped: int) -> Outgoing:
        tick = ScheduleTick(
            id=tick_id(schedule.id, nominal_at), schedule_id=schedule.id, tenant=schedule.tenant, nominal_at=nominal_at, skipped=skipped
        )
        return tick_event(tick, NAME, now, new_traceparent(self._random_bytes))


def tick_event(tick: ScheduleTick, source: str, now: datetime, traceparent: str) -> Outgoing:
    """The event of a tick, which has the tick's id."""
    event = ScheduleTicked(
        id=tick.id,
        source=f"/claw/{source}",
        subject=tick.schedule_id,
        time=now,
        tenant=tick.tenant,
        traceparent=traceparent,
        data=tick,
    )
    return Outgoing(SCHEDULES_TICKED, event)


def schedule_timers(redis: RedisClient, prefix: str) -> ScheduleTimers:
    """The timers of an installation."""
    return ScheduleTimers(Timers(redis, prefix, "schedule-timers"))


def timer_id(schedule: Schedule) -> str:
    """The name of a schedule's timer."""
    return f"{schedule.tenant}/{schedule.id}"
