"""Schedules of a tenant for its admins, and of the installation for operators."""

from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UnsetType

from api.http.audit import audit_event
from api.http.gate import ADMIN
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import etag, find_created, given_fields, invalid_field, json_response, map_page, require_match, run_idempotent
from api.schedules.ports import SchedulePorts
from domain.job_actions.runs import begin_run
from domain.jobs.records import list_runs
from domain.schedules.defaults import schedule_event
from domain.schedules.errors import SCHEDULES_FULL
from domain.schedules.times import check_spec, due_at, times_after
from schemas import ids
from schemas.bodies.pages import Page
from schemas.bodies.schedules import ScheduleCreate, SchedulePatch, ScheduleRunView, ScheduleView, ScheduleWithRuns, action_of, spec_of
from schemas.errors import Refused
from schemas.jobs import RebuildAction, ScheduledAction
from schemas.schedules import IntervalSpec, Schedule, ScheduleSpec

NEXT_SHOWN = 5  # times of a schedule
RUNS_SHOWN = 50

Installation = Annotated[bool, QueryParameter(description="Those of the installation instead of your organisation's, for operators.")]


@post("/schedules", opt=ADMIN | ANSWERED, responses=PROBLEMS, summary="Create a schedule")
async def create(request: ApiRequest, data: JSONBody[ScheduleCreate]) -> Response[ScheduleView]:
    """Rebuilds of your organisation's knowledge bases; for operators also what concerns the installation: redriving dead letters, cleaning
    up, checking its health. ``422 schedule_never_fires`` for a cron line whose time never comes.
    """
    ports, caller, now = request.ports(SchedulePorts), request.user, request.core.clock.now()
    spec, action = spec_of(data.spec), action_of(data.action)
    _check_times(ports, spec, data.catch_up_s, request)
    tenant = await _find_tenant(request, action)

    async def make() -> Response[Any]:
        schedule_id = await request.new_id("schedule", caller.tenant, caller.account_id)
        async with request.core.records.lease(f"schedules/{tenant}"):
            present = await find_created(request, ports.schedules, tenant, schedule_id)
            if present is not None:
                return _response(request, present, HTTPStatus.CREATED)
            if await ports.schedules.count(tenant) >= ports.settings.schedules_max:
                raise Refused(SCHEDULES_FULL, f"there may be {ports.settings.schedules_max}")
            schedule = Schedule(
                id=schedule_id,
                tenant=tenant,
                **(msgspec.structs.asdict(data) | {"spec": spec, "action": action}),
                created_by=caller.account_id,
                created_at=now,
                updated_at=now,
                anchor_at=now,
            )
            await _write(request, schedule, "schedule.create")
        return _response(request, schedule, HTTPStatus.CREATED)

    return await run_idempotent(request, make)


@get("/schedules", opt=ADMIN, responses=PROBLEMS, summary="List schedules, the newest first")
async def list_(
    request: ApiRequest,
    limit: Limit = 20,
    cursor: Cursor = "",
    installation: Installation = False,  # noqa: FBT002
) -> Page[ScheduleView]:
    """Those of your organisation, or of the installation."""
    if installation and not request.user.has_role("operator"):
        raise Refused("forbidden", "only operators see the schedules of the installation")
    tenant = ids.INSTALLATION if installation else request.user.tenant
    page = await request.ports(SchedulePorts).schedules.list(tenant, limit=limit, cursor=cursor)
    return map_page(page, lambda schedule: _view(request, schedule))


@get("/schedules/{schedule_id:str}", opt=ADMIN, responses=PROBLEMS, summary="Get a schedule")
async def read(request: ApiRequest, schedule_id: FromPath[UUID]) -> Response[ScheduleWithRuns]:
    """With its ETag, its next times and its last runs."""
    schedule = await find_schedule(request, schedule_id)
    runs = (await list_runs(request.core.read_models, schedule.id))[:RUNS_SHOWN]
    view = ScheduleWithRuns(**msgspec.structs.asdict(_view(request, schedule)), runs=tuple(map(ScheduleRunView.of, runs)))
    return json_response(view, headers={"ETag": etag(schedule.revision)})


@patch("/schedules/{schedule_id:str}", opt=ADMIN, responses=PROBLEMS, summary="Update a schedule")
async def change(request: ApiRequest, schedule_id: FromPath[UUID], data: JSONBody[SchedulePatch]) -> Response[ScheduleView]:
    """Fields left out stay as they are. ``paused`` pauses or resumes it, ``note`` says why; runs that have begun go on."""
    changes, ports, now = given_fields(data), request.ports(SchedulePorts), request.core.clock.now()
    if not isinstance(data.spec, UnsetType):
        changes["spec"] = spec_of(data.spec)
    if not isinstance(data.action, UnsetType):
        changes["action"] = action_of(data.action)
    async with request.core.records.lease(f"schedule/{schedule_id}"):
        present = await find_schedule(request, schedule_id)
        require_match(request, present.revision)
        changed = msgspec.structs.replace(present, **changes, updated_at=now, revision=present.revision + 1)
        _check_times(ports, changed.spec, changed.catch_up_s, request)
        if "action" in changes and await _find_tenant(request, changed.action) != present.tenant:
            raise invalid_field("action", "is of another kind: of the installation, or of an organisation", "create another schedule")
        if changed.spec != present.spec or (present.paused and not changed.paused):
            changed = msgspec.structs.replace(changed, anchor_at=now)
        await _write(request, changed, "schedule.change")
    return _response(request, changed)


