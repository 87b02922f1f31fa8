"""Refusals on their way to the audit log, beside the requests that were refused."""

import asyncio
from collections.abc import Callable

import structlog

from api.http.identity import Caller
from api.http.recent import Recent
from schemas.audit import Actor
from schemas.errors import Unavailable
from streams.log.outgoing import Outgoing, Publisher

QUEUE_MAX = 1_000  # entries that wait for the log, about 1 MB
BATCH_MAX = 100
AGAIN_S = 1.0  # until the next attempt, while the log does not take them
ONCE_S = 60.0  # between two entries of the same refusal
ONCE_MAX = 20_000  # refusals that are remembered for that
SOURCE = "/claw/api"

log = structlog.get_logger(__name__)


class AuditQueue:
    """The refusals of one process on their way to the log; ``dropped`` counts those that found no room or were left at the end."""

    def __init__(self, publisher: Publisher, dropped: Callable[[float], None]) -> None:
        self._publisher, self._dropped = publisher, dropped
        self._waiting: asyncio.Queue[Outgoing] = asyncio.Queue(QUEUE_MAX)
        self._batch: list[Outgoing] = []
        self._recent: Recent[str, str] = Recent(ONCE_MAX)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to publish."""
        self._task = asyncio.create_task(self._publish(), name="audit")

    async def stop(self) -> None:
        """Publish what is left, if the log takes it now."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        while not self._waiting.empty():
            self._batch.append(self._waiting.get_nowait())
        try:
            await self._publisher.publish_all(self._batch)
        except Unavailable as error:
            self._dropped(len(self._batch))
            log.warning("audit_entries_dropped", count=len(self._batch), cause=error.detail)

    def put(self, entry: Outgoing) -> None:
        """Publish the entry later, or drop it while there is no room."""
        try:
            self._waiting.put_nowait(entry)
        except asyncio.QueueFull:
            self._dropped(1)

    def is_repeated(self, refusal: str) -> bool:
        """Whether this refusal was asked about within a minute: a program that goes on trying fills no log."""
        if self._recent.get(refusal, ONCE_S) is not None:
            return True
        self._recent.put(refusal, refusal)
        return False

    async def _publish(self) -> None:
        while True:
            if not self._batch:
                self._batch.append(await self._waiting.get())
            while len(self._batch) < BATCH_MAX and not self._waiting.empty():
                self._batch.append(self._waiting.get_nowait())
            try:
                await self._publisher.publish_all(self._batch)
            except Unavailable:  # the same entries again: a reader knows them by their id
                await asyncio.sleep(AGAIN_S)
            else:
                self._batch.clear()


def actor_of(caller: Caller | None) -> Actor:
    """Who acts, as the audit log names them."""
    if caller is None:
        return Actor(kind="anonymous")
    return Actor(kind="key" if caller.key_id else "person", account_id=caller.account_id, key_id=caller.key_id, role=caller.role)
