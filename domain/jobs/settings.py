"""Settings of jobs."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section


class JobSettings(Section, frozen=True, kw_only=True):
    """Jobs: runs of schedules and bulk actions."""

    prefix: ClassVar[str] = "CLAW_JOB_"

    concurrency: Annotated[int, Meta(ge=1, le=64, description="Jobs that make a step at once, per worker.")] = 4
    time_limit_s: Annotated[int, Meta(ge=60, le=86_400, description="Time after which a job fails that has not ended.")] = 43_200
    bulk_items_max: Annotated[int, Meta(ge=1, le=100_000, description="Tasks or dead letters of one bulk action.")] = 10_000
    bulk_rate_per_s_max: Annotated[int, Meta(ge=1, le=1_000, description="Items per second of one bulk action.")] = 50
