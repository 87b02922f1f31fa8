"""What the routes of schedules use."""

from dataclasses import dataclass

from api.area import Opening
from api.core import Core
from api.tasks.ports import TaskPorts
from domain.jobs.runner import JobWriter
from domain.schedules.records import SCHEDULES
from domain.schedules.settings import ScheduleSettings
from schemas.schedules import Schedule
from streams.tables.record_table import RecordTable


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePorts:
    """``jobs`` writes the runs that are triggered."""

    core: Core
    settings: ScheduleSettings
    schedules: RecordTable[Schedule]
    jobs: JobWriter


def open_ports(opening: Opening) -> SchedulePorts:
    """Built from the core."""
    core = opening.core
    return SchedulePorts(
        core=core,
        settings=core.settings.of(ScheduleSettings),
        schedules=core.read_models.of(SCHEDULES),
        jobs=opening.ports(TaskPorts).jobs,
    )
