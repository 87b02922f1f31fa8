"""Bulk actions: cancel, retry or redrive everything that matches a filter, as a task of its own."""

from typing import Any

from litestar import Response, Router, post
from litestar.params import JSONBody

from api.http.audit import audit_event
from api.http.gate import ADMIN
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import invalid_field, json_response, run_idempotent
from api.tasks.ports import TaskPorts
from api.tasks.routes import find_task
from domain.dead_letters import dead_letter_reader
from domain.job_actions.bulk import BULK_CANCELLABLE, count_tasks
from domain.job_actions.redrive import count_letters
from domain.job_actions.task_actions import BULK_RETRYABLE
from domain.jobs.records import JOBS
from domain.jobs.settings import JobSettings
from schemas.bodies.tasks import BulkRequest, BulkView
from schemas.jobs import BulkAction, Job
from schemas.tasks import TERMINAL
from streams.dead_letters.reader import DeadLetterFilter

COUNT_PAGES = 20  # of 500 tasks, looked at for a dry run
RETRIED = frozenset({"FAILURE", "CANCELLED"})


@post("/tasks/bulk", opt=ADMIN | ANSWERED, responses=PROBLEMS, status_code=200, summary="Cancel, retry or redrive many")
async def bulk(request: ApiRequest, data: JSONBody[BulkRequest]) -> Response[BulkView]:
    """A task of kind ``bulk_action``: it goes through what matches and was there when it was accepted, so many a second, and shows its
    progress; cancelling it stops it. With ``dry_run`` only the number is returned, of the newest 10,000 tasks or 2,000 dead letters.
    """
    settings, core, caller = request.core.settings.of(JobSettings), request.core, request.user
    _check_filter(data)
    rate_max = settings.bulk_rate_per_s_max
    if data.rate_per_s > rate_max:
        raise invalid_field("rate_per_s", f"is {data.rate_per_s}", f"at most {rate_max} (CLAW_JOB_BULK_RATE_PER_S_MAX)")
    now = core.clock.now()
    until = now if data.until is None else min(data.until, now)
    if data.since is not None and data.since >= until:
        raise invalid_field("from", "is not before `to`", "a time before `to`, in the past")
    action = BulkAction(
        verb=data.action,
        task_kind=data.kind,
        state=data.state,
        account=data.account,
        since=data.since,
        until=until,
        code=data.code,
        topic=data.topic,
        agent=data.agent,
        rate_per_s=data.rate_per_s,
        items_max=settings.bulk_items_max,
    )

    async def make() -> Response[Any]:
        if data.dry_run:
            matched, complete = await _count(request, action)
            return json_response(BulkView(dry_run=True, matched=matched, complete=complete))
        job_id = await request.new_id("bulk", caller.tenant, caller.account_id)
        job = Job(id=job_id, tenant=caller.tenant, action=action, account_id=caller.account_id, created_at=now, next_at=now)
        if request.idempotency_key is None or await core.read_models.of(JOBS).get(caller.tenant, job_id) is None:
            detail = {"action": action.verb, "kind": action.task_kind or "", "state": action.state or "", "account": action.account}
            entry = await audit_event(request, "tasks.bulk", target=job_id, detail=detail)
            await request.ports(TaskPorts).jobs.create(job, entry)
        view = await request.ports(TaskPorts).reader.view(await find_task(request, job_id))
        return json_response(BulkView(dry_run=False, task=view), headers={"Location": view.links.self})

    return await run_idempotent(request, make)


async def _count(request: ApiRequest, action: BulkAction) -> tuple[int, bool]:
    tenant = request.user.tenant
    if action.verb == "redrive":
        wanted = DeadLetterFilter(tenant=tenant, code=action.code or None, topic=action.topic or None, agent=action.agent or None)
        return await count_letters(dead_letter_reader(request.core.settings.kafka), wanted, action.until)
    found, cursor = await count_tasks(request.ports(TaskPorts).reader.table, tenant, action, "", COUNT_PAGES)
    return found, not cursor


def _check_filter(data: BulkRequest) -> None:
    """Refused for fields that the action does not have, and for those with which it could never do anything."""
    of_letters = {"code": data.code, "topic": data.topic, "agent": data.agent}
    of_tasks = {"kind": data.kind, "state": data.state, "account": data.account, "from": data.since, "to": data.until}
    for name, value in (of_tasks if data.action == "redrive" else of_letters).items():
        if value:
            raise invalid_field(name, f"is no filter of {data.action}", "leave it out")
    if data.action == "redrive":
        return
    kinds = BULK_CANCELLABLE if data.action == "cancel" else BULK_RETRYABLE
    if data.kind is not None and data.kind not in kinds:
        raise invalid_field("kind", f"{data.action} of many is not possible for {data.kind}", f"one of {', '.join(sorted(kinds))}")
    if data.state is not None and (data.state in TERMINAL if data.action == "cancel" else data.state not in RETRIED):
        states = "PENDING, STARTED, RETRY" if data.action == "cancel" else "FAILURE, CANCELLED"
        raise invalid_field("state", f"tasks that are {data.state} cannot be changed by {data.action}", f"one of {states}")


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[bulk], tags=["tasks"])
