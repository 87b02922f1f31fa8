"""Schedules: when an action runs again and again, and what its ticks are."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.events import Event
from schemas.jobs import ScheduledAction

Overlap = Literal["skip", "queue", "cancel_old"]

YEAR_S = 31_536_000


class CronSpec(Struct, frozen=True, kw_only=True, tag_field="kind", tag="cron"):
    """Five fields: minute, hour, day of the month, month, day of the week, in a time zone of the IANA database."""

    line: Annotated[str, Meta(min_length=9, max_length=200, examples=["30 3 * * MON-FRI"])]
    time_zone: Annotated[str, Meta(min_length=1, max_length=64, examples=["Asia/Shanghai"])] = "UTC"


class IntervalSpec(Struct, frozen=True, kw_only=True, tag_field="kind", tag="interval"):
    """Every so many seconds, counted from 1970-01-01T00:00Z and shifted by the offset."""

    every_s: Annotated[int, Meta(ge=1, le=YEAR_S)]
    offset_s: Annotated[int, Meta(ge=0, lt=YEAR_S, description="Less than `every_s`.")] = 0


ScheduleSpec = CronSpec | IntervalSpec


class Schedule(Struct, frozen=True, kw_only=True):
    """A schedule of a tenant, or of the installation (tenant ``-``).

    ``overlap``: what a tick does while an earlier run has not ended; ``queued_max`` runs wait then. ``catch_up_s``: how late a tick may
    run. ``jitter_s``: how far runs are spread behind their time. Ticks at or before ``anchor_at`` do not run: it is the time of the last
    change of the times, or of the end of a pause.
    """

    id: str
    tenant: str
    name: str
    spec: ScheduleSpec
    action: ScheduledAction
    overlap: Overlap = "skip"
    queued_max: int = 1
    catch_up_s: int = 3_600
    jitter_s: int = 0
    paused: bool = False
    note: str = ""
    created_by: str = ""
    created_at: datetime
    updated_at: datetime
    anchor_at: datetime
    deleted: bool = False
    revision: int = 1


class ScheduleTick(Struct, frozen=True, kw_only=True):
    """One tick: a run is to begin. ``id`` is the run's and its task's. ``skipped``: ticks before it that were too late to run.

    ``nominal_at`` is the time by the schedule.
    """

    id: str
    schedule_id: str
    tenant: str
    nominal_at: datetime
    skipped: int = 0


class ScheduleChanged(Event, tag="claw.schedule.changed.v1", frozen=True, kw_only=True):
    """Subject and key: schedule id."""

    data: Schedule


class ScheduleTicked(Event, tag="claw.schedule.ticked.v1", frozen=True, kw_only=True):
    """Subject and key: schedule id. The event's id is the tick's."""

    data: ScheduleTick
