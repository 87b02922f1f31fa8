"""Cancel and retry: the work really stops, a retry is a task of its own, and each is said once."""

from typing import Any

import pytest

from api.chats.ports import ChatPorts
from api.core import Core
from api.tasks.ports import TaskPorts
from domain.chats.topics import CHATS_ASKED
from domain.indexes.topics import INDEXES_CHANGED
from domain.tasks.fold import TaskPut, first
from domain.tasks.steps import steps_of
from schemas.tasks import TaskStep
from streams.log.outgoing import LogOffset
from streams.topics import Topic
from tests.support.api_people import asked, colleague, tenant_of
from tests.support.api_process import House, Person
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker, all_events
from tests.support.task_rows import put

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]


async def submitted(house: House, person: Person, document: str = "d", text: str = "x") -> tuple[str, int]:
    """The task and version of a document that dispatch has seen."""
    accepted = (await person.call("PUT", f"/knowledge/{person.base}/documents/{document}", json={"text": text})).json()
    await house.ports(Core).visibility.record_submission(f"{tenant_of(person)}/{person.base}/{document}", accepted["version"])
    return accepted["task_id"], accepted["version"]


async def act(person: Person, task_id: str, action: str, key: str = "") -> dict[str, Any]:
    answer = await person.call("POST", f"/tasks/{task_id}/{action}", headers={"idempotency-key": key} if key else {})
    assert answer.status_code == 202, answer.text
    task: dict[str, Any] = answer.json()
    assert answer.headers["location"] == task["links"]["self"]
    return task


async def test_a_cancelled_version_never_becomes_visible(house: House, ada: Person) -> None:
    """Readers keep the version before; whoever works on it is told to drop it; its owner reads why."""
    visibility, key = house.ports(Core).visibility, f"{tenant_of(ada)}/{ada.base}/d"
    _, before = await submitted(house, ada)
    assert await visibility.mark_indexed(key, before)
    task_id, version = await submitted(house, ada, text="y")
    task = await act(ada, task_id, "cancel")
    assert (task["state"], task["cause"]["code"]) == ("CANCELLED", "document_cancelled")
    assert await visibility.is_superseded(key, version)
    assert not await visibility.mark_indexed(key, version), "an index that was nearly done"
    assert (await visibility.version_states((key,)))[key].visible_version == before
    document = (await ada.call("GET", f"/knowledge/{ada.base}/documents/d")).json()
    assert (document["state"], document["problem"]["code"], document["visible_version"]) == ("failed", "document_cancelled", before)
    assert (await act(ada, task_id, "cancel"))["state"] == "CANCELLED", "a repeat"


async def test_what_has_ended_is_not_cancelled(house: House, ada: Person) -> None:
    """Also when it has ended between the look and the cancel; a deletion never is."""
    done = await put(house, ada, "SUCCESS")
    is_problem(await ada.call("POST", f"/tasks/{done}/cancel"), 409, "task_ended")
    task_id, version = await submitted(house, ada)
    await house.ports(Core).visibility.mark_indexed(f"{tenant_of(ada)}/{ada.base}/d", version)
    is_problem(await ada.call("POST", f"/tasks/{task_id}/cancel"), 409, "task_ended")
    deletion = await put(house, ada, "STARTED", kind="update_knowledge_base")
    is_problem(await ada.call("POST", f"/tasks/{deletion}/cancel"), 409, "task_not_cancellable")
    is_problem(await ada.call("POST", f"/tasks/{done}/retry"), 409, "task_not_retryable")


async def test_a_document_is_retried_once(house: House, ada: Person) -> None:
    """As a task of its own whose parent names it; the same key gives the same task; the old one stays cancelled."""
    task_id, _ = await submitted(house, ada)
    await act(ada, task_id, "cancel")
    again = await act(ada, task_id, "retry", "k1")
    assert (again["state"], again["parent_id"], again["subject"]["document_id"]) == ("PENDING", task_id, "d")
    assert (await act(ada, task_id, "retry", "k1"))["id"] == again["id"]
    old = (await ada.call("GET", f"/tasks/{task_id}")).json()
    assert (old["state"], old["child_ids"]) == ("CANCELLED", [again["id"]])
    await submitted(house, ada, text="z")
    assert len((await ada.call("GET", "/tasks")).json()["items"]) == 3


