"""What cancelling and retrying a task does, for requests about one task and for bulk actions alike."""

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from domain.chats.reply_lock import ReplyLocks
from domain.documents.errors import DOCUMENT_CANCELLED
from domain.documents.progress import submission_progress
from domain.documents.records import DOCUMENTS, show_progress
from domain.documents.submissions import SubmissionLog
from domain.documents.topics import DOCUMENTS_PROGRESSED, DOCUMENTS_SUBMITTED
from domain.documents.visibility import Visibility
from domain.indexes.plans import PlanStep, PlanWriter, begin_build, discard_other, step_once
from domain.jobs.runner import JobWriter
from domain.tasks.errors import DOCUMENT_SUPERSEDED, TASK_ENDED, TASK_NOT_CANCELLABLE, TASK_NOT_RETRYABLE
from domain.tasks.table import TaskTable
from schemas import ids
from schemas.documents import Document, DocumentProgressed, DocumentSubmitted, DocumentWithdrawn, Progress, Withdrawal
from schemas.errors import Refused
from schemas.events import Event
from schemas.indexes import IndexPlan
from schemas.settings import RetrievalSettings
from schemas.tasks import Task, TaskKind
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import LogOffset, LogPublisher, Outgoing
from streams.tables.projection import Tables
from streams.tables.record_table import RecordTable
from streams.topics import Topic

SOURCE = "run_jobs"
BULK_RETRYABLE: frozenset[TaskKind] = frozenset({"vectorize_document", "update_knowledge_base", "rebuild"})  # questions are asked by people

E = TypeVar("E", bound=Event)


async def drop_version(task: Task, visibility: Visibility, documents: RecordTable[Progress]) -> Progress:
    """Have every step drop this version of a document, in the visibility record, which each asks before it goes on; returns the progress to
    publish. Refused("task_ended") when there is nothing left to drop.
    """
    subject = task.subject
    key = document_key(task)
    if not await visibility.cancel(key, subject.version):
        raise Refused(TASK_ENDED, "it has just ended")
    known = await documents.get(f"{task.tenant}/{subject.knowledge_base_id}", subject.document_id)
    cause = Refused(DOCUMENT_CANCELLED).problem()
    if known is not None and known.version == subject.version:
        return replace(known, state="failed", cause=cause)
    return Progress(
        knowledge_base_id=subject.knowledge_base_id,
        document_id=subject.document_id,
        version=subject.version,
        state="failed",
        title=task.title,
        task_id=task.id,
        cause=cause,
    )


def discard_build(task: Task) -> PlanStep:
    """Discard what this rebuild has built. The step raises Refused("task_ended") when it is built no more."""

    def discard(plan: IndexPlan) -> IndexPlan:
        if plan.state != "building" or plan.other is None or plan.other != task.subject.collection:
            raise Refused(TASK_ENDED, "it has just ended")
        return discard_other(plan)

    return discard


def check_retry(task: Task, kinds: frozenset[TaskKind]) -> None:
    """Refused("task_not_retryable") unless the task is of these kinds, failed or was cancelled, and nothing newer has replaced it."""
    if task.state not in {"FAILURE", "CANCELLED"} or task.kind not in kinds or task.subject.job:
        raise Refused(TASK_NOT_RETRYABLE, f"{task.kind} is {task.state}")
    if task.cause is not None and task.cause.code == DOCUMENT_SUPERSEDED.code:
        raise Refused(TASK_NOT_RETRYABLE, "a newer version of the document, or its deletion, has replaced this one")


def repeat_build(task: Task, retrieval: RetrievalSettings) -> PlanStep:
    """Build once more what this rebuild built. Raises Refused."""
    if task.subject.collection is None:
        raise Refused(TASK_NOT_RETRYABLE, "what it built is not known any more")
    return begin_build(replace(task.subject.collection, generation=0, index=""), retrieval, keep=False, force=False)


def document_key(task: Task) -> str:
    """The key of the task's document."""
    return ids.document_key(task.tenant, task.subject.knowledge_base_id, task.subject.document_id)


