"""Tasks over HTTP: your own, for admins the tenant's, readable at once, and walls between the rest."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from api.core import Core
from streams.runtime.worker_registry import WorkerState, save_worker_state
from tests.support.api_people import asked, colleague, promoted, tenant_of
from tests.support.api_process import House, Person
from tests.support.problems import is_problem
from tests.support.task_rows import put

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]


async def listed(person: Person, query: str = "") -> list[str]:
    answer = await person.call("GET", f"/tasks{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_task_that_was_accepted_is_there(house: House, ada: Person) -> None:
    """A document, a deletion, a question: each under the id that its answer gave, before any agent has seen it."""
    accepted = (await ada.call("PUT", f"/knowledge/{ada.base}/documents/d", json={"text": "x", "title": "A title"})).json()
    task = (await ada.call("GET", f"/tasks/{accepted['task_id']}")).json()
    assert (task["state"], task["kind"], task["account_id"]) == ("PENDING", "vectorize_document", ada.user["id"])
    assert (task["subject"]["document_id"], task["subject"]["version"], task["subject"]["title"]) == ("d", accepted["version"], "A title")
    assert task["links"] == {"self": f"/api/v1/tasks/{task['id']}", "cancel": f"/api/v1/tasks/{task['id']}/cancel", "retry": None}
    assert (await ada.call("GET", task["subject"]["url"].removeprefix("/api/v1"))).status_code == 200
    question = await asked(ada, await ada.conversation())
    chat = (await ada.call("GET", f"/tasks/{question['reply_id']}")).json()
    assert (chat["state"], chat["kind"]) == ("PENDING", "generate_ai_response")
    assert await listed(ada) == [accepted["task_id"]]


async def test_a_replaced_version_is_cancelled(house: House, ada: Person) -> None:
    """Its work is dropped, which no event says."""
    first_one = (await ada.call("PUT", f"/knowledge/{ada.base}/documents/d", json={"text": "x"})).json()
    second = (await ada.call("PUT", f"/knowledge/{ada.base}/documents/d", json={"text": "y"})).json()
    for one in (first_one, second):
        await house.ports(Core).visibility.record_submission(f"{tenant_of(ada)}/{ada.base}/d", one["version"])
    task = (await ada.call("GET", f"/tasks/{first_one['task_id']}")).json()
    assert (task["state"], task["cause"]["code"], task["links"]["retry"]) == ("CANCELLED", "document_superseded", None)
    assert (await ada.call("GET", f"/tasks/{second['task_id']}")).json()["state"] == "PENDING"
    assert await listed(ada, "?state=CANCELLED") == [first_one["task_id"]]


async def test_lists_have_filters_and_walls(house: House, ada: Person, bob: Person) -> None:
    """By kind, state and time, page by page; of others only for an admin of the tenant."""
    done, failed = await put(house, ada, "SUCCESS", age_s=300), await put(house, ada, "FAILURE", kind="rebuild", age_s=200)
    open_ = await put(house, ada, "STARTED", age_s=100)
    fellow, boss = await colleague(house, ada), await colleague(house, ada, role="admin")
    theirs = await put(house, fellow, "PENDING", age_s=50)
    assert await listed(ada) == [open_, failed, done]
    assert await listed(ada, "?state=FAILURE") == await listed(ada, "?kind=rebuild") == [failed]
    since = (datetime.now(UTC) - timedelta(seconds=250)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await listed(ada, f"?from={since}") == [open_, failed]
    assert await listed(ada, f"?to={since}") == [done]
    page = (await ada.call("GET", "/tasks?limit=2")).json()
    assert await listed(ada, f"?limit=2&cursor={page['next_cursor']}") == [done]
    assert await listed(boss) == [theirs, open_, failed, done]
    assert await listed(boss, f"?account={fellow.user['id']}") == [theirs]
    is_problem(await ada.call("GET", f"/tasks?account={fellow.user['id']}"), 403, "forbidden")
    is_problem(await ada.call("GET", "/tasks?cursor=zzz"), 422, "validation_failed")
    for person, status in ((ada, 200), (boss, 200), (fellow, 404), (bob, 404)):
        assert (await person.call("GET", f"/tasks/{done}")).status_code == status
    is_problem(await ada.call("GET", f"/tasks/{uuid.uuid4()}"), 404, "not_found")


async def test_a_key_sees_what_its_scopes_could_have_begun(house: House, ada: Person) -> None:
    """And acts on nothing else."""
    chat, rebuild = await put(house, ada, "STARTED"), await put(house, ada, "STARTED", kind="rebuild")
    key = (await ada.call("POST", "/api-keys", json={"name": "k", "scopes": ["chat"]})).json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    answer = await house.client.get("/api/v1/tasks", headers=headers)
    assert [item["id"] for item in answer.json()["items"]] == [chat]
    assert (await house.client.get(f"/api/v1/tasks/{rebuild}", headers=headers)).status_code == 404


async def test_statistics(house: House, ada: Person) -> None:
    """Counts, waits, durations and rates."""
    for took_s in (10, 20):
        await put(house, ada, "SUCCESS", took_s=took_s)
    await put(house, ada, "PENDING")
    stats = (await ada.call("GET", "/tasks/stats")).json()
    (kind,) = stats["kinds"]
    assert (stats["tasks"], stats["complete"], kind["counts"]) == (3, True, {"PENDING": 1, "SUCCESS": 2})
    assert kind["durations"] == {"count": 2, "p50_s": 10.0, "p95_s": 20.0}
    assert kind["waits"]["p95_s"] == 1.0
    is_problem(await ada.call("GET", "/tasks/stats?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"), 422, "validation_failed")


async def test_workers_as_they_reported(house: House, ada: Person) -> None:
    """By group, with what is under way; no names of tenants."""
    core = house.ports(Core)
    state = WorkerState(
        lane="chat", id="w1", partitions=8, assigned=4, lag=7, oldest_unacked_age_s=1.5, standstill_s=0.0, ready=True, stuck=False,
        started_at=core.clock.now(), metrics_port=0, lags={"claw.chats.grounded.v1": 7}, in_flight={"generate": 3}, memory_bytes=9_000,
    )  # fmt: skip
    await save_worker_state(core.redis, core.settings.redis.key_prefix, state)
    is_problem(await ada.call("GET", "/tasks/workers"), 403, "forbidden")
    boss = await house.person()
    await promoted(house, boss)
    groups = {group["name"]: group for group in (await boss.call("GET", "/tasks/workers")).json()["groups"]}
    chat = groups["chat"]
    assert (chat["assigned"], chat["partitions"], chat["lag"], chat["in_flight"], chat["memory_bytes"]) == (4, 8, 7, 3, 9_000)
    assert [(worker["id"], worker["state"]) for worker in chat["workers"]] == [("w1", "up")]
    assert groups["tables"]["workers"] == []
