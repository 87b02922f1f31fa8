"""The action ``bulk_action``: cancel or retry every task, or redrive every dead letter, that matches a filter and existed when it began.

First the tasks are counted, then it goes through them, the newest first, at most so many a second. ``position`` is ``count`` or ``do``,
and the cursor behind the last task that was reached; so another worker goes on there, and does again at most one step, whose effects happen
once because their ids follow from the job's and the task's.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from msgspec.structs import replace

from domain.job_actions.redrive import redrive_some
from domain.job_actions.task_actions import BULK_RETRYABLE, TaskActions
from domain.jobs.runner import JobStep
from domain.jobs.steps import count_failure, count_result, go_on, stop, succeed
from domain.tasks.table import TaskTable
from schemas import ids
from schemas.errors import Refused
from schemas.jobs import BulkAction, Job
from schemas.tasks import Task, TaskKind
from streams.clock import Clock
from streams.dead_letters.reader import DeadLetterFilter, DeadLetterReader
from streams.dead_letters.redrive import Redrive

PAGE = 500  # tasks read at once
STEP_PAGES = 20  # read in one step: some 10,000 tasks, half a second
PAUSE_S = 1.0  # between two steps: the rate is what one step may do

BULK_CANCELLABLE: frozenset[TaskKind] = frozenset(
    {"generate_ai_response", "vectorize_document", "rebuild", "redrive", "clean_up", "health_check"}
)


def matches(action: BulkAction, task: Task) -> bool:
    """Whether this task is one of those that the action is about."""
    if action.task_kind not in (None, task.kind) or action.state not in (None, task.state):
        return False
    if action.verb == "cancel":
        return task.is_open and task.kind in BULK_CANCELLABLE
    return task.state in {"FAILURE", "CANCELLED"} and task.kind in BULK_RETRYABLE and not task.subject.job


def bulk_step(tasks: TaskTable, actions: TaskActions, letters: DeadLetterReader, sender: Redrive, clock: Clock) -> JobStep:
    """The step of bulk actions of all verbs."""

    async def step(job: Job) -> Job:
        action = job.action
        assert isinstance(action, BulkAction)
        if job.cancel:
            return stop(job, clock.now())
        if action.verb == "redrive":
            wanted = DeadLetterFilter(tenant=job.tenant, code=action.code or None, topic=action.topic or None, agent=action.agent or None)
            return await redrive_some(
                job, letters, sender, clock, wanted, until=action.until, at_once=action.rate_per_s, items_max=action.items_max
            )
        phase, _, cursor = job.position.partition(" ")
        if phase in ("", "count"):
            return await _count(job, action, cursor, tasks, clock)
        return await _act(job, action, cursor, tasks, actions, clock)

    return step


async def count_tasks(tasks: TaskTable, tenant: str, action: BulkAction, cursor: str, pages: int) -> tuple[int, str]:
    """How many of the next ``pages`` pages of tasks match, and the cursor behind them, "" at the end. Raises Unavailable."""
    found = 0
    for _ in range(pages):
        page = await tasks.list(tenant, action.account, limit=PAGE, cursor=cursor, since=action.since, until=action.until)
        found += sum(matches(action, task) for task in page.items)
        cursor = page.next_cursor
        if not cursor:
            break
    return found, cursor


async def _count(job: Job, action: BulkAction, cursor: str, tasks: TaskTable, clock: Clock) -> Job:
    found, cursor = await count_tasks(tasks, job.tenant, action, cursor, STEP_PAGES)
    total, now = min(job.total + found, action.items_max), clock.now()
    is_over = not cursor or total == action.items_max
    if is_over and not total:
        return succeed(job, now, unit="tasks")
    return go_on(job, now, total=total, unit="tasks", position="do " if is_over else f"count {cursor}")


async def _act(job: Job, action: BulkAction, cursor: str, tasks: TaskTable, actions: TaskActions, clock: Clock) -> Job:
    begun, left = clock.now(), action.rate_per_s
    run = actions.cancel if action.verb == "cancel" else actions.retry
    for _ in range(STEP_PAGES):
        page = await tasks.list(job.tenant, action.account, limit=PAGE, cursor=cursor, since=action.since, until=action.until)
        for task in page.items:
            if not matches(action, task):
                continue
            if not left or job.done >= action.items_max:
                break
            left -= 1
            job = await _act_on(job, task, run)
            cursor = tasks.cursor_behind(task)
        else:
            cursor = page.next_cursor
            if cursor:
                continue
            return succeed(job, clock.now(), total=job.done)
        break
    if job.done >= action.items_max:
        return succeed(job, clock.now(), total=job.done)
    return go_on(job, begun + timedelta(seconds=PAUSE_S), total=max(job.total, job.done), position=f"do {cursor}")


async def _act_on(job: Job, task: Task, run: Callable[[Task, str, str], Awaitable[None]]) -> Job:
    job = replace(job, done=job.done + 1)
    try:
        await run(task, ids.derive("bulk", job.id, task.id), job.account_id)
    except Refused as refusal:
        return count_failure(job, task.id, refusal.code)
    return count_result(job, "tasks")
