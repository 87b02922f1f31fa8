"""``claw tasks``: tasks and workers as operators see them.

Reading goes to Redis, so that it works while the API is down. Cancelling and retrying are requests to the API with somebody's API key.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Literal

import msgspec

from adapters.redis.client import connect
from api.chats.estimates import Estimates
from api.tasks.view import TaskReader
from api.tasks.workers import group_workers
from domain.documents.visibility import Visibility
from domain.indexes.reindex_reports import ReindexReports
from domain.tasks.settings import TaskSettings
from domain.tasks.statistics import Durations, statistics_of
from domain.tasks.table import TaskTable
from ops.commands.api_requests import request_api
from ops.commands.redrive import seconds_of
from schemas.bodies.tasks import BulkView, TaskView
from schemas.errors import ConfigurationError
from schemas.jobs import BulkVerb
from schemas.settings import Settings
from schemas.tasks import Task, TaskKind, TaskState
from streams.clock import SystemClock
from streams.runtime.worker_registry import list_workers

PAGE, SCAN_MAX = 500, 5_000  # tasks read at once, and altogether
NONE = "-"


async def list_tasks(settings: Settings, tenant: str, *, kind: TaskKind | None, state: TaskState | None, account: str, limit: int) -> int:
    """Print the newest tasks, one a line."""
    async with _reader(settings) as reader:
        shown = 0
        async for task in _newest(reader, tenant, account):
            if kind in (None, task.kind) and state in (None, task.state):
                print(_line(task))
                shown += 1
            if shown == limit:
                break
    return 0


async def show(settings: Settings, tenant: str, task_id: str) -> int:
    """Print all that is known of one task, as JSON; exit code 1 when there is none."""
    async with _reader(settings) as reader:
        task = await reader.find(tenant, task_id)
        if task is None:
            raise ConfigurationError(f"tenant {tenant} has no task {task_id}; tasks are shown for {settings.of(TaskSettings).kept_s} s")
        print(msgspec.json.format(msgspec.json.encode(await reader.view(task)), indent=2).decode())
    return 0


async def stats(settings: Settings, tenant: str, since: str) -> int:
    """Print counts, durations and rates of each kind."""
    end = SystemClock().now()
    begin = end - timedelta(seconds=seconds_of(since))
    async with _reader(settings) as reader:
        tasks = [task async for task in _newest(reader, tenant, "") if task.created_at >= begin]
    for kind in statistics_of(tasks, begin, end):
        counts = ", ".join(f"{count} {state}" for state, count in sorted(kind.counts.items()))
        print(f"{kind.kind}\t{counts}\twait {_durations(kind.waits)}\tduration {_durations(kind.durations)}\t{kind.ended_per_minute}/min")
    print(f"{len(tasks)} tasks in {since}" + (f", the newest {SCAN_MAX} counted" if len(tasks) >= SCAN_MAX else ""))
    return 0


async def workers(settings: Settings) -> int:
    """Print every worker group and worker; exit code 1 when a group has none that is up."""
    redis = connect(settings.redis)
    try:
        groups = group_workers(await list_workers(redis, settings.redis.key_prefix))
    finally:
        await redis.aclose()
    for group in groups:
        memory = group.memory_bytes // 1_048_576
        print(f"{group.name}\t{group.assigned}/{group.partitions} partitions\tlag {group.lag}\tin flight {group.in_flight}\t{memory} MiB")
        for each in group.workers:
            busy = ", ".join(f"{agent} {count}" for agent, count in each.in_flight.items() if count) or NONE
            print(f"  {each.id}\t{each.state}\t{each.assigned} partitions\tlag {each.lag}\t{busy}\t{'; '.join(each.problems)}".rstrip())
    return int(any(all(worker.state != "up" for worker in group.workers) for group in groups))


async def act(settings: Settings, action: Literal["cancel", "retry"], task_id: str, *, url: str, key_file: str) -> int:
    """Cancel or retry a task through the API; prints the task. Raises ConfigurationError with the API's problem."""
    body = await request_api(settings, "POST", f"/tasks/{task_id}/{action}", url=url, key_file=key_file)
    view = msgspec.json.decode(body, type=TaskView)
    print(f"{view.id}\t{view.state}\t{view.kind}")
    return 0


async def act_on_many(settings: Settings, action: BulkVerb, filters: Mapping[str, Any], *, dry_run: bool, url: str, key_file: str) -> int:
    """Begin a bulk action through the API, or only count what matches; prints the task or the number. Raises ConfigurationError."""
    body = {"action": action, "dry_run": dry_run} | {name: value for name, value in filters.items() if value}
    view = msgspec.json.decode(await request_api(settings, "POST", "/tasks/bulk", body, url=url, key_file=key_file), type=BulkView)
    if view.task is None:
        print(f"{view.matched} match" + ("" if view.complete else ", of the newest"))
    else:
        print(f"{view.task.id}\t{view.task.state}\t{view.task.kind}")
    return 0


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncIterator[TaskReader]:
    redis, prefix, clock = connect(settings.redis), settings.redis.key_prefix, SystemClock()
    estimates = Estimates(redis, prefix, clock, settings.documents.wait_s_max, settings.limits.chat_wait_s_max, settings.lanes.weight_of)
    try:
        yield TaskReader(
            table=TaskTable(redis, prefix, settings.of(TaskSettings)),
            visibility=Visibility(redis, prefix),
            reports=ReindexReports(redis, prefix),
            estimates=estimates,
            clock=clock,
        )
    finally:
        await estimates.stop()
        await redis.aclose()


async def _newest(reader: TaskReader, tenant: str, account: str) -> AsyncIterator[Task]:
    """The newest tasks, at most SCAN_MAX."""
    cursor, read = "", 0
    while read < SCAN_MAX:
        page = await reader.table.list(tenant, account, limit=PAGE, cursor=cursor)
        for task in await reader.settle(page.items):
            yield task
        read, cursor = read + len(page.items), page.next_cursor
        if not cursor:
            return


def _line(task: Task) -> str:
    subject = task.subject
    on = subject.document_id or subject.conversation_id or subject.knowledge_base_id or NONE
    took = f"{(task.ended_at - task.created_at).total_seconds():.1f} s" if task.ended_at else NONE
    amount = f"{task.done}/{task.total} {task.unit}" if task.total else NONE
    cause = task.cause.code if task.cause is not None else ""
    created = task.created_at.isoformat(timespec="seconds")
    return f"{task.id}\t{task.state}\t{task.kind}\t{created}\t{took}\t{amount}\t{on}\t{cause}".rstrip()


def _durations(durations: Durations | None) -> str:
    return NONE if durations is None else f"p50 {durations.p50_s:g} s, p95 {durations.p95_s:g} s"
