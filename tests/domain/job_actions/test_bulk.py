"""Bulk actions on a real Redis, under a clock of the test: a frozen filter, progress, rate, abort, and a worker that dies."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from adapters.redis.client import RedisClient
from domain.job_actions import bulk
from domain.job_actions.bulk import bulk_step
from domain.tasks.errors import TASK_ENDED
from domain.tasks.fold import TaskPut, first
from schemas import ids
from schemas.errors import Refused
from schemas.jobs import BulkAction, Job
from schemas.settings import Settings
from schemas.tasks import Task, TaskState, TaskStep
from tests.support.scheduled_house import BEGIN, TENANT, ScheduledHouse

pytestmark = pytest.mark.stack


class Acts:
    """Counts what is done by task and by request id, as ``TaskActions`` would do it."""

    def __init__(self, house: ScheduledHouse) -> None:
        self.house = house
        self.done: Counter[str] = Counter()
        self.requests: set[str] = set()

    async def cancel(self, task: Task, request_id: str, by: str) -> None:
        self.done[task.id] += 1
        self.requests.add(request_id)
        assert by == "ada"
        if task.id.endswith("7"):
            raise Refused(TASK_ENDED, "it has just ended")
        await put(self.house, task.id, "CANCELLED", task.created_at)

    retry = cancel


async def put(house: ScheduledHouse, task_id: str, state: TaskState, at: Any) -> None:
    slot: Any = "opened" if state == "PENDING" else "ended"
    step = TaskStep(state=state, at=at, kind="vectorize_document", account="ada")
    await house.tasks.put_many([TaskPut(TENANT, task_id, slot, first(1), step)], house.clock.now())


@pytest.fixture
def house(redis: RedisClient, settings: Settings) -> ScheduledHouse:
    made = ScheduledHouse(redis, settings.redis.key_prefix, {})
    acts = Acts(made)
    none: Any = None  # no dead letters here
    made.actions = {BulkAction: bulk_step(made.tasks, acts, none, none, made.clock)}  # type: ignore[arg-type]
    made.acts = acts  # type: ignore[attr-defined]
    return made


async def fill(house: ScheduledHouse, number: int, *, prefix: str = "task") -> list[str]:
    names = [f"{prefix}-{each:05d}" for each in range(number)]
    puts = [
        TaskPut(
            TENANT,
            name,
            "opened",
            first(1),
            TaskStep(state="PENDING", at=BEGIN - timedelta(seconds=number - place), kind="vectorize_document", account="ada"),
        )
        for place, name in enumerate(names)
    ]
    for start in range(0, number, 1_000):
        await house.tasks.put_many(puts[start : start + 1_000], house.clock.now())
    return names


async def begin(house: ScheduledHouse, **changed: Any) -> Job:
    now = house.clock.now()
    given: dict[str, Any] = {"verb": "cancel", "until": now, "rate_per_s": 10}
    action = BulkAction(**(given | changed))
    job = await house.writer.create(Job(id="bulk", tenant=TENANT, action=action, account_id="ada", created_at=now, next_at=now))
    await house.deliver()
    return job


async def test_everything_that_matched_is_done_once_although_workers_die(house: ScheduledHouse):
    """Of 60 tasks at ten a second; those that came later are not touched, failures are counted with their codes."""
    names = await fill(house, 60)
    await begin(house)
    later = [f"later-{each}" for each in range(5)]
    house.clock.forward(0.5)
    for name in later:
        await put(house, name, "PENDING", house.clock.now())
    worker, dones = await house.runner(), []
    for number in range(10):
        await house.round(worker)
        dones.append((await house.job("bulk")).done)
        house.clock.forward(1)
        if number in (2, 4):
            worker = await house.runner()
            await house.job_timers.apply_many([(await house.job("bulk"), 0)])
    acts: Acts = house.acts  # type: ignore[attr-defined]
    assert set(acts.done) == set(names)
    assert set(acts.done.values()) == {1}
    assert acts.requests == {ids.derive("bulk", "bulk", name) for name in names}
    assert max(after - before for before, after in pairwise(dones)) <= 10, "no faster than its rate"
    job = await house.job("bulk")
    assert (job.state, job.done, job.total, job.failed, job.results) == ("succeeded", 60, 60, 6, {"tasks": 54})
    assert {failure.code for failure in job.failures} == {"task_ended"}
    task = await house.task("bulk")
    assert (task.kind, task.state, task.done, task.total) == ("bulk_action", "SUCCESS", 60, 60)


async def test_a_step_that_is_made_again_has_the_same_requests(house: ScheduledHouse, monkeypatch: pytest.MonkeyPatch):
    """The worker dies after the effects and before the job is written."""
    names = await fill(house, 5)
    await begin(house)
    worker = await house.runner()
    await house.round(worker)  # counts
    real = house.writer.finish_step

    async def die(_before: Job, _after: Job) -> Job:
        raise ConnectionError

    monkeypatch.setattr(house.writer, "finish_step", die)
    await house.round(worker)
    monkeypatch.setattr(house.writer, "finish_step", real)
    acts: Acts = house.acts  # type: ignore[attr-defined]
    first_requests = set(acts.requests)
    house.clock.forward(61)
    worker = await house.runner()
    for _ in range(3):
        await house.round(worker)
        house.clock.forward(1)
    assert acts.requests == first_requests == {ids.derive("bulk", "bulk", name) for name in names}
    assert (await house.job("bulk")).state == "succeeded"


async def test_a_cancel_stops_it_where_it_is(house: ScheduledHouse):
    await fill(house, 50)
    await begin(house)
    worker = await house.runner()
    for _ in range(3):
        await house.round(worker)
        house.clock.forward(1)
    await house.writer.request_cancel(TENANT, "bulk")
    await house.deliver()
    for _ in range(5):
        await house.round(worker)
        house.clock.forward(1)
    acts: Acts = house.acts  # type: ignore[attr-defined]
    job = await house.job("bulk")
    assert (job.state, len(acts.done)) == ("cancelled", job.done)
    assert 10 <= job.done <= 20


async def test_filters_that_match_nothing_few_and_more_than_are_allowed(house: ScheduledHouse, monkeypatch: pytest.MonkeyPatch):
    """Many pages are looked through in bounded steps."""
    await fill(house, 1_000)
    monkeypatch.setattr(bulk, "PAGE", 50)
    monkeypatch.setattr(bulk, "STEP_PAGES", 3)
    worker = await house.runner()
    await begin(house, task_kind="rebuild")
    for _ in range(10):
        await house.round(worker)
    job = await house.job("bulk")
    assert (job.state, job.total, job.done) == ("succeeded", 0, 0)
    house.clock.forward(1)
    now = house.clock.now()
    action = BulkAction(verb="cancel", until=now, rate_per_s=1_000, items_max=500)
    await house.writer.create(Job(id="many", tenant=TENANT, action=action, account_id="ada", created_at=now, next_at=now))
    await house.deliver()
    for _ in range(16):
        await house.round(worker)
        house.clock.forward(1)
    many = await house.job("many")
    assert (many.state, many.done, many.total) == ("succeeded", 500, 500)
