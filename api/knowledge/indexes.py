"""The index of a knowledge base: its builds, and its rebuild beside the one in use. Requests change the plan; workers carry it out."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from api.http.gate import OPS
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import json_response, run_idempotent
from api.knowledge import index_requests
from api.knowledge.ports import KnowledgePorts
from domain.indexes.plans import PlanStep, begin_build, discard_other, roll_back, step_once
from domain.indexes.reindex_reports import ReindexReport
from schemas.bodies.indexes import BuildView, IndexView, MissingView, RebuildRequest, RebuildView
from schemas.documents import Shelf
from schemas.errors import Refused, Unavailable
from schemas.indexes import IndexPlan, IndexPlanChanged, plan_key
from schemas.records import KnowledgeBase
from schemas.requests import CountShelves


@get("/knowledge/{knowledge_base_id:str}/index", opt=OPS, responses=PROBLEMS, summary="Get an index")
async def read(request: ApiRequest, knowledge_base_id: FromPath[UUID]) -> IndexView:
    """Its builds with their sizes, and the progress of a rebuild."""
    base = await find_base(request, str(knowledge_base_id))
    plan = request.ports(KnowledgePorts).catalogue.plan(base.tenant, base.id)
    report = await request.ports(KnowledgePorts).reindex_reports.get(base.tenant, base.id) if plan.other is not None else None
    return IndexView.of(plan, await _build_views(request, plan), _rebuild_view(report))


@post(
    "/knowledge/{knowledge_base_id:str}/index/rebuild",
    opt=OPS | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Rebuild an index",
)
async def rebuild(request: ApiRequest, knowledge_base_id: FromPath[UUID], data: JSONBody[RebuildRequest]) -> Response[IndexView]:
    """Built beside the one in use, which is searched until the new one holds every document; the progress is at ``Location``. Repeating
    the request retries failed documents; ``409 index_building`` while another build exists.
    """

    async def make() -> Response[Any]:
        base = await find_base(request, str(knowledge_base_id))
        step = begin_build(data.collection(), request.core.settings.retrieval, keep=data.keep, force=data.force)
        return await _change_plan(request, base, step)

    return await run_idempotent(request, make)


@post(
    "/knowledge/{knowledge_base_id:str}/index/back",
    opt=OPS | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Switch back to the previous index",
)
async def back(request: ApiRequest, knowledge_base_id: FromPath[UUID]) -> Response[IndexView]:
    """The index in use so far is kept until it is discarded. ``404`` when there is no other index."""

    async def make() -> Response[Any]:
        return await _change_plan(request, await find_base(request, str(knowledge_base_id)), roll_back)

    return await run_idempotent(request, make)


@post(
    "/knowledge/{knowledge_base_id:str}/index/drop",
    opt=OPS | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Discard the index that is not in use",
)
async def drop(request: ApiRequest, knowledge_base_id: FromPath[UUID]) -> Response[IndexView]:
    """The new build, or after a switch the previous one. Its points are removed once nothing uses them; ``404`` when there is none."""

    async def make() -> Response[Any]:
        return await _change_plan(request, await find_base(request, str(knowledge_base_id)), discard_other)

    return await run_idempotent(request, make)


async def find_base(request: ApiRequest, base_id: str) -> KnowledgeBase:
    """A knowledge base whose index the caller may change, as its owner or as an admin of the tenant."""
    caller = request.user
    found = await request.core.read_models.knowledge_bases.get(caller.tenant, base_id)
    admin = caller.has_role("admin")
    if found is None or not (admin or found.user_id == caller.account_id or found.sharing == "tenant"):
        raise Refused("not_found", f"there is no knowledge base {base_id}")
    if not admin and found.user_id != caller.account_id:
        raise Refused("forbidden", "only its owner or an admin may rebuild an index")
    return found


async def _change_plan(request: ApiRequest, base: KnowledgeBase, step: PlanStep) -> Response[Any]:
    if request.idempotency_key is not None:
        step = step_once(step, await request.event_id(IndexPlanChanged, plan_key(base.tenant, base.id)))
    plan = await request.ports(KnowledgePorts).plans.change(base.tenant, base.id, step, by=request.user.account_id)
    view = IndexView.of(plan, tuple(_build_view(request, shelf) for shelf in _collections(plan)), None)
    return json_response(view, HTTPStatus.ACCEPTED, {"Location": f"/api/v1/knowledge/{base.id}/index"})


async def _build_views(request: ApiRequest, plan: IndexPlan) -> tuple[BuildView, ...]:
    shelves = _collections(plan)
    try:
        counts = await index_requests.count_points(request, CountShelves(knowledge_base_id=plan.knowledge_base_id, shelves=shelves))
    except Unavailable:
        return tuple(_build_view(request, shelf) for shelf in shelves)
    unencoded = counts.unencoded or (0,) * len(shelves)
    return tuple(_build_view(request, *each) for each in zip(shelves, counts.points, unencoded, strict=True))


def _collections(plan: IndexPlan) -> tuple[Shelf, ...]:
    return (plan.active,) if plan.other is None else (plan.active, plan.other)


def _build_view(request: ApiRequest, shelf: Shelf, points: int | None = None, unencoded: int | None = None) -> BuildView:
    settings = request.core.settings.retrieval
    return BuildView(
        generation=shelf.generation,
        chunk_tokens=shelf.chunk_tokens or settings.chunk_tokens,
        chunk_tokens_max=shelf.chunk_tokens_max or settings.chunk_tokens_max,
        embedding=shelf.embedding or settings.embedding,
        outdated_index=shelf.index or None,
        points=points,
        unencoded_points=unencoded,
    )


def _rebuild_view(report: ReindexReport | None) -> RebuildView | None:
    if report is None:
        return None
    return RebuildView(
        phase=report.phase,
        documents=report.documents,
        queued=report.queued,
        pending=report.pending,
        missing=tuple(MissingView(document_id=each.document_id, version=each.version, code=each.code) for each in report.missing),
        missing_total=report.missing_total,
        updated_at=report.updated_at,
    )


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[read, rebuild, back, drop], tags=["indexes"])
