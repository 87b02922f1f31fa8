"""What people do with tasks: cancel one that is open, retry one that failed or was cancelled.

Each kind is cancelled and retried by its own area. A retry is a task of its own, whose parent is the one that it repeats: what has ended
stays as it ended.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, post
from litestar.params import FromPath

from api.chats.branches import AskCommand
from api.chats.ports import ChatPorts
from api.chats.routes import ask_once
from api.documents.routes import reprocess_document, withdraw_document
from api.http.audit import record_audit
from api.http.gate import ANYBODY
from api.http.late_repeats import ANSWERED, RUNS_AGAIN
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import json_response, run_idempotent
from api.knowledge.indexes import find_base
from api.knowledge.ports import KnowledgePorts
from api.tasks.ports import TaskPorts
from api.tasks.routes import find_task
from api.tasks.view import CANCELLABLE, RETRYABLE
from domain.documents.records import show_progress
from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.indexes.plans import step_once
from domain.job_actions.task_actions import check_retry, discard_build, document_key, drop_version, repeat_build
from domain.tasks.errors import TASK_ENDED, TASK_NOT_CANCELLABLE
from domain.tasks.steps import rebuild_task_id
from schemas import ids
from schemas.bodies.knowledge import DocumentAccepted
from schemas.bodies.tasks import TaskView
from schemas.documents import DocumentProgressed, DocumentWithdrawn
from schemas.errors import Refused
from schemas.indexes import IndexPlanChanged, plan_key
from schemas.records import Scope
from schemas.tasks import Task, TaskKind, TaskSubject
from streams.log.outgoing import Outgoing

ACTION_SCOPES: Mapping[TaskKind, Scope] = {
    "generate_ai_response": "chat",
    "vectorize_document": "knowledge:write",
    "update_knowledge_base": "knowledge:write",
    "rebuild": "ops",
}


@post(
    "/tasks/{task_id:str}/cancel",
    opt=ANYBODY | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel a task",
)
async def cancel(request: ApiRequest, task_id: FromPath[UUID]) -> Response[TaskView]:
    """Its work really stops: an answer in the middle of a sentence, a document's version wherever it is (a parser that has begun is ended;
    readers keep the version before), a rebuild with what it has built. ``409`` when it has ended otherwise, or cannot be cancelled.
    """

    async def make() -> Response[Any]:
        task = await find_task(request, str(task_id))
        if task.state != "CANCELLED":
            if not task.is_open:
                raise Refused(TASK_ENDED, f"it is {task.state}")
            if task.subject.job:
                request.user.require("ops")
                await request.ports(TaskPorts).jobs.request_cancel(task.tenant, task.id)
                return await _task_response(request, task)
            if task.kind not in CANCELLABLE:
                raise Refused(TASK_NOT_CANCELLABLE, f"{task.kind} is done in one step")
            request.user.require(ACTION_SCOPES[task.kind])
            await _CANCELS[task.kind](request, task)
        await record_audit(request, "task.cancel", target=task.id, detail={"kind": task.kind, "owner": task.account})
        return await _task_response(request, task)

    return await run_idempotent(request, make)


@post(
    "/tasks/{task_id:str}/retry",
    opt=ANYBODY | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Retry a task",
)
async def retry(request: ApiRequest, task_id: FromPath[UUID]) -> Response[TaskView]:
    """A task that failed or was cancelled is done again, as a new task whose ``parent_id`` is this one: the question is answered once more,
    the document reprocessed or deleted, the index rebuilt. ``409`` for any other task.
    """
    task = await find_task(request, str(task_id))
    if task.kind == "generate_ai_response":  # remembers by itself what the same request began
        _check_retry(request, task)
        asked = await ask_once(request, task.subject.conversation_id, AskCommand(repeats=task.id), settle_first=True)
        return await _respond_retry(request, task, await find_task(request, asked.reply.id))

    async def make() -> Response[Any]:
        _check_retry(request, task)
        return await _respond_retry(request, task, await _RETRIES[task.kind](request, task))

    return await run_idempotent(request, make)


def _check_retry(request: ApiRequest, task: Task) -> None:
    check_retry(task, RETRYABLE)
    request.user.require(ACTION_SCOPES[task.kind])


async def _respond_retry(request: ApiRequest, task: Task, again: Task) -> Response[Any]:
    if task.retry != again.id:  # else a late repeat of the request that began it
        await record_audit(request, "task.retry", target=task.id, detail={"kind": task.kind, "owner": task.account, "retry": again.id})
    return await _task_response(request, again)


async def _task_response(request: ApiRequest, task: Task) -> Response[Any]:
    """The task as it is by now."""
    reader = request.ports(TaskPorts).reader
    view = await reader.view(await reader.find(task.tenant, task.id) or task)
    return json_response(view, HTTPStatus.ACCEPTED, {"Location": view.links.self})


async def _cancel_answer(request: ApiRequest, task: Task) -> None:
    await request.ports(ChatPorts).reply_locks.request_cancel(task.tenant, task.id)


async def _cancel_document(request: ApiRequest, task: Task) -> None:
    """In the visibility record, which every step asks before it goes on; then the outcome, for everybody else."""
    core = request.core
    progress = await drop_version(task, core.visibility, core.read_models.documents)
    event = await request.event(DocumentProgressed, document_key(task), progress)
    place = await core.publisher.publish(Outgoing(DOCUMENTS_PROGRESSED, event))
    await show_progress(core.read_models.documents, task.tenant, progress)
    await request.ports(TaskPorts).reader.table.show(event, place, core.clock.now())


async def _cancel_rebuild(request: ApiRequest, task: Task) -> None:
    base = await find_base(request, task.subject.knowledge_base_id)
    await request.ports(KnowledgePorts).plans.change(base.tenant, base.id, discard_build(task), by=request.user.account_id)


async def _retry_document(request: ApiRequest, task: Task) -> Task:
    response = await reprocess_document(request, task.subject.knowledge_base_id, task.subject.document_id, retry_of=task.id)
    return await find_task(request, msgspec.json.decode(response.content, type=DocumentAccepted).task_id)


async def _retry_deletion(request: ApiRequest, task: Task) -> Task:
    subject = task.subject
    key = ids.document_key(task.tenant, subject.knowledge_base_id, subject.document_id)
    if request.idempotency_key is not None:  # a late repeat deletes nothing that was submitted since
        earlier = await request.ports(TaskPorts).reader.find(task.tenant, ids.task_id(await request.event_id(DocumentWithdrawn, key)))
        if earlier is not None:
            return earlier
    event, _ = await withdraw_document(request, subject.knowledge_base_id, subject.document_id, retry_of=task.id)
    return await find_task(request, ids.task_id(event.id))


async def _retry_rebuild(request: ApiRequest, task: Task) -> Task:
    base = await find_base(request, task.subject.knowledge_base_id)
    step = repeat_build(task, request.core.settings.retrieval)
    if request.idempotency_key is not None:
        step = step_once(step, await request.event_id(IndexPlanChanged, plan_key(base.tenant, base.id)))
    plan = await request.ports(KnowledgePorts).plans.change(base.tenant, base.id, step, by=request.user.account_id)
    return Task(  # as its row will be in a moment
        id=rebuild_task_id(base.tenant, base.id, plan.newest),
        tenant=base.tenant,
        kind="rebuild",
        state="PENDING",
        account=request.user.account_id,
        subject=TaskSubject(knowledge_base_id=base.id, collection=plan.other),
        created_at=plan.changed_at or request.core.clock.now(),
    )


_CANCELS: Mapping[TaskKind, Callable[[ApiRequest, Task], Awaitable[None]]] = {
    "generate_ai_response": _cancel_answer,
    "vectorize_document": _cancel_document,
    "rebuild": _cancel_rebuild,
}
_RETRIES: Mapping[TaskKind, Callable[[ApiRequest, Task], Awaitable[Task]]] = {
    "vectorize_document": _retry_document,
    "update_knowledge_base": _retry_deletion,
    "rebuild": _retry_rebuild,
}


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[cancel, retry], tags=["tasks"])
