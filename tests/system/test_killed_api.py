"""The API is killed when the log has taken what a request makes, and before anything else has: it is there after the restart, once."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from adapters.redis.client import connect
from claw_client import Client
from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, INVITATIONS_CHANGED
from domain.configs.reports import ProcessReports
from domain.configs.topics import CONFIGS_CHANGED
from domain.notices.topics import WEBHOOKS_CHANGED
from domain.schedules.topics import SCHEDULES_CHANGED
from ops.stack.launch import PROJECT
from ops.stack.ports import free_port
from tests.system.conftest import PASSWORD, Up, answers, log_in_operator

TOPICS = (ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, INVITATIONS_CHANGED, WEBHOOKS_CHANGED, CONFIGS_CHANGED, SCHEDULES_CHANGED)
CONFIG = "/api/v1/configs/cache.negative_s"
SOON_S = 60.0


@pytest.mark.timeout(180)
async def test_what_the_log_took_is_there_once(up: Up, client: Client, session: aiohttp.ClientSession) -> None:
    """An account, a key, an invitation, a webhook, a schedule, a configuration value: no request was answered, and each is repeated."""
    operator = await log_in_operator(up, session)
    base = (await Client.with_token(session, operator["Authorization"].removeprefix("Bearer "))).knowledge_base
    nightly = {
        "name": "nightly",
        "spec": {"kind": "cron", "line": "0 3 1 1 *"},
        "action": {"kind": "rebuild", "knowledge_base_id": base},
    }
    email = f"{uuid.uuid4().hex}@example.org"
    requests: dict[str, tuple[str, str, Any, Any]] = {  # method, path, body, headers
        "account": ("POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD}, {}),
        "key": ("POST", "/api/v1/api-keys", {"name": "nightly"}, client.headers),
        "invitation": ("POST", "/api/v1/organisation/invitations", {}, operator),
        "webhook": ("POST", "/api/v1/webhooks", {"url": "https://hooks.example.org/"}, client.headers),
        "schedule": ("POST", "/api/v1/schedules", nightly, operator),
        "configuration": ("PUT", CONFIG, {"value": 61, "reason": "a test"}, operator),
    }
    lists = {  # the path, and the credential that reads it
        "key": ("/api/v1/api-keys", client.headers),
        "invitation": ("/api/v1/organisation/invitations", operator),
        "webhook": ("/api/v1/webhooks", client.headers),
        "schedule": ("/api/v1/schedules", operator),
        "configuration": (f"{CONFIG}/history", operator),
    }
    keys = {name: {"Idempotency-Key": uuid.uuid4().hex} for name in requests}

    async def send(url: str, name: str) -> tuple[int, dict[str, Any]]:
        method, path, body, headers = requests[name]
        async with aiohttp.ClientSession(url) as own, own.request(method, path, json=body, headers={**headers, **keys[name]}) as answer:
            return answer.status, dict(await answer.json())

    async def listed(url: str, name: str) -> list[Any]:
        path, headers = lists[name]
        async with aiohttp.ClientSession(url) as own, own.get(path, headers=headers) as answer:
            return list((await answer.json())["items"])

    async def log_in(url: str) -> int:
        async with aiohttp.ClientSession(url) as own, own.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}) as answer:
            return answer.status

    async with halting_api(up) as (url, accepted, process):
        sending = [asyncio.create_task(send(url, name)) for name in requests]
        async with asyncio.timeout(SOON_S):
            while len(accepted) < len(requests):
                await asyncio.sleep(0.02)
        process.kill()
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
    assert {name for names in accepted for name in names.split()} == {topic.name for topic in TOPICS}
    assert all(isinstance(outcome, aiohttp.ClientError) for outcome in outcomes), outcomes
    try:
        async with up.replica() as url, asyncio.timeout(SOON_S):
            while await log_in(url) != 200:
                await asyncio.sleep(0.1)
            for name in lists:
                while len(await listed(url, name)) < 1:
                    await asyncio.sleep(0.1)
            made = {name: await repeated(lambda name=name: send(url, name)) for name in requests}
            after = {name: await listed(url, name) for name in lists}
            assert {name: len(items) for name, items in after.items()} == dict.fromkeys(lists, 1)
            assert all(after[name][0]["id"] == made[name]["id"] for name in ("key", "invitation", "webhook", "schedule"))
            assert made["webhook"]["secret"].startswith("whsec_")
            assert (await Client.with_token(session, made["key"]["key"])).knowledge_base == client.knowledge_base
            assert (await Client.with_token(session, made["account"]["access_token"])).knowledge_base
            assert (made["configuration"]["value"], made["configuration"]["revision"]) == (61, 1)
    finally:
        async with session.delete(CONFIG, headers=operator) as answer:
            assert answer.status == 200, await answer.text()


async def repeated(send: Any) -> dict[str, Any]:
    """What the repeated request returns; the leases of who was killed last some seconds."""
    while True:
        status, body = await send()
        if status != 503:
            assert status in {200, 201}, body
            return dict(body)
        await asyncio.sleep(0.2)


@asynccontextmanager
async def halting_api(up: Up) -> AsyncIterator[tuple[str, list[str], asyncio.subprocess.Process]]:
    """An API process that goes no further when the log has accepted something: its URL, and the topics on which it has. What it reported of
    itself is forgotten at the end, as that of a dead process is after a while.
    """
    redis, port, accepted = connect(up.redis), free_port(), list[str]()
    reports = ProcessReports(redis, up.redis.key_prefix)
    others = {report.id for report in await reports.list()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.halting_api", *(topic.name for topic in TOPICS)),
        env={**up.environ, "CLAW_PORT": str(port), "CLAW_METRICS_PORT": "0"},
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    reading = asyncio.create_task(_read(process, accepted))
    try:
        await answers(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", accepted, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
        for report in await reports.list():
            if report.id not in others:
                await reports.remove(report.id)
        await redis.aclose()


async def _read(process: asyncio.subprocess.Process, accepted: list[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        word, _, topics = line.decode(errors="replace").strip().partition(" ")
        if word == "accepted":
            accepted.append(topics)
