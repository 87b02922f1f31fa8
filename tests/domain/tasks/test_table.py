"""The table of tasks: the script puts steps as the fold does, lists are by creation, old tasks go, changes are found."""

import uuid
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.redis.client import RedisClient
from domain.tasks.fold import TaskPut, first, newest, read_task
from domain.tasks.settings import TaskSettings
from domain.tasks.table import CHANGES_MAX, SLOTS, TaskTable
from schemas.errors import Refused
from schemas.tasks import TaskSlot, TaskState, TaskStep
from tests.support.task_events import NOW, fold

pytestmark = pytest.mark.stack
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def table(redis: RedisClient, prefix: str) -> TaskTable:
    return TaskTable(redis, prefix, TaskSettings())


def step(second: float, state: TaskState = "PENDING", account: str = "u") -> TaskStep:
    return TaskStep(state=state, at=NOW + timedelta(seconds=second), kind="vectorize_document", account=account)


def opened(tenant: str, task_id: str, second: float, account: str = "u") -> TaskPut:
    return TaskPut(tenant, task_id, "opened", first(int(second)), step(second, account=account))


STEPS = st.lists(
    st.tuples(st.sampled_from(SLOTS), st.integers(0, 5), st.sampled_from(["STARTED", "SUCCESS", "FAILURE"])),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each[:2],
)


@FEW
@given(steps=STEPS, data=st.data())
async def test_any_order_and_any_repeat_give_the_fold(
    table: TaskTable, steps: list[tuple[TaskSlot, int, TaskState]], data: st.DataObject
) -> None:
    """The script agrees with the pure fold, and the lists with the row: one entry, at the time of creation."""
    tenant = uuid.uuid4().hex
    puts = [
        TaskPut(
            tenant, "id", slot, first(at) if slot in {"opened", "started"} else newest(at), step(at, state, "u" if slot == "opened" else "")
        )
        for slot, at, state in steps
    ]
    arrivals = data.draw(st.permutations([*puts, *puts]))
    for put in arrivals:
        await table.put_many([put], NOW)
    expected = read_task(tenant, "id", fold(puts))
    assert await table.get(tenant, "id") == expected
    if expected is None:
        assert await table.count(tenant) == 0
        return
    assert (await table.list(tenant, limit=5)).items == [expected]
    assert (await table.list(tenant, "u", limit=5)).items == ([expected] if expected.account else [])
    at = expected.created_at
    assert (await table.list(tenant, limit=5, since=at, until=at + timedelta(microseconds=1))).items == [expected]


async def test_lists_are_by_creation_and_of_an_account(table: TaskTable) -> None:
    """Newest first, page by page, between two times; a tenant is a wall."""
    await table.put_many([opened("a", f"t{n}", n, "ann" if n % 2 else "ben") for n in range(6)], NOW)
    await table.put_many([opened("b", "other", 1)], NOW)
    page = await table.list("a", limit=4)
    rest = await table.list("a", limit=4, cursor=page.next_cursor)
    assert [task.id for task in (*page.items, *rest.items)] == ["t5", "t4", "t3", "t2", "t1", "t0"]
    assert rest.next_cursor == ""
    assert [task.id for task in (await table.list("a", "ann", limit=9)).items] == ["t5", "t3", "t1"]
    between = await table.list("a", limit=9, since=NOW + timedelta(seconds=2), until=NOW + timedelta(seconds=4))
    assert [task.id for task in between.items] == ["t3", "t2"]
    assert await table.get("a", "other") is None
    with pytest.raises(Refused):
        await table.list("a", limit=1, cursor="zzz")


async def test_old_tasks_go(table: TaskTable, redis: RedisClient, prefix: str) -> None:
    """What is older than tasks are kept is not put; a row expires with its newest step; entries of expired rows leave the lists."""
    kept_s = TaskSettings().kept_s
    await table.put_many([opened("a", "gone", -kept_s - 1)], NOW)
    assert await table.get("a", "gone") is None
    await table.put_many([opened("a", "old", 0)], NOW)
    await table.put_many([TaskPut("a", "old", "ended", first(1), step(60, "SUCCESS"))], NOW)
    left_ms = await redis.execute_command("PTTL", f"{prefix}:task:{{tasks:a}}:old")
    assert kept_s * 1000 < left_ms <= (kept_s + 60) * 1000
    later = NOW + timedelta(seconds=kept_s + 100)
    await table.put_many([opened("a", "new", kept_s + 90)], later)
    assert [task.id for task in (await table.list("a", "u", limit=9)).items] == ["new"]
    assert await table.count("a") == 1


async def test_a_tenant_has_so_many_tasks(redis: RedisClient, prefix: str) -> None:
    """The oldest go, with their entries."""
    table = TaskTable(redis, prefix, TaskSettings(rows_max=3))
    for n in range(6):
        await table.put_many([opened("a", f"t{n}", n)], NOW)
    assert [task.id for task in (await table.list("a", "u", limit=9)).items] == ["t5", "t4", "t3"]
    assert await table.count("a") == await table.count("a", "u") == 3
    assert await table.get("a", "t0") is None


async def test_a_batch_lists_no_more_than_goes_with_it(redis: RedisClient, prefix: str) -> None:
    """So that a tenant with full batches for hours stays at its number."""
    table = TaskTable(redis, prefix, TaskSettings(rows_max=3))
    await table.put_many([opened("a", f"t{n}", n) for n in range(260)], NOW)
    assert await table.count("a") == await table.count("a", "u") == 3


async def test_what_else_a_batch_says_of_a_tenant_does_not_hide_that_it_has_too_many(redis: RedisClient, prefix: str) -> None:
    """The number of its tasks comes with those that are listed anew, and steps of older tasks may follow them in the same round trip."""
    table = TaskTable(redis, prefix, TaskSettings(rows_max=3))
    for n in range(6):
        repeated = TaskPut("a", f"t{n}", "retried", newest(n), step(n, account=""))
        await table.put_many([opened("a", f"t{n}", n), repeated], NOW)
    assert await table.count("a") == await table.count("a", "u") == 3


async def test_changes_are_found_by_their_number(table: TaskTable) -> None:
    """Each task once, however often it changed; too far behind needs a snapshot."""
    assert await table.last_change("a") == 0
    await table.put_many([opened("a", "one", 1), opened("a", "two", 2)], NOW)
    seen = await table.last_change("a")
    await table.put_many([TaskPut("a", "one", "ended", first(2), step(3, "SUCCESS"))] * 2, NOW)
    found = await table.changes("a", seen)
    assert (found.ids, (await table.changes("a", found.seen)).ids) == (("one",), ())
    assert (await table.changes("a", 0)).ids == ("two", "one")
    assert (await table.changes("a", found.seen + 1)).ids is None, "the table is another one"
    await table.put_many([opened("a", f"more{n}", n) for n in range(CHANGES_MAX + 1)], NOW)
    assert (await table.changes("a", seen)).ids is None, "too many"
