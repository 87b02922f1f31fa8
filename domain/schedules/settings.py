"""Settings of schedules."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section


class ScheduleSettings(Section, frozen=True, kw_only=True):
    """Schedules."""

    prefix: ClassVar[str] = "CLAW_SCHEDULE_"

    schedules_max: Annotated[int, Meta(ge=0, le=1_000, description="Schedules of one tenant; 0 = nobody can create any.")] = 20
    interval_s_min: Annotated[int, Meta(ge=1, le=86_400, description="Shortest interval of a schedule.")] = 60
    catch_up_s_max: Annotated[
        int, Meta(ge=10, le=2_000_000, description="Longest catch-up window: how late a run may begin that was missed.")
    ] = 604_800
    installed: Annotated[
        bool,
        Meta(
            description="Whether the installation cleans up every night and checks itself every hour, by schedules that operators can"
            " change; false: they are neither created nor run."
        ),
    ] = True
