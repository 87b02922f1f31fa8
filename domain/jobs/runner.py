"""Makes the steps of jobs that are due: those of this worker's partitions, a bounded number at once.

A step is claimed for a few seconds, which are renewed while it is made; if this process dies, another one soon makes it again. Therefore
what a step does follows from the job's id and position, and a step that was made twice is written once. Cancelling sets a mark, which the
job's next step obeys.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial

import structlog
from msgspec.structs import replace
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from adapters.redis.client import RedisClient
from domain.jobs.errors import JOB_TIMED_OUT
from domain.jobs.records import JOBS, list_runs
from domain.jobs.settings import JobSettings
from domain.jobs.steps import fail, is_blocked, next_poll, stop
from domain.jobs.topics import JOBS_CHANGED
from schemas import ids
from schemas.errors import Refused, Unavailable
from schemas.events import Event
from schemas.jobs import Job, JobChanged
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import LogOffset, Outgoing
from streams.runtime.timer_loop import TimerLoop
from streams.runtime.timers import Timers, TimerSetting, move_settings, ms_of
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter

NAME = "run_jobs"
STEP_S_MAX = 45.0  # of one step; one that is cut off is made again
CLAIMED_S = 12.0  # after this without a renewal another worker makes the step
RENEW_S = 4.0  # between two renewals
RETRY_S = 5.0  # after a step that found something out of reach
BUCKETS_S = (0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200, 43_200)

JobStep = Callable[[Job], Awaitable[Job]]
"""One step of an action: the job as it goes on or has ended. Raises Refused when it can never be done, Unavailable when it can later. With
``cancel`` set it undoes what is unfinished, and ends.
"""

ShowEvent = Callable[[Event, LogOffset, datetime], Awaitable[None]]

log = structlog.get_logger(__name__)


class JobTimers:
    """When each job's next step is due. Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._timers = Timers(redis, prefix, "job-timers")

    async def apply_many(self, jobs: Sequence[tuple[Job, int]]) -> None:
        """Set the timers of jobs that changed, given with their partitions."""
        await self._timers.set_many([setting for job, partition in jobs for setting in _moves(partition, _timer_id(job), job.next_at)])

    async def take_over(self, partition: int, at: datetime) -> int:
        """The token to claim with in this partition; tokens taken earlier end."""
        return await self._timers.take_over(partition, ms_of(at))

    async def claim(self, partition: int, token: int, now: datetime, limit: int) -> list[str]:
        """Jobs that are due. Raises Superseded when another worker has the partition."""
        again_at_ms = ms_of(now + timedelta(seconds=CLAIMED_S))
        due = await self._timers.claim(partition, token, before_ms=ms_of(now) + 1, again_at_ms=again_at_ms, limit=limit)
        return [timer.id for timer in due]

    async def set(self, partition: int, timer: str, at: datetime | None) -> None:
        """The job's next step is due at this time; None: it has ended."""
        await self._timers.set_many(_moves(partition, timer, at))


class JobWriter:
    """Writes jobs by compare-and-set. ``show`` gets what was written, for those who read it at once. Methods raise Unavailable."""

    def __init__(
        self,
        tables: Tables,
        records: RecordWriter,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        source: str,
        show: ShowEvent | None = None,
    ) -> None:
        self._tables, self._records, self._clock = tables, records, clock
        self._random_bytes, self._source, self._show = random_bytes, source, show

    async def create(self, job: Job, *also: Outgoing) -> Job:
        """Write a new job, with what else belongs to the change; the one that is there stays as it is."""
        async with self._records.lease(f"job/{job.id}"):
            present = await self._tables.of(JOBS).get(job.tenant, job.id)
            if present is None:
                await self._publish(job, *also)
        return present or job

    async def request_cancel(self, tenant: str, job_id: str) -> Job | None:
        """The job, which is to end as soon as it can; None when there is none."""
        async with self._records.lease(f"job/{job_id}"):
            present = await self._tables.of(JOBS).get(tenant, job_id)
            if present is None or not present.is_open or present.cancel:
                return present
            return await self._change(replace(present, cancel=True, next_at=self._clock.now()), present)

    async def finish_step(self, before: Job, after: Job) -> Job:
        """Write what a step made of the job, unless the same step has been written already; returns the job as it is then."""
        async with self._records.lease(f"job/{before.id}"):
            present = await self._tables.of(JOBS).get(before.tenant, before.id)
            if present is None or not present.is_open or present.steps != before.steps:
                return present or after
            # one that was cancelled during the step goes on at once, to end
            next_at = self._clock.now() if present.cancel and not before.cancel and after.is_open else after.next_at
            return await self._change(replace(after, cancel=present.cancel, steps=before.steps + 1, next_at=next_at), present)

    async def _change(self, job: Job, present: Job) -> Job:
        changed = replace(job, revision=present.revision + 1)
        await self._publish(changed)
        return changed

    async def _publish(self, job: Job, *also: Outgoing) -> None:
        outgoing = self._event(job)
        place = (await self._records.change(outgoing, *also))[0]
        if self._show is not None:
            await self._show(outgoing.event, place, self._clock.now())

    def _event(self, job: Job) -> Outgoing:
        event = JobChanged(
            id=ids.derive("job", job.id, job.revision),
            source=f"/claw/{self._source}",
            subject=job.id,
            time=self._clock.now(),
            tenant=job.tenant,
            traceparent=new_traceparent(self._random_bytes),
            data=job,
        )
        return Outgoing(JOBS_CHANGED, event)


