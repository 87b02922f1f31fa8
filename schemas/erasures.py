"""Erasures: the removal of what is stored of an account or of a tenant, and what was found where."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.events import Event

ErasureState = Literal["accepted", "erasing", "interim", "final"]
PlaceKind = Literal["topic", "redis", "blobs", "index"]
Means = Literal["removed", "expires", "kept", "none"]


class PlaceResult(Struct, frozen=True, kw_only=True):
    """What a check found in one place: a topic, a family of Redis keys, the files, the index.

    ``before`` counts what was there when the work began, ``left`` what must not be there any more. ``expiring`` is still there and gone by
    ``gone_by``; ``kept`` stays, for the reason that the inventory gives; ``mentions`` are texts of others that name the person.
    ``unchecked``: why the place could not be read, "" when it was.
    """

    place: str
    kind: PlaceKind
    means: Means
    before: int = 0
    left: int = 0
    expiring: int = 0
    gone_by: datetime | None = None
    kept: int = 0
    mentions: int = 0
    unchecked: str = ""


class Erasure(Struct, frozen=True, kw_only=True):
    """The erasure of an account, or with ``account_id`` "" of a whole tenant.

    ``sealed_terms`` has the address and the name to look for, encrypted; it is emptied with the final check. ``knowledge_base_ids`` are the
    private ones of the account, ``rounds`` counts how often the work began, and ``quiet_rounds`` those in a row that found nothing to
    remove. ``next_at``: when the work goes on; None at the end. ``checked_at``: of the newest check, whose results are ``places``.
    """

    id: str
    tenant: str
    account_id: str = ""
    requested_by: str = ""
    state: ErasureState = "accepted"
    created_at: datetime
    next_at: datetime | None = None
    sealed_terms: str = ""
    knowledge_base_ids: tuple[str, ...] = ()
    rounds: int = 0
    quiet_rounds: int = 0
    removed: int = 0
    places: tuple[PlaceResult, ...] = ()
    checked_at: datetime | None = None
    checker: str = ""
    revision: int = 1

    @property
    def subject(self) -> str:
        """The id of what is erased."""
        return self.account_id or self.tenant


class ErasureChanged(Event, tag="claw.erasure.changed.v1", frozen=True, kw_only=True):
    """Subject and key: erasure id."""

    data: Erasure
