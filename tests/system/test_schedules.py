"""Schedules and bulk actions on the whole stack: every tick runs once although workers are killed, a bulk action does what it says.

``CLAW_TEST_SCHEDULE_S=300`` is the long form: every two seconds for five minutes with three workers of each group, two of which are killed.
"""

import asyncio
import os
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claw_client import Client
from tests.support.claw_forks import ForkedCommand
from tests.system.conftest import Up, records

SECONDS = int(os.environ.get("CLAW_TEST_SCHEDULE_S", "4"))
GROUPS = ("tables", "documents")  # the ticker, and what runs the jobs
IS_LONG = SECONDS > 60
EVERY_S = 2 if IS_LONG else 1
PASSWORD = "a long test passphrase"
TERMINAL = {"succeeded", "failed", "cancelled", "skipped"}


@pytest.fixture
async def operator(up: Up, session: Any, tmp_path: Path) -> tuple[Client, Path]:
    """An operator, and a file with their API key."""
    email = f"{uuid.uuid4().hex}@example.org"
    code, printed = await up.command("admin", "create", email, "--password-stdin", "--name", "Olga", typed=f"{PASSWORD}\n")
    assert code == 0, printed
    async with session.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}) as answer:
        token = (await answer.json())["access_token"]
    client = await Client.with_token(session, token)
    async with session.post("/api/v1/api-keys", json={"name": "ops", "scopes": ["ops"]}, headers=client.headers) as answer:
        key = tmp_path / "key"
        key.write_text((await answer.json())["key"], encoding="utf-8")
    return client, key


