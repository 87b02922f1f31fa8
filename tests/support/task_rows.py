"""Rows of tasks, as the agent would put them for events of the past."""

import uuid
from datetime import UTC, datetime, timedelta

from api.tasks.ports import TaskPorts
from domain.tasks.fold import TaskPut, first, newest
from schemas.errors import Refused
from schemas.tasks import TaskKind, TaskState, TaskStep, TaskSubject
from tests.support.api_people import tenant_of
from tests.support.api_process import House, Person


async def put(
    house: House, person: Person, state: TaskState, *, kind: TaskKind = "generate_ai_response", age_s: float = 60, took_s: float = 10
) -> str:
    """A task of this person in this state, as the agent would have it."""
    task_id, at = str(uuid.uuid4()), datetime.now(UTC) - timedelta(seconds=age_s)
    step = TaskStep(state="PENDING", at=at, kind=kind, account=person.user["id"], subject=TaskSubject(conversation_id="c"))
    puts = [TaskPut(tenant_of(person), task_id, "opened", first(1), step)]
    if state != "PENDING":
        begun = TaskStep(state="STARTED", at=at + timedelta(seconds=1), kind=kind, done=1, total=4, unit="chunks")
        puts.append(TaskPut(tenant_of(person), task_id, "progress", newest(2), begun))
    if state in {"SUCCESS", "FAILURE", "CANCELLED"}:
        cause = Refused("document_empty", "nothing").problem() if state == "FAILURE" else None
        end = TaskStep(state=state, at=at + timedelta(seconds=took_s), kind=kind, cause=cause)
        puts.append(TaskPut(tenant_of(person), task_id, "ended", first(3, rank=1), end))
    await house.ports(TaskPorts).reader.table.put_many(puts, datetime.now(UTC))
    return task_id
