"""What the routes of widgets use beside the ports of chats."""

from dataclasses import dataclass

from api.area import Opening
from domain.widgets.budget import QuestionBudget
from domain.widgets.settings import WidgetSettings
from streams.live import Live


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetPorts:
    """``budget`` counts the day's questions of each key."""

    budget: QuestionBudget
    settings: Live[WidgetSettings]


def open_ports(opening: Opening) -> WidgetPorts:
    """The ports of this area."""
    core = opening.core
    return WidgetPorts(budget=QuestionBudget(core.redis, core.settings.redis.key_prefix), settings=core.live.of(WidgetSettings))
