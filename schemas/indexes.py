"""Index plans: which build of a knowledge base's index readers see, and which one is made or kept beside it."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.documents import Shelf
from schemas.events import Event

PlanState = Literal["steady", "building", "kept", "dropping"]


class IndexPlan(Struct, frozen=True, kw_only=True):
    """The plan of one knowledge base. Without one there is a single shelf, generation 0, made as the settings say.

    ``other`` is being built (``building``) or kept for going back (``kept``): new versions are worked for it too, before the active one.
    While ``dropping`` it is nothing but points that are on their way out. ``keep``: nobody drops it by himself after the switch.
    ``force``: the switch comes although some documents are missing. ``newest`` is the highest generation there ever was: none comes twice.
    ``asked`` grows whenever somebody asks for the build once more: what failed is then tried again.
    """

    tenant: str
    knowledge_base_id: str
    active: Shelf = Shelf()
    other: Shelf | None = None
    state: PlanState = "steady"
    changed_at: datetime | None = None
    changed_by: str = ""  # account id, or the command line
    revision: int = 0
    keep: bool = False
    force: bool = False
    newest: int = 0
    asked: int = 0

    @property
    def collections(self) -> tuple[Shelf, ...]:
        """All that are filled, the active one last."""
        return (self.active,) if self.other is None or self.state == "dropping" else (self.other, self.active)


class IndexPlanChanged(Event, tag="claw.index.changed.v1", frozen=True, kw_only=True):
    """Subject and key: ``tenant/kb``."""

    data: IndexPlan


def plan_key(tenant: str, knowledge_base: str) -> str:
    """Key of an index plan."""
    return f"{tenant}/{knowledge_base}"
