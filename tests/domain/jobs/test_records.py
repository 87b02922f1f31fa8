"""The last runs of a schedule are kept, and those that have not ended, however many came since."""

import pytest
from msgspec.structs import replace

from adapters.redis.client import RedisClient
from domain.jobs.records import RUNS_KEPT, SLACK, list_runs
from schemas.jobs import CleanUpAction, Job
from schemas.settings import Settings
from tests.support.scheduled_house import TENANT, ScheduledHouse

pytestmark = pytest.mark.stack


async def test_old_runs_go_and_open_ones_stay(redis: RedisClient, settings: Settings):
    house = ScheduledHouse(redis, settings.redis.key_prefix, {})
    first = Job(id="open", tenant=TENANT, action=CleanUpAction(), schedule_id="s", created_at=house.clock.now())
    await house.writer.create(first)
    for number in range(2 * (RUNS_KEPT + SLACK)):
        house.clock.forward(1)
        await house.writer.create(replace(first, id=f"run-{number:04d}", state="skipped", created_at=house.clock.now()))
    runs = await list_runs(house.tables, "s")
    assert len(runs) <= RUNS_KEPT + SLACK + 1
    assert (runs[0].id, runs[-1].id) == (f"run-{2 * (RUNS_KEPT + SLACK) - 1:04d}", "open")
