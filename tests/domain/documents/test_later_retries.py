"""When a version whose step failed for want of something outside is tried again, and what its readers see."""

from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.documents.later_retries import DELAY_S_MAX, FACTOR, SPREAD, delay_s_of, postponement
from domain.documents.records import progress_order
from schemas.documents import Progress
from schemas.errors import Unavailable
from schemas.settings import DocumentSettings
from tests.support.ports import NOW
from tests.support.progress_news import news

AWAY = Unavailable("url_unreachable", "it answers 503").problem()
BASE = Progress(knowledge_base_id="kb", document_id="d", version=7, state="queued")


@given(name=st.text(max_size=20), first_s=st.floats(1, 3_600), most=st.integers(0, 8))
def test_waits_grow_within_their_spread_and_end(name: str, first_s: float, most: int) -> None:
    settings = DocumentSettings(retries_max=most, retry_delay_s=first_s)
    waits = [delay_s_of(retries, name, settings) for retries in range(most + 2)]
    assert waits[most:] == [None, None]
    for retries, wait_s in enumerate(waits[:most]):
        full_s = min(DELAY_S_MAX, first_s * FACTOR**retries)
        assert wait_s is not None
        assert full_s * (1 - SPREAD) <= wait_s <= full_s * (1 + SPREAD)
    assert waits == [delay_s_of(retries, name, settings) for retries in range(most + 2)], "a repeat gives the same"


def test_what_fails_together_does_not_return_together() -> None:
    waits = {delay_s_of(0, f"document {number}", DocumentSettings()) for number in range(50)}
    assert len(waits) == 50


def test_a_postponement_names_cause_and_time_until_none_is_left() -> None:
    event, settings = news("acme/kb/d", 7, "queued", NOW), DocumentSettings(retries_max=2, retry_delay_s=10)
    progress, waits = msgspec.structs.replace(BASE, cause=AWAY), []
    for retries in (1, 2):
        outgoing = postponement(event, "parse", progress, settings, NOW, quiet=False)
        assert outgoing is not None
        progress = outgoing[0].event.data
        assert (progress.state, progress.retries, progress.cause) == ("queued", retries, AWAY)
        waits.append(progress.retry_at - NOW)
    assert timedelta(seconds=8) <= waits[0] <= timedelta(seconds=12) < timedelta(seconds=40) <= waits[1]
    assert postponement(event, "parse", progress, settings, NOW, quiet=False) is None
    assert postponement(event, "parse", BASE, settings, NOW, quiet=True) is None, "the build of a hidden collection tries by itself"


def test_later_work_comes_after_earlier_work_and_before_every_end() -> None:
    """Whoever reads the rows sees the wait, although the version had come further before it."""

    def at(state: str, retries: int, *, waits: bool = False, done: int = 0) -> Progress:
        return msgspec.structs.replace(BASE, state=state, retries=retries, retry_at=NOW if waits else None, done=done)

    steps = [
        *(at("queued", 0), at("parsing", 0), at("embedding", 0), at("embedding", 0, done=10**6)),
        *(at("queued", 1, waits=True), at("queued", 1), at("parsing", 1), at("embedding", 1, done=3)),
        *(at("queued", 2, waits=True), at("embedding", 2), at("embedding", 8, done=10**7)),
        *(at("failed", 0), at("indexed", 0)),
        msgspec.structs.replace(at("queued", 0), version=8),
    ]
    orders = [progress_order(step) for step in steps]
    assert all(before < after for before, after in pairwise(orders)), orders


@pytest.mark.parametrize("state", ["failed", "indexed", "unchanged", "deleted"])
def test_an_end_of_a_retry_replaces_that_of_no_other(state: str) -> None:
    first = msgspec.structs.replace(BASE, state=state)
    assert progress_order(msgspec.structs.replace(first, retries=3)) == progress_order(first)
