"""A task as the API shows it: what its row says, and what only its area knows of a task that is open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from api.chats.estimates import Estimates
from api.http.identity import Caller
from domain.documents.visibility import VersionState, Visibility
from domain.indexes.reindex_reports import ReindexReports
from domain.tasks.errors import DOCUMENT_SUPERSEDED
from domain.tasks.table import TaskTable
from schemas import ids
from schemas.bodies.tasks import SubjectView, TaskLinks, TaskProgress, TaskView
from schemas.chats import document_path
from schemas.documents import DocumentQueue
from schemas.errors import Refused
from schemas.records import Scope
from schemas.tasks import Task, TaskKind
from streams.clock import Clock

KIND_SCOPES: Mapping[TaskKind, Scope] = {  # an API key sees what it could have asked for
    "generate_ai_response": "chat",
    "vectorize_document": "knowledge:read",
    "update_knowledge_base": "knowledge:read",
    "send_notification": "ops",
    "rebuild": "ops",
    "redrive": "ops",
    "clean_up": "ops",
    "health_check": "ops",
    "bulk_action": "ops",
    "export": "chat",
    "import": "knowledge:read",
    "erase": "ops",
}
CANCELLABLE: frozenset[TaskKind] = frozenset({"generate_ai_response", "vectorize_document", "rebuild"})
RETRYABLE: frozenset[TaskKind] = frozenset({*CANCELLABLE, "update_knowledge_base"})


def is_admin(caller: Caller) -> bool:
    """Whether the caller may see the tasks of the whole tenant: an admin in person, or an admin's key with the scope ops."""
    return caller.has_role("admin") and (caller.scopes is None or "ops" in caller.scopes)


def kinds_of(caller: Caller) -> frozenset[TaskKind]:
    """The kinds of tasks that the caller's credential may see."""
    return frozenset(kind for kind, scope in KIND_SCOPES.items() if caller.scopes is None or scope in caller.scopes)


def can_see(caller: Caller, task: Task) -> bool:
    """Whether the caller may see the task; one of another tenant is never asked for."""
    return task.kind in kinds_of(caller) and (is_admin(caller) or task.account == caller.account_id)


def account_of(caller: Caller, account: str) -> str:
    """The account whose tasks the caller asks for with ``account``; "" for all of the tenant. Refused("forbidden")."""
    if account and account != caller.account_id and not is_admin(caller):
        raise Refused("forbidden", "only an admin sees the tasks of another account")
    return account or ("" if is_admin(caller) else caller.account_id)


def settle(task: Task, state: VersionState) -> Task:
    """The task of a document's version, which a newer version or a deletion may have replaced without a word: its work is dropped."""
    if not task.is_open or not state.supersedes(task.subject.version):
        return task
    return replace(task, state="CANCELLED", cause=Refused(DOCUMENT_SUPERSEDED).problem())


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReader:
    """Reads tasks as they are now. Methods raise Unavailable("redis_unavailable")."""

    table: TaskTable
    visibility: Visibility
    reports: ReindexReports
    estimates: Estimates
    clock: Clock

    async def find(self, tenant: str, task_id: str) -> Task | None:
        """The task, or None."""
        found = await self.table.get(tenant, task_id)
        return None if found is None else (await self.settle([found]))[0]

    async def settle(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks with what became of document versions that were replaced, and the progress of rebuilds."""
        keys = {task.id: _document_key(task) for task in tasks if task.is_open and task.kind == "vectorize_document"}
        states = await self.visibility.version_states(list(set(keys.values()))) if keys else {}
        settled = [settle(task, states[keys[task.id]]) if task.id in keys else task for task in tasks]
        return [await self._with_report(task) if task.is_open and task.kind == "rebuild" else task for task in settled]

    async def views(self, tasks: Sequence[Task]) -> tuple[TaskView, ...]:
        """The tasks for a response."""
        return tuple([view_of(task, await self._estimate(task)) for task in tasks])

    async def view(self, task: Task) -> TaskView:
        """The task for a response."""
        return view_of(task, await self._estimate(task))

    async def _with_report(self, task: Task) -> Task:
        report = await self.reports.get(task.tenant, task.subject.knowledge_base_id)
        if report is None or task.subject.collection is None or report.generation != task.subject.collection.generation:
            return task
        done = max(0, report.documents - report.pending - report.missing_total)
        return replace(task, done=done, total=report.documents, unit="documents")

    async def _estimate(self, task: Task) -> datetime | None:
        """When the task will probably have ended; None when that is unknown."""
        if not task.is_open:
            return None
        now, wait_s = self.clock.now(), None
        if task.kind == "vectorize_document":
            queue: DocumentQueue = "bulk" if task.lane == "bulk" else "slow" if task.lane == "slow" else "express"
            wait_s = await self.estimates.open_document_wait_s(task.tenant, queue, "queued" if task.started_at is None else "embedding")
        elif task.kind == "generate_ai_response" and task.started_at is None:
            queued = await self.estimates.question_queue(task.tenant)
            wait_s = None if queued is None else queued.wait_s
        elif task.started_at is not None and 0 < task.done < task.total:
            wait_s = (now - task.started_at).total_seconds() * (task.total - task.done) / task.done
        return None if wait_s is None else now + timedelta(seconds=wait_s)


def view_of(task: Task, estimated_end_at: datetime | None = None) -> TaskView:
    """The task with its links."""
    path, ended = f"/api/v1/tasks/{task.id}", task.state in {"FAILURE", "CANCELLED"}
    replaced = task.cause is not None and task.cause.code == DOCUMENT_SUPERSEDED.code
    return TaskView(
        id=task.id,
        kind=task.kind,
        state=task.state,
        account_id=task.account,
        subject=_subject(task),
        created_at=task.created_at,
        started_at=task.started_at,
        ended_at=task.ended_at,
        attempts=task.attempts,
        progress=TaskProgress(
            done=task.done,
            total=task.total or None,
            unit=task.unit,
            percent=100 if task.state == "SUCCESS" else min(99, 100 * task.done // task.total) if task.total else None,
        ),
        estimated_end_at=estimated_end_at,
        retry_at=task.retry_at,
        cause=task.cause,
        parent_id=task.parent or task.subject.schedule_id or None,
        child_ids=(task.retry,) if task.retry else (),
        links=TaskLinks(
            self=path,
            cancel=f"{path}/cancel" if task.is_open and (task.subject.job or task.kind in CANCELLABLE) else None,
            retry=f"{path}/retry" if ended and not replaced and task.kind in RETRYABLE and not task.subject.job else None,
        ),
    )


def _subject(task: Task) -> SubjectView:
    subject, url = task.subject, ""
    if subject.schedule_id:
        url = f"/api/v1/schedules/{subject.schedule_id}"
    elif subject.document_id:
        url = document_path(subject.knowledge_base_id, subject.document_id)
    elif subject.knowledge_base_id:
        url = f"/api/v1/knowledge/{subject.knowledge_base_id}/index"
    elif subject.conversation_id:
        url = f"/api/v1/conversations/{subject.conversation_id}/replies/{task.id}"
    return SubjectView(
        conversation_id=subject.conversation_id,
        message_id=subject.message_id,
        knowledge_base_id=subject.knowledge_base_id,
        document_id=subject.document_id,
        version=None if subject.version < 0 else subject.version,
        generation=None if subject.collection is None else subject.collection.generation,
        schedule_id=subject.schedule_id,
        title=task.title,
        url=url,
    )


def _document_key(task: Task) -> str:
    return ids.document_key(task.tenant, task.subject.knowledge_base_id, task.subject.document_id)
