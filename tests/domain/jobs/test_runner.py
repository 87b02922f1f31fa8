"""Jobs on a real Redis, under a clock of the test: what becomes of workers that die, of cancels, and of what never ends."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from adapters.redis.client import RedisClient
from domain.jobs.steps import count_result, go_on, stop, succeed
from schemas.errors import Refused, Unavailable
from schemas.jobs import CleanUpAction, Job
from schemas.settings import Settings
from tests.support.scheduled_house import TENANT, ScheduledHouse

pytestmark = pytest.mark.stack
STEPS = 5


@pytest.fixture
def house(redis: RedisClient, settings: Settings) -> ScheduledHouse:
    return ScheduledHouse(redis, settings.redis.key_prefix, {})


async def begin(house: ScheduledHouse, job_id: str = "j") -> Job:
    now = house.clock.now()
    job = await house.writer.create(Job(id=job_id, tenant=TENANT, action=CleanUpAction(), created_at=now, next_at=now))
    await house.deliver()
    return job


async def test_a_job_goes_on_where_its_worker_died_and_counts_every_step_once(house: ScheduledHouse):
    """A worker that lost the partition in the middle of a step ends it as well; the step is written once."""
    made: Counter[str] = Counter()
    released = asyncio.Event()

    async def work(job: Job) -> Job:
        made[job.position] += 1
        if job.position == "xx" and made["xx"] == 1:
            await released.wait()
        job = count_result(job, "steps")
        now = house.clock.now()
        if job.results["steps"] == STEPS:
            return succeed(job, now, done=STEPS)
        return go_on(job, now, position=f"{job.position}x", done=job.results["steps"])

    house.actions = {CleanUpAction: work}
    await begin(house)
    first = await house.runner()
    for _ in range(2):
        await house.round(first)
    await first.loop.run_once()  # hangs in the third step
    second = await house.runner()
    house.clock.forward(61)  # its claim is over
    for _ in range(2):
        await house.round(second)
    released.set()
    await house.round(first)
    for _ in range(2):
        await house.round(second)
    job = await house.job("j")
    assert (job.state, job.results, job.steps) == ("succeeded", {"steps": STEPS}, STEPS)
    assert made == {"": 1, "x": 1, "xx": 2, "xxx": 1, "xxxx": 1}
    task = await house.task("j")
    assert (task.state, task.done, task.kind) == ("SUCCESS", STEPS, "clean_up")


async def test_a_cancel_stops_a_job_before_its_first_step_and_in_the_middle(house: ScheduledHouse):
    async def work(job: Job) -> Job:
        now = house.clock.now()
        return stop(job, now) if job.cancel else go_on(job, now + timedelta(seconds=30))

    house.actions = {CleanUpAction: work}
    runner = await house.runner()
    await begin(house, "early")
    await house.writer.request_cancel(TENANT, "early")
    await begin(house, "late")
    await house.deliver()
    await house.round(runner)
    assert [(await house.job(each)).state for each in ("early", "late")] == ["cancelled", "running"]
    await house.writer.request_cancel(TENANT, "late")
    await house.deliver()
    await house.round(runner)  # at once, not when its next step was due
    job = await house.job("late")
    assert (job.state, (await house.task("late")).state) == ("cancelled", "CANCELLED")
    assert (await house.writer.request_cancel(TENANT, "late")) == job, "what has ended stays as it ended"


async def test_a_refusal_ends_a_job_and_an_outage_does_not(house: ScheduledHouse):
    tried: list[str] = []

    async def work(job: Job) -> Job:
        tried.append(job.id)
        if job.id == "refused":
            raise Refused("not_found", "there is no such thing")
        if len(tried) < 4:
            raise Unavailable("kafka_unavailable")
        return succeed(job, house.clock.now())

    house.actions = {CleanUpAction: work}
    runner = await house.runner()
    await begin(house, "refused")
    await begin(house, "outage")
    for _ in range(4):
        await house.round(runner)
        house.clock.forward(5)
    refused, outage = await house.job("refused"), await house.job("outage")
    assert refused.cause is not None
    assert (refused.state, refused.cause.code, outage.state) == ("failed", "not_found", "succeeded")
    task = await house.task("refused")
    assert task.cause is not None
    assert (task.state, task.cause.code) == ("FAILURE", "not_found")


async def test_a_job_that_never_ends_fails_at_its_limit(house: ScheduledHouse):
    async def work(job: Job) -> Job:
        return go_on(job, house.clock.now() + timedelta(seconds=50))

    house.actions = {CleanUpAction: work}
    await begin(house)
    runner = await house.runner(time_limit_s=60)
    for _ in range(3):
        await house.round(runner)
        house.clock.forward(50)
    job = await house.job("j")
    assert job.cause is not None
    assert (job.state, job.cause.code) == ("failed", "job_timed_out")


async def test_the_table_is_what_any_order_of_the_events_gives(house: ScheduledHouse):
    """Redelivered from the beginning, a job that has ended stays ended, and nothing runs again."""
    ran: list[str] = []

    async def work(job: Job) -> Job:
        ran.append(job.id)
        return succeed(job, house.clock.now())

    house.actions = {CleanUpAction: work}
    await begin(house)
    runner = await house.runner()
    await house.round(runner)
    await house.deliver(again=True)
    await house.round(runner)
    assert (ran, (await house.job("j")).state) == (["j"], "succeeded")
