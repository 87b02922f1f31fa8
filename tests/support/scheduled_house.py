"""Schedules and jobs on a real Redis under a clock of the test: a log that applies what is published, as the agents do."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from adapters.redis.client import RedisClient
from domain.job_actions.runs import begin_run
from domain.jobs.records import JOBS, list_runs
from domain.jobs.runner import JobRunner, JobStep, JobTimers, JobWriter
from domain.jobs.settings import JobSettings
from domain.read_models import ReadModels
from domain.schedules.defaults import schedule_event
from domain.schedules.settings import ScheduleSettings
from domain.schedules.ticker import Ticker, schedule_timers
from domain.tasks.settings import TaskSettings
from domain.tasks.steps import steps_of
from domain.tasks.table import TaskTable
from schemas.jobs import CleanUpAction, Job, JobChanged
from schemas.schedules import IntervalSpec, Schedule, ScheduleChanged, ScheduleTicked
from schemas.tasks import Task
from streams.log.outgoing import LogOffset, Outgoing
from streams.tables.record_writer import RecordWriter
from tests.support.ports import RememberingPublisher

BEGIN = datetime(2026, 11, 30, 12, tzinfo=UTC)
TENANT = "acme"


class HandClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = BEGIN

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class OneLog(RememberingPublisher):
    """Every record has the next offset, whoever writes it."""

    offset = 0

    async def publish(self, outgoing: Outgoing) -> LogOffset:
        self.sent.append(outgoing)
        self.offset += 1
        return LogOffset(outgoing.topic.name, 0, self.offset)


class ScheduledHouse:
    """``ticker`` and ``runner`` make workers; ``deliver`` does what the agents do with what was published since, possibly again."""

    def __init__(self, redis: RedisClient, prefix: str, actions: Mapping[type, JobStep]) -> None:
        self.clock, self.log, self.redis, self.prefix = HandClock(), OneLog(), redis, prefix
        self.tables = ReadModels(redis, prefix)
        self.records = RecordWriter(redis, prefix, self.log, self.tables, self.clock)
        self.timers, self.job_timers = schedule_timers(redis, prefix), JobTimers(redis, prefix)
        self.writer = JobWriter(self.tables, self.records, self.clock, os.urandom, "test")
        self.tasks = TaskTable(redis, prefix, TaskSettings())
        self.actions = actions
        self.handled = 0

    async def ticker(self) -> Ticker:
        """A worker that has taken the partition over."""
        settings = ScheduleSettings()
        made = Ticker(settings, self.timers, self.tables, self.records, self.clock, random_bytes=os.urandom, registry=CollectorRegistry())
        await made.loop.take_partition(0)
        return made

    async def runner(self, **changed: Any) -> JobRunner:
        """A worker that has taken the partition over."""
        parts = (JobSettings(**changed), self.job_timers, self.tables, self.writer, self.actions, self.clock)
        made = JobRunner(*parts, registry=CollectorRegistry())
        await made.loop.take_partition(0)
        return made

    async def schedule(self, name: str = "s", **changed: Any) -> Schedule:
        """A schedule that was just created, or changed."""
        now = self.clock.now()
        given: dict[str, Any] = {
            "spec": IntervalSpec(every_s=2),
            "action": CleanUpAction(),
            "anchor_at": now,
            "created_at": now,
            "updated_at": now,
        }
        made = Schedule(id=name, tenant=TENANT, name=name, **(given | changed))
        await self.records.change(schedule_event(made, "test", now, ""))
        await self.deliver()
        return made

    async def deliver(self, *, again: bool = False) -> None:
        """What the agents read, once more from the beginning with ``again``."""
        self.handled = 0 if again else self.handled
        while self.handled < len(self.log.sent):
            event = self.log.sent[self.handled].event
            self.handled += 1
            place = LogOffset("t", 0, self.handled)
            await self.tables.apply(event, place)
            await self.tasks.put_many(steps_of(event, place), self.clock.now())
            if isinstance(event, ScheduleChanged):
                await self.timers.look_at([(event.data, 0)])
            if isinstance(event, JobChanged):
                await self.job_timers.apply_many([(event.data, 0)])
            if isinstance(event, ScheduleTicked):
                tick = event.data
                writers = (self.tables, self.records, self.writer, self.clock.now())
                await begin_run(tick.tenant, tick.schedule_id, tick.id, *writers, tick=tick)

    async def round(self, *workers: Ticker | JobRunner) -> None:
        """A round of each worker, and its work done; then what the agents do."""
        for worker in workers:
            await worker.loop.run_once()
        for worker in workers:
            await worker.loop.finish(20)
        await self.deliver()

    @property
    def ticks(self) -> list[ScheduleTicked]:
        """Every tick on the log."""
        return [each.event for each in self.log.sent if isinstance(each.event, ScheduleTicked)]

    async def runs(self, schedule: str = "s") -> list[Job]:
        """The runs of a schedule, the oldest first."""
        return list(reversed(await list_runs(self.tables, schedule)))

    async def job(self, job_id: str) -> Job:
        found = await self.tables.of(JOBS).get(TENANT, job_id)
        assert found is not None
        return found

    async def task(self, task_id: str) -> Task:
        found = await self.tasks.get(TENANT, task_id)
        assert found is not None
        return found