async def call(client: Client, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    async with client.session.request(method, f"/api/v1{path}", json=body, headers=client.headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json() if status != 204 else None


async def command(up: Up, key: Path, *arguments: str) -> str:
    code, printed = await up.command(*arguments, "--url", up.url, "--key-file", str(key))
    assert code == 0, printed
    return printed


@pytest.mark.timeout(SECONDS + 150)
async def test_every_tick_runs_once_although_its_workers_die(up: Up, operator: tuple[Client, Path]):
    client, key = operator
    async with AsyncExitStack() as extra:
        others = [await extra.enter_async_context(_worker(up, group)) for group in GROUPS * (2 if IS_LONG else 0)]
        spec = {"kind": "interval", "every_s": EVERY_S}
        body = {"name": "ticks", "spec": spec, "action": {"kind": "clean_up"}, "overlap": "queue", "queued_max": 20}
        made = await call(client, "POST", "/schedules", body, 201)
        begun = datetime.fromisoformat(made["created_at"])
        victims = [[up.process(group).pid for group in GROUPS], [each.pid for each in others[:2]]]
        for pids in victims:
            await asyncio.sleep(SECONDS / 3)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(SECONDS / 3)
        end = begun + timedelta(seconds=SECONDS)
        jobs = await _until_all_ended(up, made["id"], end)
        printed = await command(up, key, "schedule", "pause", made["id"], "--note", "enough")
        assert "paused" in printed
    ticks = [event for event in await _events(up, "claw.schedules.ticked.v1") if event["data"]["schedule_id"] == made["id"]]
    times = sorted({datetime.fromisoformat(tick["data"]["nominal_at"]) for tick in ticks})
    assert times == [times[0] + timedelta(seconds=EVERY_S * number) for number in range(len(times))], "none is missing"
    assert times[0] - begun <= timedelta(seconds=EVERY_S)
    assert sum(tick["data"]["skipped"] for tick in ticks) == 0
    assert len({tick["id"] for tick in ticks}) == len(times), "a tick that was published again has the same id"
    ends = Counter(job["id"] for job in jobs if job["state"] in TERMINAL)
    assert set(ends.values()) == {1}, "each run ended once"
    assert Counter(job["state"] for job in jobs if job["state"] in TERMINAL) == {"succeeded": len(ends)}
    shown = await command(up, key, "schedule", "show", made["id"])
    assert "succeeded" in shown
    await command(up, key, "schedule", "delete", made["id"])
    assert made["id"] not in await command(up, key, "schedule", "list", "--installation")


@asynccontextmanager
async def _worker(up: Up, group: str) -> AsyncIterator[ForkedCommand]:
    """Another worker of the group, which may be killed."""
    process = await up.forks.run(("worker", "--lane", group), up.environ | {"CLAW_METRICS_PORT": "0"})
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def _until_all_ended(up: Up, schedule: str, end: datetime) -> list[dict[str, Any]]:
    """What the log says of the runs of this schedule, once all that were due before ``end`` have ended."""
    async with asyncio.timeout(100):
        while True:
            jobs = [event["data"] for event in await _events(up, "claw.jobs.changed.v1") if event["data"]["schedule_id"] == schedule]
            known = {job["id"] for job in jobs if datetime.fromisoformat(job["nominal_at"]) < end}
            ended = {job["id"] for job in jobs if job["state"] in TERMINAL}
            reached = max((datetime.fromisoformat(job["nominal_at"]) for job in jobs), default=end - timedelta(days=1))
            if known <= ended and reached >= end - timedelta(seconds=EVERY_S):
                return [job for job in jobs if job["id"] in known]
            await asyncio.sleep(0.5)


async def _events(up: Up, topic: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(record.value) for record in await records(up, up.kafka.topic_prefix + topic) if record.value]


async def test_the_installation_checks_and_cleans_itself(up: Up, operator: tuple[Client, Path]):
    """By the schedules that it has by itself; a check that is triggered ends, and its task is there."""
    client, key = operator
    listed = (await call(client, "GET", "/schedules?installation=true"))["items"]
    found = {each["name"]: each["id"] for each in listed}
    assert {"clean-up", "health-check"} <= set(found)
    run = (await command(up, key, "schedule", "trigger", found["health-check"])).split("\t")[0]
    async with asyncio.timeout(30):
        while (task := await call(client, "GET", f"/tasks/{run}"))["ended_at"] is None:
            await asyncio.sleep(0.1)
    assert (task["kind"], task["parent_id"]) == ("health_check", found["health-check"])
    shown = await call(client, "GET", f"/schedules/{found['health-check']}")
    (newest, *_) = shown["runs"]
    assert newest["id"] == run
    assert newest["results"]["checks"] >= 9, newest
    # other modules kill workers and damage batches of this stack, which a check rightly finds
    assert task["state"] == ("FAILURE" if newest["notes"] else "SUCCESS")


async def test_a_bulk_action_retries_what_failed(up: Up, operator: tuple[Client, Path]):
    """Three documents that cannot be read fail, are retried as new tasks, once each; later ones are left alone."""
    client, key = operator
    accepted = []
    for number in range(3):
        body = {"title": "broken", "text": "<html></html>", "media_type": "text/html"}
        accepted.append(await call(client, "PUT", f"/knowledge/{client.knowledge_base}/documents/d{number}", body, 202))
    async with asyncio.timeout(30):
        for each in accepted:
            while (task := await call(client, "GET", f"/tasks/{each['task_id']}"))["ended_at"] is None:
                await asyncio.sleep(0.1)
            assert task["state"] == "FAILURE", task
    assert "3 match" in await command(up, key, "tasks", "bulk", "retry", "--kind", "vectorize_document", "--dry-run")
    bulk = (await command(up, key, "tasks", "bulk", "retry", "--kind", "vectorize_document")).split("\t")[0]
    async with asyncio.timeout(30):
        while (task := await call(client, "GET", f"/tasks/{bulk}"))["ended_at"] is None:
            await asyncio.sleep(0.1)
    assert (task["state"], task["progress"]["done"], task["progress"]["total"]) == ("SUCCESS", 3, 3)
    tasks = (await call(client, "GET", "/tasks?kind=vectorize_document"))["items"]
    assert sorted(each["parent_id"] or "" for each in tasks) == sorted(["", "", "", *(each["task_id"] for each in accepted)])
