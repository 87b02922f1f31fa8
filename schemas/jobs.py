"""Jobs: work that a schedule or a request begins and a worker does in bounded steps, and the actions that a job can have."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from schemas.errors import Problem
from schemas.events import Event
from schemas.tasks import TaskKind, TaskState

BulkVerb = Literal["cancel", "retry", "redrive"]
JobState = Literal["waiting", "pending", "running", "succeeded", "failed", "cancelled", "skipped"]

OPEN_STATES: frozenset[JobState] = frozenset({"waiting", "pending", "running"})
FAILURES_MAX = 20  # failures of single items that a job keeps, the first ones

Text = Annotated[str, Meta(max_length=249)]


class RebuildAction(Struct, frozen=True, kw_only=True, tag_field="kind", tag="rebuild"):
    """Rebuild the index of a knowledge base beside the one in use, with the settings of the installation."""

    knowledge_base_id: Annotated[str, Meta(min_length=36, max_length=36)]


class RedriveAction(Struct, frozen=True, kw_only=True, tag_field="kind", tag="redrive"):
    """Send dead letters of every tenant again, the oldest first, at most ``limit``; empty fields match all."""

    code: Text = ""
    topic: Text = ""
    agent: Text = ""
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class CleanUpAction(Struct, frozen=True, kw_only=True, tag_field="kind", tag="clean_up"):
    """Remove what has no owner or has expired: unfinished uploads, sessions, invitations, old tasks."""


class HealthCheckAction(Struct, frozen=True, kw_only=True, tag_field="kind", tag="health_check"):
    """Check the installation; operators get a notice when something is wrong."""


class BulkAction(Struct, frozen=True, kw_only=True, tag_field="kind", tag="bulk_action"):
    """Cancel or retry the tasks, or redrive the dead letters, that match and existed at ``until``.

    ``account``: only tasks of this one, "" for all of the tenant. ``rate_per_s``: items a second. ``code``, ``topic`` and ``agent`` are of
    dead letters.
    """

    verb: BulkVerb
    task_kind: TaskKind | None = None
    state: TaskState | None = None
    account: str = ""
    since: datetime | None = None
    until: datetime
    code: str = ""
    topic: str = ""
    agent: str = ""
    rate_per_s: int = 10
    items_max: int = 1_000


ScheduledAction = RebuildAction | RedriveAction | CleanUpAction | HealthCheckAction
JobAction = RebuildAction | RedriveAction | CleanUpAction | HealthCheckAction | BulkAction


class JobFailure(Struct, frozen=True):
    """What one item of a job came to: its id and an error code."""

    id: str
    code: str


class Job(Struct, frozen=True, kw_only=True):
    """A job. Its task has the same id.

    ``nominal_at``: the time of the schedule that it runs for; None when somebody triggered it. ``waiting``: an earlier run of the schedule
    has not ended. ``skipped``: it did not run, ``cause`` says why. ``position`` is where its action goes on, ``steps`` how many steps it
    has made. ``results`` counts what was done by name; ``failed`` counts items that failed, ``failures`` has the first of them.
    ``next_at``: when its next step is due; None once it has ended. ``cancel``: it shall end.
    """

    id: str
    tenant: str
    action: JobAction
    account_id: str = ""
    schedule_id: str = ""
    schedule_name: str = ""
    nominal_at: datetime | None = None
    skipped_before: int = 0
    state: JobState = "pending"
    cancel: bool = False
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    next_at: datetime | None = None
    steps: int = 0
    position: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    results: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    failures: tuple[JobFailure, ...] = ()
    notes: tuple[str, ...] = ()
    cause: Problem | None = None
    revision: int = 1

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN_STATES

    @property
    def kind(self) -> TaskKind:
        """The kind of its task."""
        return JOB_KINDS[type(self.action)]


JOB_KINDS: dict[type, TaskKind] = {
    RebuildAction: "rebuild",
    RedriveAction: "redrive",
    CleanUpAction: "clean_up",
    HealthCheckAction: "health_check",
    BulkAction: "bulk_action",
}

TASK_STATES_OF: dict[JobState, TaskState] = {
    "waiting": "PENDING",
    "pending": "PENDING",
    "running": "STARTED",
    "succeeded": "SUCCESS",
    "failed": "FAILURE",
    "cancelled": "CANCELLED",
    "skipped": "CANCELLED",
}


class JobChanged(Event, tag="claw.job.changed.v1", frozen=True, kw_only=True):
    """Subject and key: job id."""

    data: Job