@delete("/schedules/{schedule_id:str}", opt=ADMIN, responses=PROBLEMS, summary="Delete a schedule")
async def remove(request: ApiRequest, schedule_id: FromPath[UUID]) -> None:
    """Nothing runs any more; runs that have begun go on."""
    async with request.core.records.lease(f"schedule/{schedule_id}"):
        present = await find_schedule(request, schedule_id)
        require_match(request, present.revision)
        now = request.core.clock.now()
        gone = msgspec.structs.replace(present, note="", deleted=True, updated_at=now, revision=present.revision + 1)
        await _write(request, gone, "schedule.delete")


@post(
    "/schedules/{schedule_id:str}/trigger",
    opt=ADMIN | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Run a schedule now",
)
async def trigger(request: ApiRequest, schedule_id: FromPath[UUID]) -> Response[ScheduleRunView]:
    """One run beside its times, also while it is paused. Its overlap policy applies: the run may wait, or be skipped."""

    async def make() -> Response[Any]:
        core, caller, schedule = request.core, request.user, await find_schedule(request, schedule_id)
        run_id = await request.new_id(f"trigger:{schedule.id}", caller.tenant, caller.account_id)
        entry = await audit_event(request, "schedule.trigger", target=schedule.id)
        writers = (core.read_models, core.records, request.ports(SchedulePorts).jobs)
        job = await begin_run(schedule.tenant, schedule.id, run_id, *writers, core.clock.now(), account_id=caller.account_id, also=(entry,))
        if job is None:
            raise Refused("not_found", f"there is no schedule {schedule_id}")
        return json_response(ScheduleRunView.of(job), HTTPStatus.ACCEPTED, {"Location": f"/api/v1/tasks/{job.id}"})

    return await run_idempotent(request, make)


async def find_schedule(request: ApiRequest, schedule_id: UUID) -> Schedule:
    """A schedule of the caller's tenant, for operators also of the installation; Refused("not_found")."""
    table, caller = request.ports(SchedulePorts).schedules, request.user
    found = await table.get(caller.tenant, str(schedule_id))
    if found is None and caller.has_role("operator"):
        found = await table.get(ids.INSTALLATION, str(schedule_id))
    if found is None:
        raise Refused("not_found", f"there is no schedule {schedule_id}")
    return found


async def _find_tenant(request: ApiRequest, action: ScheduledAction) -> str:
    """Whose schedule of this action it would be; Refused when the caller may have none."""
    caller = request.user
    if isinstance(action, RebuildAction):
        if await request.core.read_models.knowledge_bases.get(caller.tenant, action.knowledge_base_id) is None:
            raise Refused("not_found", f"there is no knowledge base {action.knowledge_base_id}")
        return caller.tenant
    if not caller.has_role("operator"):
        raise Refused("forbidden", "only operators schedule what concerns the installation; an admin schedules rebuilds")
    return ids.INSTALLATION


def _check_times(ports: SchedulePorts, spec: ScheduleSpec, catch_up_s: int, request: ApiRequest) -> None:
    shortest = ports.settings.interval_s_min
    if isinstance(spec, IntervalSpec) and spec.every_s < shortest:
        raise invalid_field("spec.every_s", f"is {spec.every_s} s", f"at least {shortest} (CLAW_SCHEDULE_INTERVAL_S_MIN)")
    if catch_up_s > ports.settings.catch_up_s_max:
        limit = f"at most {ports.settings.catch_up_s_max} (CLAW_SCHEDULE_CATCH_UP_S_MAX)"
        raise invalid_field("catch_up_s", f"is {catch_up_s} s", limit)
    check_spec(spec, request.core.clock.now())


async def _write(request: ApiRequest, schedule: Schedule, action: str) -> None:
    """With its entry in the audit log."""
    detail = {"name": schedule.name, "paused": str(schedule.paused).lower()}
    entry = await audit_event(request, action, target=schedule.id, detail=detail)
    await request.core.records.change(schedule_event(schedule, "api", schedule.updated_at, request.traceparent), entry)


def _view(request: ApiRequest, schedule: Schedule) -> ScheduleView:
    after = max(request.core.clock.now(), schedule.anchor_at)
    times = () if schedule.paused else islice(times_after(schedule.spec, after), NEXT_SHOWN)
    next_at = tuple(due_at(schedule, at) for at in times)
    return ScheduleView.of(schedule, next_at, installation=schedule.tenant == ids.INSTALLATION)


def _response(request: ApiRequest, schedule: Schedule, status: int = HTTPStatus.OK) -> Response[Any]:
    headers = {"ETag": etag(schedule.revision)}
    if status == HTTPStatus.CREATED:
        headers["Location"] = f"/api/v1/schedules/{schedule.id}"
    return json_response(_view(request, schedule), status, headers)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[create, list_, read, change, remove, trigger], tags=["schedules"])