class JobRunner:
    """Part of a worker. ``actions`` has the step of each type of action. ``loop`` has its rounds, and the partitions of the worker."""

    def __init__(
        self,
        settings: JobSettings,
        timers: JobTimers,
        tables: Tables,
        writer: JobWriter,
        actions: Mapping[type, JobStep],
        clock: Clock,
        *,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._settings, self._timers, self._tables, self._writer = settings, timers, tables, writer
        self._actions, self._clock = actions, clock
        self.loop = TimerLoop("job_runner", self._take_over, self._serve_partition)
        self._outcomes = Counter("claw_jobs", "Jobs that ended, by kind and state.", ("kind", "state"), registry=registry)
        self._seconds = Histogram(
            "claw_job_seconds", "From the begin of jobs to their end.", ("kind",), buckets=BUCKETS_S, registry=registry
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
        free = self._settings.concurrency - self.loop.under_way
        if free <= 0:
            return 0  # the end of a step wakes it
        due = await self._timers.claim(partition, token, self._clock.now(), free)
        return sum([self.loop.begin(timer, partial(self._work, partition, timer)) for timer in due])

    async def _work(self, partition: int, timer: str) -> None:
        """Make one step of a job. Raises Unavailable: it is made again."""
        tenant, _, job_id = timer.partition("/")
        job, now = await self._tables.of(JOBS).get(tenant, job_id), self._clock.now()
        if job is None or job.next_at is None:
            await self._timers.set(partition, timer, None)
        elif job.next_at > now:
            await self._timers.set(partition, timer, job.next_at)
        elif await self._waits(job):
            await self._timers.set(partition, timer, next_poll(now))
        else:
            try:
                async with self._renew_claim(partition, timer):
                    after = await self._writer.finish_step(job, await self._step(job, now))
            except (Unavailable, TimeoutError) as error:
                log.info("job_step_put_off", job=job.id, kind=job.kind, error=f"{type(error).__name__}: {error}")
                await self._timers.set(partition, timer, now + timedelta(seconds=RETRY_S))
                return
            await self._timers.set(partition, timer, after.next_at)
            if not after.is_open:
                self._report(after)

    @asynccontextmanager
    async def _renew_claim(self, partition: int, timer: str) -> AsyncIterator[None]:
        """Keep the claim of a step that takes long."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEW_S)
                with suppress(Unavailable):
                    await self._timers.set(partition, timer, self._clock.now() + timedelta(seconds=CLAIMED_S))

        renewing = asyncio.create_task(renew(), name="renew-job")
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait((renewing,))

    async def _waits(self, job: Job) -> bool:
        return job.state == "waiting" and not job.cancel and is_blocked(job, await list_runs(self._tables, job.schedule_id))

    async def _step(self, job: Job, now: datetime) -> Job:
        if now - job.created_at > timedelta(seconds=self._settings.time_limit_s):
            return fail(job, now, Refused(JOB_TIMED_OUT, f"{self._settings.time_limit_s} s").problem())
        if job.cancel and not job.steps:
            return stop(job, now)
        begun = job if job.started_at is not None else replace(job, state="running", started_at=now)
        try:
            async with asyncio.timeout(STEP_S_MAX):
                return await self._actions[type(job.action)](begun)
        except Refused as refusal:
            return fail(begun, self._clock.now(), refusal.problem())

    def _report(self, job: Job) -> None:
        self._outcomes.labels(job.kind, job.state).inc()
        if job.started_at is not None and job.ended_at is not None:
            self._seconds.labels(job.kind).observe(max(0.0, (job.ended_at - job.started_at).total_seconds()))
        cause = "" if job.cause is None else job.cause.code
        log.info("job_ended", job=job.id, kind=job.kind, tenant=job.tenant, state=job.state, cause=cause, results=job.results)


def _timer_id(job: Job) -> str:
    return f"{job.tenant}/{job.id}"


def _moves(partition: int, timer: str, at: datetime | None) -> list[TimerSetting]:
    return move_settings(partition, timer, None if at is None else ms_of(at))
