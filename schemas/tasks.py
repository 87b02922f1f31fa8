"""Tasks: asynchronous work as people and operators see it, put together from the events of chats, documents and indexes.

A task is a small number of steps, each the newest (or first) of its kind that the log has; see ``domain/tasks/fold.py``.
"""

from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct

from schemas.documents import Shelf
from schemas.errors import Problem

TaskKind = Literal[
    "generate_ai_response", "vectorize_document", "update_knowledge_base", "send_notification", "rebuild", "export", "import"
]
TaskState = Literal["PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "CANCELLED"]
TaskSlot = Literal["opened", "pending", "started", "progress", "ended", "retried"]

TASK_KINDS: tuple[TaskKind, ...] = get_args(TaskKind)
TASK_STATES: tuple[TaskState, ...] = get_args(TaskState)
TERMINAL: frozenset[TaskState] = frozenset({"SUCCESS", "FAILURE", "CANCELLED"})


class TaskSubject(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task works on: a reply of a conversation, a version of a document, or a build of a knowledge base's index.

    ``version`` is the document's (-1 for none), ``collection`` the one that is built.
    """

    conversation_id: str = ""
    message_id: str = ""
    knowledge_base_id: str = ""
    document_id: str = ""
    version: int = -1
    collection: Shelf | None = None


class TaskStep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one event says of a task. ``run`` grows with every time that the work is queued again; ``total`` 0: the amount is unknown.

    ``account`` is the owner's, "" where the event does not say it; ``retry_of`` is the task that this one repeats, ``retry_id`` the one
    that repeats this. ``retry_at``: when the work is tried again, after what ``cause`` says.
    """

    state: TaskState
    at: datetime
    kind: TaskKind
    account: str = ""
    subject: TaskSubject = TaskSubject()
    title: str = ""
    run: int = 0
    attempts: int = 0
    done: int = 0
    total: int = 0
    unit: str = ""
    lane: str = ""  # the queue of a document
    cause: Problem | None = None
    retry_of: str = ""
    retry_id: str = ""
    retry_at: datetime | None = None


class Task(Struct, frozen=True, kw_only=True):
    """A task. ``attempts`` counts the times that the work began, as far as its events say; ``cause`` is that of a failure, or of the wait
    until ``retry_at``.

    ``parent`` is the task that this one repeats, ``retry`` the newest one that repeats it.
    """

    id: str
    tenant: str
    kind: TaskKind
    state: TaskState
    account: str = ""
    subject: TaskSubject = TaskSubject()
    title: str = ""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 0
    done: int = 0
    total: int = 0
    unit: str = ""
    lane: str = ""
    cause: Problem | None = None
    retry_at: datetime | None = None
    parent: str = ""
    retry: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the work has not ended."""
        return self.state not in TERMINAL
