"""Progress events: where a version stands, as each agent on its way publishes it."""

from datetime import UTC, datetime

import msgspec

from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.documents.visibility import NO_VERSION
from schemas import ids
from schemas.documents import (
    ChunkBatch,
    Document,
    DocumentProgressed,
    DocumentQueue,
    DocumentSubmitted,
    DocumentWithdrawn,
    InboxRecord,
    Lane,
    Progress,
    Removal,
    State,
    Submitted,
    Work,
)
from schemas.errors import Problem
from schemas.events import Event
from streams.log.outgoing import Outgoing, Publisher


def progress_event(cause: Event, agent: str, progress: Progress, now: datetime, *, ordinal: int = 0) -> Outgoing:
    """The event that publishes it. ``ordinal`` tells apart several progress events of one agent from one cause; a repeat that finds
    something else, such as fewer points to remove, is another event.
    """
    event = DocumentProgressed.from_cause(cause, agent, data=progress, now=now, ordinal=ordinal)
    return Outgoing(DOCUMENTS_PROGRESSED, event.with_data_id())


def refusal(knowledge_base_id: str, document_id: str, problem: Problem) -> Progress:
    """Of an inbox record that did not become a submission: it has no version."""
    return Progress(
        knowledge_base_id=knowledge_base_id, document_id=document_id, version=NO_VERSION, state="failed", lane="bulk", cause=problem
    )


def order_detail(newest: InboxRecord) -> str:
    """What to say of a record that is older than this one of the same document."""
    at = datetime.fromtimestamp(newest.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return f"the document's record at partition {newest.partition}, offset {newest.offset}, of {at} is newer"


def refusal_event(
    cause: Event, agent: str, knowledge_base_id: str, document_id: str, problem: Problem, publisher: Publisher, now: datetime
) -> Outgoing:
    """The event of a refusal. It has no version and must not replace a version when the log is compacted: hence a key of its own, in the
    document's partition.
    """
    subject = ids.document_key(cause.tenant, knowledge_base_id, document_id)
    event = DocumentProgressed.from_cause(
        cause, f"{agent}:refused", data=refusal(knowledge_base_id, document_id, problem), now=now, subject=subject
    )
    return Outgoing(
        DOCUMENTS_PROGRESSED,
        event.with_data_id(),
        key=f"{subject}/refused",
        partition=publisher.partition_for(DOCUMENTS_PROGRESSED, subject),
    )


def dispatch_failure(event: Submitted, version: int, problem: Problem) -> Progress:
    """Of a submission or withdrawal that got no further than its version."""
    return Progress(
        knowledge_base_id=event.data.knowledge_base_id,
        document_id=event.data.document_id,
        version=version,
        state="failed",
        title=shown_title(event.data) if isinstance(event.data, Document) else "",
        task_id=ids.task_id(event.id),
        cause=problem,
    )


def lane_of(queue: DocumentQueue) -> Lane:
    """The lane that a queue belongs to."""
    return "express" if queue == "express" else "bulk"


def explicit_title(document: Document) -> str:
    """The owner's title; "" when there is none but the id, and the document may name itself."""
    return document.title if document.title != document.document_id else ""


def shown_title(document: Document) -> str:
    """What a document is called before it was read, or when it cannot be: the owner's title, else its file's name."""
    return explicit_title(document) or document.filename or document.document_id


def submission_progress(document: Document, version: int, task_id: str) -> Progress:
    """Of a submission that the log has: the state that the agent ``route`` will write."""
    return Progress(
        knowledge_base_id=document.knowledge_base_id,
        document_id=document.document_id,
        version=version,
        state="queued",
        title=shown_title(document),
        media_type=document.media_type,
        bytes=document.bytes,
        task_id=task_id,
    )


def stall(event: DocumentSubmitted, version: int, queue: DocumentQueue, problem: Problem) -> Progress:
    """Of a version that made no progress, however often it was requeued."""
    return msgspec.structs.replace(
        submission_progress(event.data, version, ids.task_id(event.id)),
        state="failed",
        lane=lane_of(queue),
        slow=queue == "slow",
        cause=problem,
    )


def deletion(event: DocumentWithdrawn, version: int) -> Progress:
    """Of a withdrawal: the document is hidden."""
    return Progress(
        knowledge_base_id=event.data.knowledge_base_id,
        document_id=event.data.document_id,
        version=version,
        state="deleted",
        task_id=ids.task_id(event.id),
    )


def points_removal(removal: Removal, removed: int) -> Progress:
    """Of a deleted document whose points have left the index."""
    return Progress(
        knowledge_base_id=removal.knowledge_base_id,
        document_id=removal.document_id,
        version=removal.version,
        state="deleted",
        removed=removed,
    )


def work_progress(work: Work, state: State, *, chunks: int = 0, done: int = 0, cause: Problem | None = None) -> Progress:
    """Of a queued version: queued, parsing, unchanged, embedding or failed."""
    document = work.document
    return Progress(
        knowledge_base_id=document.knowledge_base_id,
        document_id=document.document_id,
        version=work.version,
        state=state,
        title=shown_title(document),
        media_type=document.media_type,
        lane=work.lane,
        slow=work.slow,
        bytes=document.bytes,
        chunks=chunks,
        task_id=work.task_id,
        cause=cause,
        done=done,
        visible=work.visible,
        retries=work.retries,
    )


def batch_progress(batch: ChunkBatch, state: State, *, removed: int = 0, done: int = 0, cause: Problem | None = None) -> Progress:
    """Of a chunked version: embedding, indexed or failed."""
    return Progress(
        knowledge_base_id=batch.knowledge_base_id,
        document_id=batch.document_id,
        version=batch.version,
        state=state,
        title=batch.title,
        media_type=batch.media_type,
        lane=batch.lane,
        bytes=batch.bytes,
        chunks=batch.total,
        removed=removed,
        task_id=batch.task_id,
        cause=cause,
        done=done,
        notes=batch.notes,
        visible=batch.visible,
        retries=batch.retries,
    )
