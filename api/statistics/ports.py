"""What the routes of statistics use."""

from dataclasses import dataclass

from api.area import Opening
from api.core import Core
from domain.statistics.table import StatisticsTable


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsPorts:
    """``table`` is read alone: agents fill it."""

    core: Core
    table: StatisticsTable


def open_ports(opening: Opening) -> StatisticsPorts:
    """Built from the core."""
    core = opening.core
    return StatisticsPorts(core=core, table=StatisticsTable(core.redis, core.settings))
