"""Schedules over HTTP."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from schemas.bodies.pages import RequestBody
from schemas.errors import Problem
from schemas.jobs import CleanUpAction, HealthCheckAction, Job, JobState, RebuildAction, RedriveAction, ScheduledAction
from schemas.schedules import CronSpec, IntervalSpec, Overlap, Schedule, ScheduleSpec

Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["nightly rebuild"])]
Note = Annotated[str, Meta(max_length=500, description="For people, such as why it is paused.")]
CatchUp = Annotated[int, Meta(ge=10, le=2_000_000, description="How late a run may begin that was missed; later ones are skipped.")]
Jitter = Annotated[int, Meta(ge=0, le=86_400, description="How far runs are spread behind their time, never past the next one.")]
Queued = Annotated[int, Meta(ge=1, le=20, description="Runs that wait at most, with the overlap `queue`.")]


class CronTimes(CronSpec, frozen=True, kw_only=True, tag_field="kind", tag="cron", forbid_unknown_fields=True):
    """Five fields: minute, hour, day of the month, month, day of the week, in a time zone of the IANA database."""


class IntervalTimes(IntervalSpec, frozen=True, kw_only=True, tag_field="kind", tag="interval", forbid_unknown_fields=True):
    """Every so many seconds, counted from 1970-01-01T00:00Z and shifted by the offset."""


class RebuildRun(RebuildAction, frozen=True, kw_only=True, tag_field="kind", tag="rebuild", forbid_unknown_fields=True):
    """Rebuild the index of a knowledge base beside the one in use, with the settings of the installation."""


class RedriveRun(RedriveAction, frozen=True, kw_only=True, tag_field="kind", tag="redrive", forbid_unknown_fields=True):
    """Send dead letters of every tenant again, the oldest first, at most ``limit``; empty fields match all. For operators."""


class CleanUpRun(CleanUpAction, frozen=True, kw_only=True, tag_field="kind", tag="clean_up", forbid_unknown_fields=True):
    """Remove what has no owner or has expired. For operators."""


class HealthCheckRun(HealthCheckAction, frozen=True, kw_only=True, tag_field="kind", tag="health_check", forbid_unknown_fields=True):
    """Check the installation; operators get a notice when something is wrong. For operators."""


TimesBody = CronTimes | IntervalTimes  # as on the log, but what nobody knows is refused
RunBody = RebuildRun | RedriveRun | CleanUpRun | HealthCheckRun


def spec_of(body: TimesBody) -> ScheduleSpec:
    """The times as they stand on the log."""
    return msgspec.convert(msgspec.to_builtins(body), ScheduleSpec)  # type: ignore[no-any-return]


def action_of(body: RunBody) -> ScheduledAction:
    """The action as it stands on the log."""
    return msgspec.convert(msgspec.to_builtins(body), ScheduledAction)  # type: ignore[no-any-return]


class ScheduleCreate(RequestBody, frozen=True, kw_only=True):
    """When an action runs. ``overlap``: what becomes of a run while an earlier one has not ended."""

    name: Name
    spec: TimesBody
    action: RunBody
    overlap: Overlap = "skip"
    queued_max: Queued = 1
    catch_up_s: CatchUp = 3_600
    jitter_s: Jitter = 0
    paused: bool = False
    note: Note = ""


class SchedulePatch(RequestBody, frozen=True, kw_only=True):
    """Fields left out stay as they are. ``paused`` false resumes; what was missed while it was paused does not run."""

    name: Name | UnsetType = UNSET
    spec: TimesBody | UnsetType = UNSET
    action: RunBody | UnsetType = UNSET
    overlap: Overlap | UnsetType = UNSET
    queued_max: Queued | UnsetType = UNSET
    catch_up_s: CatchUp | UnsetType = UNSET
    jitter_s: Jitter | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    note: Note | UnsetType = UNSET


class ScheduleRunView(Struct, frozen=True, kw_only=True):
    """A run; ``id`` is that of its task. ``nominal_at`` is null when somebody triggered it. ``skipped_before``: runs that were missed."""

    id: str
    state: JobState
    nominal_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    skipped_before: int
    results: dict[str, int]
    notes: tuple[str, ...]
    cause: Problem | None
    task: str

    @classmethod
    def of(cls, job: Job) -> "ScheduleRunView":
        """The job of a run."""
        return cls(
            id=job.id,
            state=job.state,
            nominal_at=job.nominal_at,
            started_at=job.started_at,
            ended_at=job.ended_at,
            skipped_before=job.skipped_before,
            results=job.results,
            notes=job.notes,
            cause=job.cause,
            task=f"/api/v1/tasks/{job.id}",
        )


class ScheduleView(Struct, frozen=True, kw_only=True):
    """A schedule. ``next_at``: when it runs next, none while it is paused. ``installation``: it is the installation's, not a tenant's."""

    id: str
    name: str
    installation: bool
    spec: ScheduleSpec
    action: ScheduledAction
    overlap: Overlap
    queued_max: int
    catch_up_s: int
    jitter_s: int
    paused: bool
    note: str
    next_at: tuple[datetime, ...]
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, schedule: Schedule, next_at: tuple[datetime, ...], *, installation: bool) -> "ScheduleView":
        """The record with the times that follow."""
        return cls(
            id=schedule.id,
            name=schedule.name,
            installation=installation,
            spec=schedule.spec,
            action=schedule.action,
            overlap=schedule.overlap,
            queued_max=schedule.queued_max,
            catch_up_s=schedule.catch_up_s,
            jitter_s=schedule.jitter_s,
            paused=schedule.paused,
            note=schedule.note,
            next_at=next_at,
            created_by=schedule.created_by,
            created_at=schedule.created_at,
            updated_at=schedule.updated_at,
        )


class ScheduleWithRuns(ScheduleView, frozen=True, kw_only=True):
    """``runs``: the last ones and those that have not ended, the newest first."""

    runs: tuple[ScheduleRunView, ...]
