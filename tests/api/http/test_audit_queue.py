"""Refusals reach the audit log without the request that was refused, and fill nothing while the log is away."""

import asyncio
from collections.abc import Sequence

import pytest

from api.http import audit_queue
from api.http.audit_queue import BATCH_MAX, QUEUE_MAX, AuditQueue
from domain.audit.topics import AUDIT_RECORDED
from schemas.errors import Unavailable
from streams.log.outgoing import LogOffset, Outgoing
from tests.domain.audit.test_entries import entry

pytestmark = pytest.mark.asyncio


class Log:
    """A log that can be away."""

    def __init__(self) -> None:
        self.is_away, self.taken = False, list[Outgoing]()

    async def publish_all(self, outgoing: Sequence[Outgoing]) -> list[LogOffset]:
        if self.is_away:
            raise Unavailable("kafka_unavailable")
        self.taken += outgoing
        return []


def refusal() -> Outgoing:
    return Outgoing(AUDIT_RECORDED, entry(outcome="refused"), key="t")


async def test_what_the_log_does_not_take_now_it_takes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost up to the bound; what is beyond it is counted."""
    monkeypatch.setattr(audit_queue, "AGAIN_S", 0.01)
    log, dropped = Log(), list[float]()
    log.is_away = True
    queue = AuditQueue(log, dropped.append)  # type: ignore[arg-type]
    await queue.start()
    queue.put(refusal())
    await asyncio.sleep(0.03)
    for _ in range(QUEUE_MAX + BATCH_MAX):
        queue.put(refusal())
    assert sum(dropped) >= 1
    log.is_away = False
    async with asyncio.timeout(5):
        while len(log.taken) + sum(dropped) < QUEUE_MAX + BATCH_MAX + 1:
            await asyncio.sleep(0.01)
    await queue.stop()
    assert len(log.taken) + sum(dropped) == QUEUE_MAX + BATCH_MAX + 1


async def test_a_repeated_refusal_is_known() -> None:
    queue = AuditQueue(Log(), list[float]().append)  # type: ignore[arg-type]
    assert [queue.is_repeated(each) for each in ("a", "b", "a", "b")] == [False, False, True, True]


async def test_what_waits_at_the_end_is_published_or_counted() -> None:
    for is_away, published, lost in ((False, 3, 0), (True, 0, 3)):
        log, dropped = Log(), list[float]()
        log.is_away = is_away
        queue = AuditQueue(log, dropped.append)  # type: ignore[arg-type]
        for _ in range(3):
            queue.put(refusal())
        await queue.stop()
        assert (len(log.taken), sum(dropped)) == (published, lost)
