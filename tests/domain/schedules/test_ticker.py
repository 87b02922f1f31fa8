"""Ticks on a real Redis, under a clock of the test: once each, whichever worker fires them and whatever the clock does."""

from collections import Counter
from datetime import timedelta

import pytest
from msgspec.structs import replace

from adapters.redis.client import RedisClient
from domain.jobs.steps import go_on, stop, succeed
from domain.schedules.defaults import CLEAN_UP_ID, DefaultSchedules, schedule_event
from domain.schedules.records import SCHEDULES
from schemas import ids
from schemas.jobs import CleanUpAction, Job
from schemas.schedules import IntervalSpec
from schemas.settings import Settings
from tests.support.scheduled_house import BEGIN, ScheduledHouse

pytestmark = pytest.mark.stack


@pytest.fixture
def house(redis: RedisClient, settings: Settings) -> ScheduledHouse:
    made: ScheduledHouse

    async def clean_up(job: Job) -> Job:
        return succeed(job, made.clock.now(), done=1)

    made = ScheduledHouse(redis, settings.redis.key_prefix, {CleanUpAction: clean_up})
    return made


async def test_three_workers_of_which_two_die_fire_every_tick_once(house: ScheduledHouse):
    """A hundred seconds of every two: workers that do not know that they lost the partition go on beside the owner."""
    await house.schedule(overlap="queue", queued_max=20)
    first, second = await house.ticker(), await house.ticker()
    runner = await house.runner()
    for second_of in range(100):
        house.clock.forward(1)
        if second_of == 30:
            second = await house.ticker()  # the first two are dead; this one goes on
        if second_of == 60:
            first = await house.ticker()
        workers = (first, second, runner) if second_of % 3 else (second, first, runner)
        await house.round(*workers)
        if second_of % 40 == 0:
            await house.deliver(again=True)  # a redelivery from the beginning
    for _ in range(3):
        house.clock.forward(1)
        await house.round(runner)
    times = [tick.data.nominal_at for tick in house.ticks]
    assert times == [BEGIN + timedelta(seconds=2 * number) for number in range(1, 51)]
    assert [tick.id for tick in house.ticks] == [tick.data.id for tick in house.ticks]
    states = Counter([(await house.job(tick.id)).state for tick in house.ticks])
    assert states == {"succeeded": 50}
    task = await house.task(house.ticks[0].id)
    assert (task.state, task.kind, task.subject.schedule_id, task.done) == ("SUCCESS", "clean_up", "s", 1)


async def test_a_clock_that_jumps_fires_nothing_twice(house: ScheduledHouse):
    await house.schedule(spec=IntervalSpec(every_s=10), catch_up_s=60)
    worker = await house.ticker()
    for jump in (30, -25, 10, 3_600, -3_600, 5, 3_600, 20):
        house.clock.forward(jump)
        worker = await house.ticker() if jump < 0 else worker
        await house.round(worker)
    times = [tick.data.nominal_at for tick in house.ticks]
    assert times == sorted(set(times))
    assert sum(tick.data.skipped for tick in house.ticks) > 300, "what was too late is counted"


async def test_what_was_missed_while_everything_was_down_runs_within_the_window(house: ScheduledHouse):
    await house.schedule(spec=IntervalSpec(every_s=60), catch_up_s=300)
    house.clock.forward(3_600)
    await house.round(await house.ticker())
    assert [tick.data.skipped for tick in house.ticks] == [54, 0, 0, 0, 0, 0]
    assert (await house.job(house.ticks[0].id)).skipped_before == 54


async def test_pause_change_and_deletion_take_effect_at_once(house: ScheduledHouse):
    made, worker = await house.schedule(), await house.ticker()
    house.clock.forward(4)
    await house.round(worker)
    assert len(house.ticks) == 2
    await house.schedule(paused=True, revision=2)
    house.clock.forward(60)
    await house.round(worker)
    assert len(house.ticks) == 2
    await house.schedule(revision=3, spec=IntervalSpec(every_s=30), anchor_at=house.clock.now())  # resumed: nothing is made up for
    await house.round(worker)
    assert len(house.ticks) == 2
    house.clock.forward(30)
    await house.round(worker)
    assert len(house.ticks) == 3
    gone = replace(made, deleted=True, revision=4)
    await house.records.change(schedule_event(gone, "test", house.clock.now(), ""))
    await house.deliver()
    house.clock.forward(300)
    await house.round(worker)
    assert len(house.ticks) == 3


@pytest.mark.parametrize(
    ("overlap", "queued_max", "states"),
    [
        ("skip", 1, ["running", "skipped", "skipped"]),
        ("queue", 1, ["running", "waiting", "skipped"]),
        ("queue", 2, ["running", "waiting", "waiting"]),
        ("cancel_old", 1, ["cancelled", "cancelled", "running"]),
    ],
)
async def test_a_tick_while_a_run_has_not_ended(house: ScheduledHouse, overlap, queued_max, states):
    async def hang(job: Job) -> Job:
        now = house.clock.now()
        return stop(job, now) if job.cancel else go_on(job, now + timedelta(seconds=1))

    house.actions = {CleanUpAction: hang}
    await house.schedule(overlap=overlap, queued_max=queued_max)
    ticker, runner = await house.ticker(), await house.runner()
    for _ in range(7):
        house.clock.forward(1)
        await house.round(ticker)
        await house.round(runner)
    await house.round(runner)
    runs = await house.runs()
    assert [run.state for run in runs] == states
    for run in runs:
        if run.state == "skipped":
            task = await house.task(run.id)
            assert task.cause is not None
            assert (task.state, task.cause.code) == ("CANCELLED", "schedule_overlap")


async def test_a_run_that_waited_begins_when_the_one_before_has_ended(house: ScheduledHouse):
    ends_at = house.clock.now() + timedelta(seconds=5)
    order: list[str] = []

    async def work(job: Job) -> Job:
        now = house.clock.now()
        if now < ends_at:
            return go_on(job, now + timedelta(seconds=1))
        order.append(job.id)
        return succeed(job, now)

    house.actions = {CleanUpAction: work}
    await house.schedule(overlap="queue", queued_max=5)
    ticker, runner = await house.ticker(), await house.runner()
    for _ in range(9):
        house.clock.forward(1)
        await house.round(ticker)
        await house.round(runner)
    assert order[:3] == [tick.id for tick in house.ticks[:3]]


async def test_the_installations_schedules_are_created_once_and_stay_deleted(house: ScheduledHouse):
    made = [DefaultSchedules(house.tables, house.records, house.clock, bytes, "schedule") for _ in range(3)]
    assert sum([await each.create() for each in made]) == 2
    table = house.tables.of(SCHEDULES)
    assert await table.count(ids.INSTALLATION) == 2
    clean_up = await table.get(ids.INSTALLATION, CLEAN_UP_ID)
    assert clean_up is not None
    await house.records.change(schedule_event(replace(clean_up, deleted=True, revision=2), "api", house.clock.now(), ""))
    assert sum([await each.create() for each in made]) == 0
