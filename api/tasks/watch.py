"""Watching tasks: a snapshot of those that are open, then every change.

The rows of tasks are made of events of several topics, and one event alone says too little of a task; so streams follow the table, not the
topics. While anybody watches a tenant, one look per half second and process asks the tenant's sequence number, and reads what changed.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from api.http.identity import Caller
from api.http.watch import Subscriber, Subscribers, Update
from api.tasks.view import TaskReader, can_see, kinds_of
from domain.read_models import ReadModels
from schemas.bodies.tasks import TaskSnapshot, TaskView
from schemas.errors import Refused, Unavailable
from schemas.tasks import Task

LOOK_S = 0.5  # between two looks at a tenant that is watched
OPEN_MAX, SCAN_MAX = 200, 1_000  # open tasks in a snapshot; tasks that it counts, the newest first

log = structlog.get_logger(__name__)


class TaskFeed:
    """The changes of watched tenants, of one process. A group is a tenant, or one account of it."""

    def __init__(self, reader: TaskReader) -> None:
        self._reader = reader
        self._subscribers: Subscribers[Task] = Subscribers()
        self._looking: dict[str, asyncio.Task[None]] = {}  # by tenant
        self._begun: dict[str, asyncio.Event] = {}  # by tenant: from here on every change is offered

    @property
    def is_looking(self) -> bool:
        """Whether any tenant is watched."""
        return bool(self._looking)

    @asynccontextmanager
    async def subscribe(self, group: bytes) -> AsyncIterator[Subscriber[Task]]:
        """A subscriber of ``group`` for as long as the block lasts."""
        tenant = group.decode().partition("/")[0]
        try:
            with self._subscribers.join(group) as subscriber:
                if tenant not in self._looking:
                    self._begun[tenant] = asyncio.Event()
                    self._looking[tenant] = asyncio.create_task(self._look(tenant), name="task-feed")
                yield subscriber
        finally:
            if not self._of_tenant(tenant):
                await self._stop_looking(tenant)

    async def catch_up(self) -> None:
        """Returns when every watched tenant has been looked at, or after half a second: a snapshot taken later misses nothing."""
        waiting = [event.wait() for event in self._begun.values() if not event.is_set()]
        if waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await asyncio.gather(*waiting)

    def recent(self, group: bytes) -> list[Task]:  # noqa: ARG002 - a feed of a topic has some
        """Nothing is missing from the table."""
        return []

    async def stop(self) -> None:
        """End every stream; clients reconnect to another process."""
        for subscriber in self._subscribers:
            subscriber.close()
        for tenant in list(self._looking):
            await self._stop_looking(tenant)

    async def _stop_looking(self, tenant: str) -> None:
        self._begun.pop(tenant, None)
        looking = self._looking.pop(tenant, None)
        if looking is not None:
            looking.cancel()
            await asyncio.wait((looking,))

    def _of_tenant(self, tenant: str) -> list[Subscriber[Task]]:
        groups = [group for group in self._subscribers.groups() if group.decode().partition("/")[0] == tenant]
        return [subscriber for group in groups for subscriber in self._subscribers.of(group)]

    async def _look(self, tenant: str) -> None:
        """Until it is cancelled. While Redis is down nothing is seen; what changed meanwhile is seen afterwards."""
        seen: int | None = None
        while True:
            try:
                seen = await self._offer_changes(tenant, seen)
            except Unavailable as error:
                log.info("tasks_not_seen", cause=str(error))
            await asyncio.sleep(LOOK_S)

    async def _offer_changes(self, tenant: str, seen: int | None) -> int:
        if seen is None:
            seen = await self._reader.table.last_change(tenant)
            for subscriber in self._of_tenant(tenant):
                subscriber.mark_stale()  # a snapshot that was taken before may miss something
            self._begun[tenant].set()
            return seen
        changes = await self._reader.table.changes(tenant, seen)
        if changes.ids is None:
            for subscriber in self._of_tenant(tenant):
                subscriber.mark_stale()
            return changes.seen
        found = await self._reader.table.get_many(tenant, changes.ids)
        for task in await self._reader.settle(list(found.values())):
            update = Update(0, changes.seen, task)
            for group in (tenant.encode(), f"{tenant}/{task.account}".encode()):
                for subscriber in self._subscribers.of(group):
                    subscriber.offer(update)
        return changes.seen


class WatchedTasks:
    """One stream's view of the tasks that the caller may see: those of ``account``, "" for all of the tenant."""

    def __init__(self, reader: TaskReader, read_models: ReadModels, caller: Caller, account: str) -> None:
        self._reader, self._read_models, self._caller, self._account = reader, read_models, caller, account

    @property
    def group(self) -> bytes:
        """The account, or the tenant."""
        return f"{self._caller.tenant}/{self._account}".rstrip("/").encode()

    async def check_access(self) -> None:
        """Raises Refused when the account was disabled, or has lost the role by which it watches the tenant."""
        try:
            account = await self._read_models.accounts.get(self._caller.account_id, self._caller.account_id)
        except Unavailable:
            return  # unknown for now; the next check decides
        if account is None or account.disabled or (self._account != self._caller.account_id and account.role == "user"):
            raise Refused("forbidden", "the account may not watch these tasks any more")

    async def update(self, data: Task) -> tuple[str, TaskView] | None:
        """``task``: the task as it is now; None for one that the credential may not see."""
        return ("task", await self._reader.view(data)) if can_see(self._caller, data) else None

    async def snapshot(self, take_recent: Callable[[], list[Task]]) -> TaskSnapshot | None:
        """The open tasks; None while Redis is down."""
        take_recent()  # first: what changes from here on follows as an update, and may be in the snapshot already
        try:
            page = await self._reader.table.list(self._caller.tenant, self._account, limit=SCAN_MAX)
            tasks = [task for task in await self._reader.settle(page.items) if task.kind in kinds_of(self._caller)]
            pending = [task for task in tasks if task.is_open][:OPEN_MAX]
            return TaskSnapshot(
                counts=dict(Counter(task.state for task in tasks)), complete=not page.next_cursor, open=await self._reader.views(pending)
            )
        except Unavailable as error:
            log.warning("task_snapshot_not_made", cause=str(error))
            return None
