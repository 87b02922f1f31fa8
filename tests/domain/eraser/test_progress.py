"""The states of an erasure."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.eraser.progress import PENDING_S, add_check, add_round, begin
from domain.erasures.settings import ErasureSettings
from schemas.erasures import Erasure, PlaceResult

NOW = datetime(2026, 11, 30, 20, tzinfo=UTC)
SETTINGS = ErasureSettings(settle_s=60, recheck_s=3_600)
LATER = NOW + timedelta(days=31)


def erasure(**more) -> Erasure:
    return Erasure(id="e", tenant="t", account_id="a", created_at=NOW, sealed_terms="v1.x", **more)


def place(**more) -> PlaceResult:
    return PlaceResult(place="p", kind="topic", means="removed", **more)


def test_it_begins_with_what_there_is() -> None:
    begun = begin(erasure(), [place(left=3)], NOW)
    assert (begun.state, begun.next_at, begun.places, begun.revision) == ("erasing", NOW, (place(left=3),), 2)


@pytest.mark.parametrize(("removed", "pending", "seconds"), [(5, 0, SETTINGS.settle_s), (5, 2, PENDING_S), (0, 2, PENDING_S), (0, 0, None)])
def test_after_a_round(removed: int, pending: int, seconds: float | None) -> None:
    """What was under way has time to arrive; only a round that finds nothing is followed by a check."""
    after = add_round(erasure(state="erasing", removed=2), removed, pending, NOW, SETTINGS)
    assert after.next_at == (None if seconds is None else NOW + timedelta(seconds=seconds))
    assert (after.removed, after.rounds) == (2 + removed, 1)


@pytest.mark.parametrize(
    ("places", "state", "next_at"),
    [
        ([place(), place(kept=3, mentions=2)], "final", None),
        ([place(expiring=3, gone_by=LATER)], "interim", LATER),
        ([place(expiring=1), place()], "interim", NOW + timedelta(hours=1)),
        ([place(left=1), place(expiring=3, gone_by=LATER)], "erasing", NOW + timedelta(hours=1)),
        ([place(unchecked="index_unavailable")], "erasing", NOW + timedelta(hours=1)),
    ],
)
def test_after_a_check(places, state: str, next_at) -> None:
    """Nothing is final that was not looked for; the terms go with the last check and not before."""
    after = add_check(erasure(state="erasing"), places, NOW, SETTINGS)
    assert (after.state, after.next_at, after.checked_at, bool(after.sealed_terms)) == (state, next_at, NOW, state != "final")
