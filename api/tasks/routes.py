"""Tasks: listed, read, counted, and followed as they change; and the workers that do them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, get
from litestar.params import FromPath, QueryParameter

from api.chats.ports import ChatPorts
from api.http.gate import ANYBODY, OPERATOR
from api.http.openapi import PROBLEMS, Cursor, Limit, event_stream
from api.http.request import ApiRequest
from api.http.responses import invalid_field
from api.http.sse import EventStream
from api.http.watch import watch
from api.tasks.ports import TaskPorts
from api.tasks.view import account_of, can_see, kinds_of
from api.tasks.watch import WatchedTasks
from api.tasks.workers import group_workers
from domain.tasks.statistics import Durations, KindStatistics, statistics_of
from schemas import ids
from schemas.bodies.pages import Page
from schemas.bodies.tasks import TASK_EVENTS, DurationView, KindStatsView, TaskStatsView, TaskView, WorkersView
from schemas.errors import Refused
from schemas.tasks import Task, TaskKind, TaskState, TaskSubject
from streams.runtime.worker_registry import list_workers
from streams.tables.record_table import RecordPage

PAGES_MAX = 10  # of a filtered list, read for one response
STATS_PAGE, STATS_MAX = 1_000, 5_000  # tasks counted, the newest first
STATS_WINDOW = timedelta(days=1)

EVENTS = event_stream(
    "An event stream: first a `snapshot` (open tasks, counts by state), then a `task` for every task that changes, as it is by then; "
    "another `snapshot` in place of changes that were missed, and after every reconnect. `failed` when the account may not watch any more.",
    TASK_EVENTS,
)

Kind = Annotated[TaskKind | None, QueryParameter(name="kind", description="Only tasks of this kind.")]
State = Annotated[TaskState | None, QueryParameter(name="state", description="Only tasks in this state.")]
AccountId = Annotated[
    str, QueryParameter(name="account", max_length=100, description="Only tasks of this account; of another one for admins.")
]
From = Annotated[datetime | None, QueryParameter(name="from", description="Only tasks created at this time or later.")]
To = Annotated[datetime | None, QueryParameter(name="to", description="Only tasks created before this time.")]


@get("/tasks", opt=ANYBODY, responses=PROBLEMS, summary="List tasks")
async def list_(
    request: ApiRequest,
    limit: Limit = 20,
    cursor: Cursor = "",
    kind: Kind = None,
    task_state: State = None,
    account: AccountId = "",
    since: From = None,
    until: To = None,
) -> Page[TaskView]:
    """Your own, for admins the tenant's, the newest first; tasks are shown for seven days. An API key sees the kinds that its scopes could
    have begun. A page may be shorter than ``limit`` although another one follows.
    """
    reader, kinds = request.ports(TaskPorts).reader, kinds_of(request.user)
    shown: list[TaskView] = []
    for _ in range(PAGES_MAX):
        page = await _read_page(request, account, limit, cursor, since, until)
        tasks = [task for task in await reader.settle(page.items) if task.kind in kinds]
        shown += await reader.views([task for task in tasks if kind in (None, task.kind) and task_state in (None, task.state)])
        cursor = page.next_cursor
        if shown or not cursor:
            break
    return Page(items=tuple(shown), next_cursor=cursor or None)


@get("/tasks/stats", opt=ANYBODY, responses=PROBLEMS, summary="Get statistics of tasks")
async def stats(request: ApiRequest, account: AccountId = "", since: From = None, until: To = None) -> TaskStatsView:
    """Counts by kind and state, durations and rates: of your own tasks, for admins of the tenant's. Default: the last 24 hours. At most the
    newest 5,000 tasks are counted.
    """
    end = until or request.core.clock.now()
    begin = since or end - STATS_WINDOW
    if _aware(begin) >= _aware(end):
        raise invalid_field("from", "is not before `to`", "a time before `to`")
    tasks: list[Task] = []
    cursor = ""
    while len(tasks) < STATS_MAX:
        page = await _read_page(request, account, STATS_PAGE, cursor, begin, end)
        tasks += [task for task in await request.ports(TaskPorts).reader.settle(page.items) if task.kind in kinds_of(request.user)]
        cursor = page.next_cursor
        if not cursor:
            break
    begin = min(task.created_at for task in tasks) if cursor and tasks else _aware(begin)
    kinds = tuple(_stats_view(each) for each in statistics_of(tasks, begin, _aware(end)))
    return TaskStatsView(since=begin, until=_aware(end), tasks=len(tasks), complete=not cursor, kinds=kinds)


@get("/tasks/workers", opt=OPERATOR, responses=PROBLEMS, summary="List workers")
async def workers(request: ApiRequest) -> WorkersView:
    """Every worker that reported within the last 10 seconds, by worker group: partitions, lag, events under way, memory, rates."""
    return WorkersView(groups=group_workers(await list_workers(request.core.redis, request.core.settings.redis.key_prefix)))


@get("/tasks/stream", opt=ANYBODY, responses={**PROBLEMS, 200: EVENTS}, summary="Follow tasks")
async def stream(request: ApiRequest, account: AccountId = "") -> Response[None]:
    """Your own, for admins the tenant's."""
    ports, core = request.ports(TaskPorts), request.core
    watched = WatchedTasks(ports.reader, core.read_models, request.user, account_of(request.user, account))
    await request.take_stream()
    return EventStream(watch(ports.feed, watched, core.clock, request.http.streams))


