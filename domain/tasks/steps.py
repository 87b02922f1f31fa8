"""What events say of tasks. Events that say nothing of one give no steps.

Chats answered behind ``/knowledge/query`` and the OpenAI-compatible routes are no tasks: their caller waits for the answer, and no record
of it is on the log. An event of a task that lies further back than tasks are kept gives steps all the same; the table leaves them out.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from domain.tasks.errors import NOTIFICATION_FAILED
from domain.tasks.fold import TaskPut, first, newest
from schemas import ids
from schemas.chats import ChatAsked, ChatGrounded, Door, MessageChanged, MessageState, Question
from schemas.documents import CANCELLED_CODE, DocumentProgressed, DocumentSubmitted, DocumentWithdrawn, Shelf, State
from schemas.erasures import ErasureChanged
from schemas.errors import Refused
from schemas.events import Event
from schemas.indexes import IndexPlan, IndexPlanChanged, plan_key
from schemas.jobs import TASK_STATES_OF, Job, JobChanged, RebuildAction
from schemas.notices import DeliveryChanged, DeliveryState, MailEnded, MailOutcome, MailRequested
from schemas.tasks import TaskState, TaskStep, TaskSubject
from streams.log.outgoing import LogOffset

MESSAGE_STATES: Mapping[MessageState, TaskState] = {"complete": "SUCCESS", "failed": "FAILURE", "cancelled": "CANCELLED"}
DOCUMENT_OUTCOMES: Mapping[State, tuple[TaskState, int]] = {  # and the rank: the outcome of a redriven document replaces its failure
    "failed": ("FAILURE", 1),
    "unchanged": ("SUCCESS", 2),
    "indexed": ("SUCCESS", 2),
    "deleted": ("SUCCESS", 2),
}
CANCELLED: tuple[TaskState, int] = ("CANCELLED", 1)  # of a document that was cancelled, which its state calls failed
MAIL_OUTCOMES: Mapping[MailOutcome, TaskState] = {"sent": "SUCCESS", "failed": "FAILURE", "skipped": "CANCELLED"}
DELIVERY_OUTCOMES: Mapping[DeliveryState, tuple[TaskState, int]] = {  # and the rank: a replay may succeed after all
    "skipped": ("CANCELLED", 1),
    "failed": ("FAILURE", 1),
    "delivered": ("SUCCESS", 2),
}
DISCARDED: tuple[TaskState, int] = ("CANCELLED", 1)
SWITCHED: tuple[TaskState, int] = ("SUCCESS", 2)


class AskedPart(Struct, frozen=True, kw_only=True):
    """What tasks need of a question."""

    conversation_id: str
    message_id: str
    reply_id: str
    user_id: str
    asked_at: datetime
    round: int = 0
    door: Door = "conversation"
    retry_of: str = ""


class GroundingPart(Struct, frozen=True, kw_only=True):
    """What they need of its passages."""

    question: AskedPart


class ChatAskedPart(Struct, frozen=True, kw_only=True, tag_field="type", tag=ChatAsked.type_name()):
    """Of an event with a question and its history."""

    tenant: str
    traceparent: str
    time: datetime
    data: AskedPart


class ChatGroundedPart(Struct, frozen=True, kw_only=True, tag_field="type", tag=ChatGrounded.type_name()):
    """Of an event with a question, its history and its passages."""

    tenant: str
    traceparent: str
    time: datetime
    data: GroundingPart


def steps_of(event: Event | ChatAskedPart | ChatGroundedPart, offset: LogOffset) -> Sequence[TaskPut]:
    """The steps of one event, or of its part, at its place on the log."""
    read = _READERS.get(type(event))
    return () if read is None else read(event, offset.offset)


def rebuild_task_id(tenant: str, knowledge_base: str, generation: int) -> str:
    """The id of the task that builds this collection."""
    return ids.derive("task", "rebuild", plan_key(tenant, knowledge_base), generation)


def _read_question(event: ChatAsked | ChatAskedPart, offset: int) -> Sequence[TaskPut]:
    question = event.data
    if question.door != "conversation":
        return ()
    if question.round:
        step = _question_step(question, "RETRY", event.time, attempts=question.round)
        return (TaskPut(event.tenant, question.reply_id, "pending", newest(offset), step),)
    return _open_task(event.tenant, question.reply_id, offset, _question_step(question, "PENDING", event.time))


def _read_grounding(event: ChatGrounded | ChatGroundedPart, offset: int) -> Sequence[TaskPut]:
    question = event.data.question
    if question.door != "conversation":
        return ()
    step = _question_step(question, "STARTED", event.time, attempts=question.round + 1)
    if question.round:
        return (TaskPut(event.tenant, question.reply_id, "progress", newest(offset), step),)
    return (TaskPut(event.tenant, question.reply_id, "started", first(offset), step),)


def _question_step(question: Question | AskedPart, state: TaskState, time: datetime, *, attempts: int = 0) -> TaskStep:
    return TaskStep(
        state=state,
        at=time if attempts else question.asked_at,
        kind="generate_ai_response",
        account=question.user_id,
        subject=TaskSubject(conversation_id=question.conversation_id, message_id=question.message_id),
        run=question.round,
        attempts=attempts,
        retry_of="" if attempts else question.retry_of,
    )


def _open_task(tenant: str, task_id: str, offset: int, step: TaskStep) -> Sequence[TaskPut]:
    """The request of a task; the task that it repeats names it from then on."""
    put = TaskPut(tenant, task_id, "opened", first(offset), step)
    if not step.retry_of:
        return (put,)
    retried = TaskStep(state=step.state, at=step.at, kind=step.kind, retry_id=task_id)
    return (put, TaskPut(tenant, step.retry_of, "retried", newest(offset), retried))


def _read_message(event: MessageChanged, offset: int) -> Sequence[TaskPut]:
    message = event.data
    if message.role != "assistant":
        return ()
    step = TaskStep(
        state=MESSAGE_STATES[message.state],
        at=message.created_at,  # a summary is added to the message later
        kind="generate_ai_response",
        account=message.user_id,
        subject=TaskSubject(conversation_id=message.conversation_id, message_id=message.parent_id),
        done=message.usage.completion_tokens,
        total=message.usage.completion_tokens,
        unit="tokens" if message.usage.completion_tokens else "",
        cause=message.problem,
    )
    return (TaskPut(event.tenant, message.id, "ended", first(offset, rank=message.attempt), step),)


def _read_submission(event: DocumentSubmitted, offset: int) -> Sequence[TaskPut]:
    document = event.data
    step = TaskStep(
        state="PENDING",
        at=event.time,
        kind="vectorize_document",
        account=document.submitted_by,
        subject=TaskSubject(knowledge_base_id=document.knowledge_base_id, document_id=document.document_id, version=offset),
        title=document.title or document.filename,
        retry_of=document.retry_of,
    )
    return _open_task(event.tenant, ids.task_id(event.id), offset, step)


def _read_withdrawal(event: DocumentWithdrawn, offset: int) -> Sequence[TaskPut]:
    withdrawal = event.data
    step = TaskStep(
        state="PENDING",
        at=event.time,
        kind="update_knowledge_base",
        account=withdrawal.requested_by,
        subject=TaskSubject(knowledge_base_id=withdrawal.knowledge_base_id, document_id=withdrawal.document_id, version=offset),
        retry_of=withdrawal.retry_of,
    )
    return _open_task(event.tenant, ids.task_id(event.id), offset, step)


def _read_progress(event: DocumentProgressed, offset: int) -> Sequence[TaskPut]:
    progress = event.data
    if not progress.task_id:
        return ()
    outcome = DOCUMENT_OUTCOMES.get(progress.state)
    if progress.cause is not None and progress.cause.code == CANCELLED_CODE:
        outcome = CANCELLED
    step = TaskStep(
        state=outcome[0] if outcome else "PENDING" if progress.state == "queued" else "STARTED",
        at=event.time,
        kind="update_knowledge_base" if progress.state == "deleted" else "vectorize_document",
        subject=TaskSubject(knowledge_base_id=progress.knowledge_base_id, document_id=progress.document_id, version=progress.version),
        title=progress.title,
        run=offset,
        attempts=progress.retries + (progress.state != "queued") if progress.retries else 0,
        done=progress.done,
        total=progress.chunks,
        unit="chunks" if progress.chunks else "",
        lane=progress.queue,
        cause=progress.cause,
        retry_at=progress.retry_at,
    )
    tenant, task = event.tenant, progress.task_id
    if outcome:
        return (TaskPut(tenant, task, "ended", first(offset, rank=outcome[1]), step),)
    if progress.state == "queued":
        return (TaskPut(tenant, task, "pending", newest(offset), step),)
    return (TaskPut(tenant, task, "started", first(offset), step), TaskPut(tenant, task, "progress", newest(offset), step))


def _read_plan(event: IndexPlanChanged, offset: int) -> Sequence[TaskPut]:
    plan = event.data
    if plan.other is not None and plan.state == "building":
        task = rebuild_task_id(plan.tenant, plan.knowledge_base_id, plan.other.generation)
        return (
            TaskPut(plan.tenant, task, "opened", first(offset), _plan_step(plan, "PENDING", plan.other, event)),
            TaskPut(plan.tenant, task, "started", first(offset), _plan_step(plan, "STARTED", plan.other, event)),
        )
    # of the newest build only: plans repeat what became of earlier ones, whose tasks may have expired
    if plan.other is not None and plan.state == "dropping" and plan.other.generation == plan.newest:
        outcome, shelf = DISCARDED, plan.other
    elif plan.state in {"kept", "steady"} and plan.active.generation == plan.newest > 0:
        outcome, shelf = SWITCHED, plan.active
    else:
        return ()
    task = rebuild_task_id(plan.tenant, plan.knowledge_base_id, plan.newest)
    step = _plan_step(plan, outcome[0], shelf, event)
    return (TaskPut(plan.tenant, task, "ended", first(offset, rank=outcome[1]), step),)


def _read_mail_request(event: MailRequested, offset: int) -> Sequence[TaskPut]:
    mail = event.data
    step = TaskStep(state="PENDING", at=event.time, kind="send_notification", account=mail.account_id, title=f"mail {mail.template}")
    return (TaskPut(mail.tenant, mail.id, "opened", first(offset), step),)


def _read_mail_result(event: MailEnded, offset: int) -> Sequence[TaskPut]:
    result = event.data
    step = TaskStep(
        state=MAIL_OUTCOMES[result.outcome],
        at=result.ended_at,
        kind="send_notification",
        account=result.account_id,
        title=f"mail {result.template}",
        attempts=result.tries,
        cause=None if result.outcome == "sent" else Refused(NOTIFICATION_FAILED, result.detail).problem(),
    )
    return (TaskPut(result.tenant, result.id, "ended", first(offset), step),)


def _read_delivery(event: DeliveryChanged, offset: int) -> Sequence[TaskPut]:
    """A message to a webhook: its id is no UUID, so that of its task is derived from it."""
    delivery = event.data
    outcome = DELIVERY_OUTCOMES.get(delivery.state)
    last = delivery.attempts[-1] if delivery.attempts else None
    failed = outcome is not None and delivery.state != "delivered"
    step = TaskStep(
        state=outcome[0] if outcome else "RETRY" if delivery.tries else "PENDING",
        at=delivery.ended_at or (last.at if last is not None else delivery.created_at),
        kind="send_notification",
        account=delivery.account_id,
        title=f"webhook {delivery.type}",
        run=delivery.tries,
        attempts=delivery.tries,
        cause=Refused(NOTIFICATION_FAILED, last.error if last is not None else "").problem() if failed else None,
    )
    tenant, task = delivery.tenant, ids.task_id(delivery.id)
    if outcome:
        return (TaskPut(tenant, task, "ended", first(offset, rank=outcome[1]), step),)
    if delivery.tries:
        return (TaskPut(tenant, task, "pending", newest(offset), step),)
    return (TaskPut(tenant, task, "opened", first(offset), step),)


def _read_job(event: JobChanged, offset: int) -> Sequence[TaskPut]:
    job = event.data
    opened = TaskPut(job.tenant, job.id, "opened", first(offset), _job_step(job, "PENDING", job.created_at))
    started = TaskPut(job.tenant, job.id, "started", first(offset), _job_step(job, "STARTED", job.started_at or event.time))
    if not job.is_open:
        ended = TaskPut(
            job.tenant, job.id, "ended", first(offset), _job_step(job, TASK_STATES_OF[job.state], job.ended_at or event.time, whole=True)
        )
        return (opened, started, ended) if job.started_at is not None else (opened, ended)
    if job.state == "running":
        return (started, TaskPut(job.tenant, job.id, "progress", newest(offset), _job_step(job, "STARTED", event.time, whole=True)))
    return (opened,)


def _job_step(job: Job, state: TaskState, at: datetime, *, whole: bool = False) -> TaskStep:
    """``whole``: with how far it has come."""
    base = job.action.knowledge_base_id if isinstance(job.action, RebuildAction) else ""
    return TaskStep(
        state=state,
        at=at,
        kind=job.kind,
        account=job.account_id,
        subject=TaskSubject(knowledge_base_id=base, schedule_id=job.schedule_id, job=True),
        title=job.schedule_name,
        done=job.done if whole else 0,
        total=job.total if whole else 0,
        unit=job.unit if whole else "",
        cause=job.cause,
    )


def _read_erasure(event: ErasureChanged, offset: int) -> Sequence[TaskPut]:
    """The task ends when everything is removed that can be; whoever erases their own account cannot read it. That of a tenant is the
    installation's, because the tenant's tasks go with it.
    """
    erasure = event.data
    tenant = erasure.tenant if erasure.account_id else ids.INSTALLATION
    ended = erasure.state in {"interim", "final"}
    step = TaskStep(
        state="SUCCESS" if ended else "STARTED" if erasure.revision > 1 else "PENDING",
        at=event.time,
        kind="erase",
        account="" if erasure.requested_by == erasure.account_id else erasure.requested_by,
        title="account" if erasure.account_id else "organisation",
        run=offset,
        done=erasure.rounds,
        unit="rounds",
    )
    if ended:
        return (TaskPut(tenant, erasure.id, "ended", first(offset), step),)
    if erasure.revision > 1:
        return (TaskPut(tenant, erasure.id, "started", first(offset), step), TaskPut(tenant, erasure.id, "progress", newest(offset), step))
    return (TaskPut(tenant, erasure.id, "opened", first(offset), step),)


def _plan_step(plan: IndexPlan, state: TaskState, shelf: Shelf, event: Event) -> TaskStep:
    return TaskStep(
        state=state,
        at=plan.changed_at or event.time,
        kind="rebuild",
        account=plan.changed_by if state == "PENDING" else "",
        subject=TaskSubject(knowledge_base_id=plan.knowledge_base_id, collection=shelf),
    )


_READERS: Mapping[type, Callable[[Any, int], Sequence[TaskPut]]] = {
    ChatAsked: _read_question,
    ChatAskedPart: _read_question,
    ChatGrounded: _read_grounding,
    ChatGroundedPart: _read_grounding,
    MessageChanged: _read_message,
    DocumentSubmitted: _read_submission,
    DocumentWithdrawn: _read_withdrawal,
    DocumentProgressed: _read_progress,
    IndexPlanChanged: _read_plan,
    MailRequested: _read_mail_request,
    MailEnded: _read_mail_result,
    DeliveryChanged: _read_delivery,
    JobChanged: _read_job,
    ErasureChanged: _read_erasure,
}
