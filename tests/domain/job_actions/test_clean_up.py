"""The clean-up on a real Redis and a real folder: what it removes, what it leaves, in bounded steps."""

import os
import time
from datetime import timedelta
from typing import Any

import pytest

from adapters.blobs import BlobStore
from adapters.blobs.folder import INCOMING, STALE_S
from adapters.redis.client import RedisClient
from domain.accounts.invitations import INVITATIONS, LISTED
from domain.accounts.topics import INVITATIONS_CHANGED
from domain.job_actions import clean_up
from domain.job_actions.clean_up import clean_up_step
from domain.notices.records import DELIVERIES
from schemas.jobs import CleanUpAction, Job
from schemas.records import Invitation, InvitationChanged
from schemas.settings import Settings
from streams.log.outgoing import Outgoing
from tests.support.scheduled_house import ScheduledHouse

pytestmark = pytest.mark.stack


async def invite(house: ScheduledHouse, name: str, days: int, **changed: Any) -> None:
    at = house.clock.now() + timedelta(days=days)
    data = Invitation(id=name, created_at=at - timedelta(days=7), expires_at=at, email=f"{name}@example.com", **changed)
    event = InvitationChanged(id=name, source="/t", subject=name, time=house.clock.now(), tenant="-", traceparent="", data=data)
    await house.records.change(Outgoing(INVITATIONS_CHANGED, event))


async def test_what_nobody_needs_goes_and_the_rest_stays(redis: RedisClient, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    house = ScheduledHouse(redis, settings.redis.key_prefix, {})
    blobs = BlobStore(settings)
    await blobs.start()
    incoming = settings.node.home / "blobs" / INCOMING
    for name, age_s in (("stale", STALE_S + 60), ("fresh", 60)):
        (incoming / name).write_bytes(b"x")
        os.utime(incoming / name, (time.time() - age_s,) * 2)
    await invite(house, "old", -40)
    await invite(house, "used", -40, account_id="ada")
    await invite(house, "recent", -3)
    deliveries = house.tables.of(DELIVERIES)
    for number in range(3):  # entries of a list whose records have expired
        await redis.execute_command("ZADD", deliveries.index_key("hook"), 0, f"{number:016x}gone-{number}")
    await redis.execute_command("ZADD", house.tables.of(INVITATIONS).index_key("other"), 0, f"{0:016x}kept")  # records that never expire
    for number in range(200):  # more than one look, also in a Redis with nothing else
        await redis.execute_command("SET", f"{house.prefix}:filler:{number}", "x")
    monkeypatch.setattr(clean_up, "SCANS_MAX", 1)
    monkeypatch.setattr(clean_up, "SCAN_KEYS", 5)
    step = clean_up_step(blobs, redis, house.prefix, house.tables, house.records, house.clock, os.urandom)
    now = house.clock.now()
    job, steps = Job(id="j", tenant="-", action=CleanUpAction(), created_at=now), 0
    while job.is_open:
        job, steps = await step(job), steps + 1
        assert steps < 10_000
    await blobs.stop()
    assert job.results == {"unfinished_uploads": 1, "invitations": 1, "expired_entries": 3}
    assert (job.state, job.done, steps > 2) == ("succeeded", 5, True)
    assert sorted(each.name for each in incoming.iterdir()) == ["fresh"]
    assert sorted(await house.tables.of(INVITATIONS).ids(LISTED)) == ["recent", "used"]
    event = house.log.sent[-1].event
    assert isinstance(event, InvitationChanged)
    assert (event.data.revoked, event.data.email) == (True, ""), "the address leaves the log with it"
    assert await house.tables.of(INVITATIONS).count("other") == 1
