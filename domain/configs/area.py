"""The area of live configuration."""

from domain.area import Area
from domain.configs.topics import CONFIGS_CHANGED

AREA = Area(
    name="configs",
    topics=(CONFIGS_CHANGED,),
    unprojected={CONFIGS_CHANGED.name: "every process follows the topic itself and keeps the values in memory"},
)
