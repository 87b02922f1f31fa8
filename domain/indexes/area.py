"""The area of indexes: which collection of a knowledge base readers see."""

from domain.area import Area
from domain.indexes.topics import INDEXES_CHANGED

AREA = Area(
    name="indexes",
    topics=(INDEXES_CHANGED,),
    unprojected={INDEXES_CHANGED.name: "every process follows the topic itself, as a collection catalogue in memory"},
)