async def test_the_audit_log_has_who_cancelled_and_retried(house: House, ada: Person) -> None:
    """Once, however often the request is repeated; what was refused is no entry."""
    boss = await colleague(house, ada, role="admin")
    task_id, _ = await submitted(house, ada)
    for _ in range(2):
        await act(boss, task_id, "cancel", "k")
        again = await act(ada, task_id, "retry", "k")
    is_problem(await boss.call("POST", f"/tasks/{await put(house, ada, 'SUCCESS')}/cancel"), 409, "task_ended")
    entries = (await boss.call("GET", "/audit", params={"action": "task."})).json()["items"]
    assert [(entry["action"], entry["actor"]["account_id"], entry["target"]) for entry in entries] == [
        ("task.retry", ada.user["id"], task_id),
        ("task.cancel", boss.user["id"], task_id),
    ]
    assert entries[0]["detail"] == {"kind": "vectorize_document", "owner": ada.user["id"], "retry": again["id"]}


async def test_an_answer_is_cancelled_and_asked_again(house: House, ada: Person) -> None:
    """By the flag that its worker follows; an admin may; the retry answers the same question, as a task whose parent names the first."""
    conversation = await ada.conversation()
    question = await asked(ada, conversation)
    reply, boss = question["reply_id"], await colleague(house, ada, role="admin")
    await tracked(house, CHATS_ASKED, conversation)
    await act(boss, reply, "cancel")
    assert await house.ports(ChatPorts).reply_locks.is_cancelled(tenant_of(ada), reply)
    await Speaker(house, ada, conversation, reply).stored("half of it")
    step = TaskStep(state="CANCELLED", at=house.ports(Core).clock.now(), kind="generate_ai_response")
    await house.ports(TaskPorts).reader.table.put_many([TaskPut(tenant_of(ada), reply, "ended", first(1, rank=1), step)], step.at)
    is_problem(await boss.call("POST", f"/tasks/{reply}/retry"), 404, "not_found")
    again = await act(ada, reply, "retry", "k2")
    assert (again["kind"], again["subject"]["message_id"]) == ("generate_ai_response", question["message"]["id"])
    assert (await act(ada, reply, "retry", "k2"))["id"] == again["id"] != reply
    await tracked(house, CHATS_ASKED, conversation, 2)
    assert (await ada.call("GET", f"/tasks/{again['id']}")).json()["parent_id"] == reply
    assert (await ada.call("GET", f"/tasks/{reply}")).json()["child_ids"] == [again["id"]]


async def test_a_rebuild_is_discarded(house: House, ada: Person) -> None:
    """By its plan: its points are dropped, and until then another build has to wait."""
    answer = await ada.call("POST", f"/knowledge/{ada.base}/index/rebuild", json={"chunk_tokens": 200})
    assert answer.status_code == 202, answer.text
    subject = f"{tenant_of(ada)}/{ada.base}"
    await tracked(house, INDEXES_CHANGED, subject)
    (task,) = (await ada.call("GET", "/tasks")).json()["items"]
    assert (task["kind"], task["state"], task["subject"]["generation"]) == ("rebuild", "STARTED", 1)
    await act(ada, task["id"], "cancel")
    await tracked(house, INDEXES_CHANGED, subject, 2)
    assert (await ada.call("GET", f"/tasks/{task['id']}")).json()["state"] == "CANCELLED"
    is_problem(await ada.call("POST", f"/tasks/{task['id']}/retry"), 409, "index_building")


async def tracked(house: House, topic: Topic, subject: str, count: int = 1) -> None:
    """The agent has read the first events about ``subject``."""
    events = await all_events(house.settings, topic, subject, count)
    puts = [put for offset, event in enumerate(events) for put in steps_of(event, LogOffset(topic.name, 0, offset))]
    await house.ports(TaskPorts).reader.table.put_many(puts, house.ports(Core).clock.now())