class TaskActions:
    """Cancels and retries tasks without a request, each effect once per ``request_id``. Methods raise Refused and Unavailable."""

    def __init__(
        self,
        tables: Tables,
        tasks: TaskTable,
        visibility: Visibility,
        replies: ReplyLocks,
        plans: PlanWriter,
        jobs: JobWriter,
        submissions: SubmissionLog,
        publisher: LogPublisher,
        retrieval: RetrievalSettings,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._documents, self._tasks, self._visibility, self._replies = tables.of(DOCUMENTS), tasks, visibility, replies
        self._plans, self._jobs, self._submissions, self._publisher = plans, jobs, submissions, publisher
        self._retrieval, self._clock, self._random_bytes = retrieval, clock, random_bytes

    async def cancel(self, task: Task, request_id: str, by: str) -> None:
        """Cancel the task."""
        if not task.is_open:
            raise Refused(TASK_ENDED, f"it is {task.state}")
        if task.subject.job:
            await self._jobs.request_cancel(task.tenant, task.id)
        elif task.kind == "generate_ai_response":
            await self._replies.request_cancel(task.tenant, task.id)
        elif task.kind == "vectorize_document":
            progress = await drop_version(task, self._visibility, self._documents)
            event = self._event(DocumentProgressed, request_id, task, progress)
            await self._publish(DOCUMENTS_PROGRESSED, event)
            await show_progress(self._documents, task.tenant, progress)
        elif task.kind == "rebuild":
            await self._plans.change(task.tenant, task.subject.knowledge_base_id, discard_build(task), by=by)
        else:
            raise Refused(TASK_NOT_CANCELLABLE, f"{task.kind} is done in one step")

    async def retry(self, task: Task, request_id: str, by: str) -> None:
        """Do the task once more, as a new task whose parent is this one."""
        check_retry(task, BULK_RETRYABLE)
        if task.kind == "vectorize_document":
            await self._retry_document(task, request_id, by)
        elif task.kind == "update_knowledge_base":
            await self._retry_deletion(task, request_id, by)
        else:
            step = step_once(repeat_build(task, self._retrieval), request_id)
            await self._plans.change(task.tenant, task.subject.knowledge_base_id, step, by=by)

    async def _retry_document(self, task: Task, request_id: str, by: str) -> None:
        key, version = document_key(task), task.subject.version
        if await self._tasks.get(task.tenant, ids.task_id(request_id)) is not None:
            return  # it was submitted before this worker took over
        state = (await self._visibility.version_states([key]))[key]
        if state.latest > version or state.deleted >= version:
            raise Refused(TASK_NOT_RETRYABLE, "a newer version of the document, or its deletion, has replaced this one")
        submitted = await self._submissions.read(self._publisher.partition_for(DOCUMENTS_SUBMITTED, key), version)
        if not isinstance(submitted, DocumentSubmitted) or submitted.subject != key:
            raise Refused(TASK_NOT_RETRYABLE, "its version is no longer on the log")
        document = replace(submitted.data, force=True, origin="api", retry_of=task.id, submitted_by=by)
        place = await self._publish(DOCUMENTS_SUBMITTED, self._event(DocumentSubmitted, request_id, task, document))
        await show_progress(self._documents, task.tenant, submission_progress(document, place.offset, ids.task_id(request_id)))

    async def _retry_deletion(self, task: Task, request_id: str, by: str) -> None:
        if await self._tasks.get(task.tenant, ids.task_id(request_id)) is not None:
            return
        state = (await self._visibility.version_states([document_key(task)]))[document_key(task)]
        if state.latest <= state.deleted or state.latest > task.subject.version:
            raise Refused(TASK_NOT_RETRYABLE, "the document is deleted, or was submitted again since")
        subject = task.subject
        data = Withdrawal(knowledge_base_id=subject.knowledge_base_id, document_id=subject.document_id, requested_by=by, retry_of=task.id)
        await self._publish(DOCUMENTS_SUBMITTED, self._event(DocumentWithdrawn, request_id, task, data))

    def _event(self, kind: type[E], event_id: str, task: Task, data: Progress | Document | Withdrawal) -> E:
        return kind(
            id=event_id,
            source=f"/claw/{SOURCE}",
            subject=document_key(task),
            time=self._clock.now(),
            tenant=task.tenant,
            traceparent=new_traceparent(self._random_bytes),
            data=data,
        )

    async def _publish(self, topic: Topic, event: Event) -> LogOffset:
        place = await self._publisher.publish(Outgoing(topic, event))
        await self._tasks.show(event, place, self._clock.now())
        return place