@get("/tasks/{task_id:str}", opt=ANYBODY, responses=PROBLEMS, summary="Get a task")
async def read(request: ApiRequest, task_id: FromPath[UUID]) -> TaskView:
    """A task of yours, for admins of the tenant. One that was accepted a moment ago is ``PENDING``."""
    return await request.ports(TaskPorts).reader.view(await find_task(request, str(task_id)))


async def find_task(request: ApiRequest, task_id: str) -> Task:
    """The task, if the caller may see it, for operators also one of the installation; Refused("not_found")."""
    reader = request.ports(TaskPorts).reader
    found = await reader.find(request.user.tenant, task_id) or await _find_question(request, task_id)
    if found is None and request.user.has_role("operator"):
        found = await reader.find(ids.INSTALLATION, task_id)
    if found is None or not can_see(request.user, found):
        raise Refused("not_found", f"there is no task {task_id}")
    return found


async def _find_question(request: ApiRequest, reply_id: str) -> Task | None:
    """The task of a question of the caller's that the table does not have yet: where its reply will be is known before it is asked."""
    location = await request.ports(ChatPorts).locations.find(request.user.tenant, reply_id)
    if location is None:
        return None
    try:
        conversation = await request.http.access.find_conversation(request.user, location.conversation_id)
    except Refused:
        return None
    return Task(
        id=reply_id,
        tenant=request.user.tenant,
        kind="generate_ai_response",
        state="PENDING",
        account=request.user.account_id,
        subject=TaskSubject(conversation_id=conversation.id, message_id=location.message_id),
        created_at=request.core.clock.now(),
    )


async def _read_page(
    request: ApiRequest, account: str, limit: int, cursor: str, since: datetime | None, until: datetime | None
) -> RecordPage[Task]:
    caller, of = request.user, account_of(request.user, account)
    begin, end = (None if at is None else _aware(at) for at in (since, until))
    return await request.ports(TaskPorts).reader.table.list(caller.tenant, of, limit=limit, cursor=cursor, since=begin, until=end)


def _aware(at: datetime) -> datetime:
    """A time without a zone is one of UTC."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _stats_view(kind: KindStatistics) -> KindStatsView:
    return KindStatsView(
        kind=kind.kind,
        counts=kind.counts,
        waits=_duration_view(kind.waits),
        durations=_duration_view(kind.durations),
        created_per_minute=kind.created_per_minute,
        ended_per_minute=kind.ended_per_minute,
    )


def _duration_view(durations: Durations | None) -> DurationView | None:
    return None if durations is None else DurationView(count=durations.tasks, p50_s=durations.p50_s, p95_s=durations.p95_s)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[list_, stats, workers, stream, read], tags=["tasks"])
