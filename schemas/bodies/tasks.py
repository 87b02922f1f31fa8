"""Tasks as the API shows them."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

from schemas.bodies.pages import RequestBody
from schemas.errors import Problem
from schemas.jobs import BulkVerb
from schemas.tasks import TaskKind, TaskState


class SubjectView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the task works on: a reply of a conversation, a version of a document, or a build of an index; or the schedule that it is a
    run of. ``url`` leads there.
    """

    conversation_id: str = ""
    message_id: str = ""
    knowledge_base_id: str = ""
    document_id: str = ""
    version: int | None = None
    generation: int | None = None
    schedule_id: str = ""
    title: str = ""
    url: str = ""


class TaskProgress(Struct, frozen=True, kw_only=True):
    """``done`` of ``total``; null while the amount is unknown."""

    done: int
    total: int | None
    unit: str
    percent: Annotated[int, Meta(ge=0, le=100)] | None


class TaskLinks(Struct, frozen=True, kw_only=True):
    """Paths for a POST; null when the task cannot be cancelled, or retried, as it is."""

    self: str
    cancel: str | None = None
    retry: str | None = None


class TaskView(Struct, frozen=True, kw_only=True):
    """A task. ``account_id`` is empty for the work of an upstream system.

    ``attempts``: how often the work began, as far as its events say. ``estimated_end_at`` is null when it is unknown, or when the task has
    ended. ``cause``: the error of a failure and its remedy, or why the task waits until ``retry_at`` to be tried again. ``parent_id`` is
    the task that this one retries, or the schedule that it is a run of; ``child_ids`` are those that retry this one, the newest.
    """

    id: str
    kind: TaskKind
    state: TaskState
    account_id: str
    subject: SubjectView
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    attempts: int
    progress: TaskProgress
    estimated_end_at: datetime | None
    retry_at: datetime | None
    cause: Problem | None
    parent_id: str | None
    child_ids: tuple[str, ...]
    links: TaskLinks


class BulkRequest(RequestBody, frozen=True, kw_only=True):
    """``action`` on everything that matches: tasks by kind, state, account and time of creation; dead letters, for ``redrive``, by code,
    topic and agent. Fields left out match all. What can never be cancelled or retried is left out by itself.
    """

    action: BulkVerb
    kind: TaskKind | None = None
    state: TaskState | None = None
    account: Annotated[str, Meta(max_length=100)] = ""
    since: Annotated[datetime, Meta(tz=True)] | None = field(default=None, name="from")
    until: Annotated[datetime, Meta(tz=True)] | None = field(default=None, name="to")
    code: Annotated[str, Meta(max_length=100)] = ""
    topic: Annotated[str, Meta(max_length=249)] = ""
    agent: Annotated[str, Meta(max_length=100)] = ""
    rate_per_s: Annotated[int, Meta(ge=1, le=1_000, description="Items per second.")] = 10
    dry_run: Annotated[bool, Meta(description="Only count what matches.")] = False


class BulkView(Struct, frozen=True, kw_only=True):
    """The task that does it; or with ``dry_run`` what matches now, ``complete``: all of it was counted."""

    dry_run: bool
    matched: int | None = None
    complete: bool | None = None
    task: TaskView | None = None


class DurationView(Struct, frozen=True, kw_only=True):
    """Seconds of ``count`` tasks: the median, and what 95 % of them stay within."""

    count: int
    p50_s: float
    p95_s: float


class KindStatsView(Struct, frozen=True, kw_only=True):
    """Of one kind. ``waits``: from creation to start; ``durations``: from creation to the end. Rates are per minute of the window."""

    kind: TaskKind
    counts: dict[TaskState, int]
    waits: DurationView | None
    durations: DurationView | None
    created_per_minute: float
    ended_per_minute: float


class TaskStatsView(Struct, frozen=True, kw_only=True):
    """Of tasks created between ``since`` and ``until``. Not ``complete``: there were more, and ``since`` is the creation of the oldest of
    those that were counted, the newest ones.
    """

    since: datetime
    until: datetime
    tasks: int
    complete: bool
    kinds: tuple[KindStatsView, ...]


class WorkerView(Struct, frozen=True, kw_only=True):
    """A worker process. ``state``: ``up``, ``stuck`` (about to be ended), ``silent`` (it has stopped reporting), ``starting`` (not ready).

    ``assigned`` partitions; ``lag``: records that are not done; ``in_flight`` and ``waiting`` by agent: events under way, and events that
    cannot begin before another ends. ``rates``: events per second of work, by agent: how fast it is, not how many come. Ages in seconds.
    """

    id: str
    state: str
    assigned: int
    lag: int
    in_flight: dict[str, int]
    waiting: dict[str, int]
    rates: dict[str, float]
    memory_bytes: int
    oldest_age_s: float
    standstill_s: float
    silent_s: float
    started_at: datetime
    problems: tuple[str, ...]


class WorkerGroupView(Struct, frozen=True, kw_only=True):
    """A worker group. ``partitions`` of all its topics; ``lags`` by topic; sums over its workers otherwise."""

    name: str
    partitions: int
    assigned: int
    lag: int
    lags: dict[str, int]
    rates: dict[str, float]
    in_flight: int
    memory_bytes: int
    workers: tuple[WorkerView, ...]


class WorkersView(Struct, frozen=True, kw_only=True):
    """Every worker group of the installation; one without a worker has none listed."""

    groups: tuple[WorkerGroupView, ...]


class TaskSnapshot(Struct, frozen=True, kw_only=True):
    """``snapshot``: ``counts`` by state of the newest tasks: of all of them when ``complete``. ``open``: those that have not ended, the
    newest, at most 200.
    """

    counts: dict[TaskState, int]
    complete: bool
    open: tuple[TaskView, ...]


TASK_EVENTS: dict[str, type[Struct]] = {"snapshot": TaskSnapshot, "task": TaskView, "failed": Problem}
