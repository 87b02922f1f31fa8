"""How an erasure goes on: from one state to the next, by what a round did and a check found. Pure.

accepted -> erasing -> interim -> final

``erasing`` until a round finds nothing to remove and the check after it nothing that is left; ``interim`` while something expires by
itself; ``final`` once it was looked for again and is gone.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from domain.erasures.settings import ErasureSettings
from schemas.erasures import Erasure, PlaceResult

CHECKER = "1"  # the version of the inventory and the rules, in every certificate
PENDING_S = 2.0  # until documents that are being deleted are looked for again


def begin(erasure: Erasure, places: Sequence[PlaceResult], now: datetime) -> Erasure:
    """What there is was counted, and the knowledge bases are known: the first round follows at once."""
    return replace(erasure, state="erasing", places=tuple(places), next_at=now, revision=erasure.revision + 1)


def add_round(erasure: Erasure, removed: int, pending: int, now: datetime, settings: ErasureSettings) -> Erasure:
    """After a round that removed something, or has to wait for something; ``next_at`` None asks for a check."""
    quiet = 0 if removed or pending else erasure.quiet_rounds + 1
    pause_s = PENDING_S if pending else settings.settle_s
    return replace(
        erasure,
        rounds=erasure.rounds + 1,
        removed=erasure.removed + removed,
        quiet_rounds=quiet,
        next_at=None if quiet else now + timedelta(seconds=pause_s),
        revision=erasure.revision + 1,
    )


def add_check(erasure: Erasure, places: Sequence[PlaceResult], now: datetime, settings: ErasureSettings) -> Erasure:
    """After a check."""
    checked = replace(erasure, places=tuple(places), checked_at=now, checker=CHECKER)
    again = now + timedelta(seconds=settings.recheck_s)
    if any(place.left or place.unchecked for place in places):
        return replace(checked, state="erasing", next_at=again)
    expiring = [place for place in places if place.expiring]
    if expiring:
        return replace(checked, state="interim", next_at=max([again, *(place.gone_by for place in expiring if place.gone_by)]))
    return replace(checked, state="final", next_at=None, sealed_terms="")
