"""Settings of tasks."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section


class TaskSettings(Section, frozen=True, kw_only=True):
    """How long and how many tasks are shown."""

    prefix: ClassVar[str] = "CLAW_TASKS_"

    tracked: Annotated[
        bool,
        Meta(description="Whether events are tracked as tasks; false saves what `make bench BENCH=tasks` measures."),
    ] = True
    kept_s: Annotated[
        int,
        Meta(
            ge=3_600, le=2_592_000, description="Seconds for which a task is shown after it was created; chats stay on the log for 30 days."
        ),
    ] = 604_800
    rows_max: Annotated[
        int, Meta(ge=1_000, le=10_000_000, description="Tasks of a tenant that are shown, about 1 KB of Redis each; the oldest go first.")
    ] = 100_000
