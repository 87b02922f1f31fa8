"""Index plans: the collection of a knowledge base that readers see, and the one that is being built or kept beside it."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.documents import Shelf
from schemas.events import Event

PlanState = Literal["steady", "building", "kept", "dropping"]


class IndexPlan(Struct, frozen=True, kw_only=True):
    """The plan of one knowledge base. Without one there is a single collection, generation 0, built by the settings.

    ``other`` is being built (``building``) or kept for switching back (``kept``): new versions are indexed in it too, before the active
    one. While ``dropping`` its points are being removed. ``keep``: the switch keeps the old collection until an explicit drop.
    ``force``: the switch takes place although some documents are missing. ``newest`` is the highest generation so far: none is reused.
    ``asked`` grows with every repeated request for the build: failed documents are then tried again. ``requests``: ids of the last requests
    with an ``Idempotency-Key`` that changed the plan; a late repeat of one of them changes nothing.
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
    requests: tuple[str, ...] = ()

    @property
    def collections(self) -> tuple[Shelf, ...]:
        """The collections that new versions are indexed in, the active one last."""
        return (self.active,) if self.other is None or self.state == "dropping" else (self.other, self.active)


class IndexPlanChanged(Event, tag="claw.index.changed.v1", frozen=True, kw_only=True):
    """Subject and key: ``tenant/kb``."""

    data: IndexPlan


def plan_key(tenant: str, knowledge_base: str) -> str:
    """Key of an index plan."""
    return f"{tenant}/{knowledge_base}"
