"""The health check: what is wrong fails it and becomes one notice a day for every operator."""

import os
from collections.abc import Sequence

import pytest

from adapters.redis.client import RedisClient
from domain.accounts.topics import ACCOUNTS_CHANGED
from domain.health import Finding, check_workers
from domain.job_actions.health_check import HealthChecks, health_check_step
from domain.notices.texts import notice_text
from schemas.jobs import HealthCheckAction, Job
from schemas.notices import NoticeChanged
from schemas.records import Account, AccountChanged
from schemas.settings import WORKER_GROUPS, Settings
from streams.log.outgoing import Outgoing
from tests.support.scheduled_house import ScheduledHouse

pytestmark = pytest.mark.stack
WELL = Finding("tables", "as the log describes them")
FULL = Finding("disk", "12 MiB free", "make room: at least 1024 MiB are needed")


class Checks(HealthChecks):
    """What a test found."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings

    async def run(self) -> Sequence[Finding]:
        return self.findings


@pytest.fixture
async def house(redis: RedisClient, settings: Settings) -> ScheduledHouse:
    made = ScheduledHouse(redis, settings.redis.key_prefix, {})
    now = made.clock.now()
    for name, role in (("olga", "operator"), ("ada", "admin")):
        account = Account(id=name, tenant="acme", email=f"{name}@example.com", role=role, created_at=now)  # type: ignore[arg-type]
        event = AccountChanged(id=name, source="/t", subject=name, time=now, tenant="acme", traceparent="", data=account)
        await made.records.change(Outgoing(ACCOUNTS_CHANGED, event))
    return made


async def check(house: ScheduledHouse, *findings: Finding) -> Job:
    step = health_check_step(Checks(*findings), house.tables, house.log, house.clock, os.urandom)  # type: ignore[arg-type]
    return await step(Job(id="j", tenant="-", action=HealthCheckAction(), created_at=house.clock.now()))


def notices(house: ScheduledHouse) -> list[NoticeChanged]:
    return [event for event in house.log.events() if isinstance(event, NoticeChanged)]


async def test_when_all_is_well_nobody_is_told(house: ScheduledHouse):
    job = await check(house, WELL)
    assert (job.state, job.results, notices(house)) == ("succeeded", {"checks": 1, "wrong": 0}, [])


async def test_operators_are_told_once_a_day_what_is_wrong(house: ScheduledHouse):
    job = await check(house, WELL, FULL)
    await check(house, WELL, FULL)
    assert job.cause is not None
    assert (job.state, job.cause.code, job.notes) == ("failed", "health_check_failed", (f"disk: {FULL.detail} -> {FULL.remedy}",))
    first, second = notices(house)
    assert (first.data.account_id, first.data.id) == ("olga", second.data.id)
    text = notice_text(first.data.kind, first.data.fields, "en")
    assert FULL.detail in text.body
    assert FULL.remedy in text.body
    house.clock.forward(86_400)
    await check(house, FULL)
    assert len({notice.data.id for notice in notices(house)}) == 2


async def test_a_group_without_a_worker_is_named(redis: RedisClient, settings: Settings):
    findings = await check_workers(redis, settings.redis.key_prefix)
    assert [finding.name for finding in findings] == [f"group {group}" for group in WORKER_GROUPS]
    assert all("claw worker --lane" in finding.remedy for finding in findings)
