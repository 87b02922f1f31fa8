"""Questions that this process has published, so that the same request is recognised without Redis, or before Redis has learned of it.

Two replicas that get the same request while Redis is down do not see each other's questions: docs/design/questions.md says what holds then.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from api.http.recent import Recent
from schemas.bodies.conversations import MessageAccepted

QUESTIONS_MAX = 1_000  # each bounded by limits.message_chars_max (8,000): 32 MB at worst
STALE_S = 3_600.0  # as long as the place of its reply is remembered


class AskedQuestions:
    """One per process, of requests with an ``Idempotency-Key``: it decides the reply's id. Keys carry the tenant."""

    def __init__(self) -> None:
        self._accepted: Recent[tuple[str, str], MessageAccepted] = Recent(QUESTIONS_MAX)  # tenant, reply
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def one_at_a_time(self, tenant: str, reply_id: str) -> AsyncIterator[None]:
        """A repeat that comes while the same request is in progress waits for its end."""
        lock = self._locks.setdefault((tenant, reply_id), asyncio.Lock())
        async with lock:
            yield

    def add(self, tenant: str, accepted: MessageAccepted) -> None:
        """The question is on the log."""
        self._accepted.put((tenant, accepted.reply_id), accepted)

    def find(self, tenant: str, reply_id: str) -> MessageAccepted | None:
        """The response that the same request got from this process within the hour."""
        return self._accepted.get((tenant, reply_id), STALE_S)
