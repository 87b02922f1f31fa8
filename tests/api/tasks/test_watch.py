"""Tasks as a stream: a snapshot, then changes, to those who may see them, and only while somebody watches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.core import Core
from api.tasks.ports import TaskPorts
from domain.tasks.table import CHANGES_MAX
from tests.support.api_people import colleague, tenant_of
from tests.support.api_process import House, Person, Sent, events
from tests.support.problems import is_problem
from tests.support.task_rows import put

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]


@asynccontextmanager
async def watching(house: House, person: Person, query: str = "") -> AsyncIterator[AsyncIterator[Sent]]:
    async with house.client.stream("GET", f"/api/v1/tasks/stream{query}", headers=person.headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield events(answer)


async def nth(stream: AsyncIterator[Sent], name: str) -> dict[str, Any]:
    """The data of the next event of this name."""
    async with asyncio.timeout(10):
        while (sent := await anext(stream)).event != name:
            assert sent.id
    return sent.data


async def test_the_open_ones_then_every_change(house: House, ada: Person) -> None:
    """Own tasks for a user, the tenant's for an admin; nothing is read once nobody watches."""
    await put(house, ada, "SUCCESS")
    running = await put(house, ada, "STARTED")
    fellow, boss = await colleague(house, ada), await colleague(house, ada, role="admin")
    async with watching(house, ada) as mine, watching(house, boss) as all_:
        for stream in (mine, all_):
            snapshot = await nth(stream, "snapshot")
            assert (snapshot["counts"], snapshot["complete"]) == ({"SUCCESS": 1, "STARTED": 1}, True)
            assert [task["id"] for task in snapshot["open"]] == [running]
        theirs = await put(house, fellow, "PENDING")
        assert (await nth(all_, "task"))["id"] == theirs
        done = await put(house, ada, "FAILURE")
        for stream in (mine, all_):
            task = await nth(stream, "task")
            assert (task["id"], task["state"], task["cause"]["code"]) == (done, "FAILURE", "document_empty")
    feed = house.ports(TaskPorts).feed
    async with asyncio.timeout(10):
        while feed.is_looking:
            await asyncio.sleep(0.05)


async def test_those_of_one_account(house: House, ada: Person) -> None:
    """Also for an admin, who sees the tenant's otherwise; another account's only for an admin."""
    boss = await colleague(house, ada, role="admin")
    await put(house, ada, "PENDING")
    own, of_ada = f"?account={boss.user['id']}", f"?account={ada.user['id']}"
    async with watching(house, boss, own) as mine, watching(house, boss, of_ada) as hers:
        assert (await nth(mine, "snapshot"))["open"] == []
        assert len((await nth(hers, "snapshot"))["open"]) == 1
        theirs, ours = await put(house, ada, "STARTED"), await put(house, boss, "STARTED")
        assert (await nth(mine, "task"))["id"] == ours
        assert (await nth(hers, "task"))["id"] == theirs
    is_problem(await ada.call("GET", f"/tasks/stream{own}"), 403, "forbidden")


async def test_a_snapshot_in_place_of_changes_that_were_missed(house: House, ada: Person) -> None:
    """Too many, or the table was lost and made again."""
    await put(house, ada, "PENDING")
    core = house.ports(Core)
    async with watching(house, ada) as stream:
        await nth(stream, "snapshot")
        key = f"{core.settings.redis.key_prefix}:task-sequence:{{tasks:{tenant_of(ada)}}}"
        await core.redis.execute_command("SET", key, CHANGES_MAX * 3)
        newest = await put(house, ada, "STARTED")
        snapshot = await nth(stream, "snapshot")
        assert newest in {task["id"] for task in snapshot["open"]}
