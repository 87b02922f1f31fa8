"""The cache of the caller's tenant, for admins: statistics, entries, invalidation and warm-up."""

import time
from http import HTTPStatus
from typing import Annotated, Any, cast
from uuid import UUID

from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.http.audit import record_audit
from api.http.gate import ADMIN
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import invalid_field, json_response, run_idempotent
from api.operations import warmup
from schemas.bodies.cache import (
    CacheHealth,
    EntryView,
    Invalidated,
    InvalidateRequest,
    ScenarioStats,
    ScenariosView,
    ScenarioView,
    StatsView,
    WarmupRequest,
    WarmupView,
)
from schemas.bodies.pages import Page
from schemas.errors import Refused, Unavailable
from streams.cache import SCENARIOS, TABLES, Scenario
from streams.cache.scenarios import life_s
from streams.cache.statistics import HOURS, Counts

WARMABLE = frozenset({"retrieval", "document_content"})

Prefix = Annotated[
    str, QueryParameter(max_length=300, description="Only keys with this prefix, which begins with a scenario: `retrieval/…`.")
]


@get("/cache/stats", opt=ADMIN, responses=PROBLEMS, summary="Get cache statistics")
async def stats(request: ApiRequest) -> StatsView:
    """Per scenario, over the last 24 hours and all processes. For a record table a hit is a record that exists."""
    cache, tenant = request.core.cache, request.user.tenant
    counts, entries = await cache.statistics.counts_of(tenant), await cache.size(tenant)
    names = (*SCENARIOS, *TABLES)
    items = tuple(_stats(name, counts.get(name, Counts()), cast("dict[str, int]", entries).get(name)) for name in names)
    return StatsView(hours=HOURS, items=items)


@get("/cache/scenarios", opt=ADMIN, responses=PROBLEMS, summary="List cache scenarios")
async def scenarios(request: ApiRequest) -> ScenariosView:
    """With the lifetime of entries, or the record table that serves the scenario."""
    settings = request.core.live.settings.cache
    cached = [
        ScenarioView(name=name, summary=kind.summary, served_by="cache", life_s=life_s(settings, name), warmable=name in WARMABLE)
        for name, kind in SCENARIOS.items()
    ]
    tables = [ScenarioView(name=name, summary=summary, served_by="table") for name, summary in TABLES.items()]
    return ScenariosView(items=(*cached, *tables))


@get("/cache/keys", opt=ADMIN, responses=PROBLEMS, summary="List cache entries")
async def keys(request: ApiRequest, prefix: Prefix = "", limit: Limit = 20, cursor: Cursor = "") -> Page[EntryView]:
    """By key. A page may have fewer than ``limit`` entries, even none, and still a ``next_cursor``: continue with it."""
    cache, tenant = request.core.cache, request.user.tenant
    wanted = _split_key(prefix, "prefix") if prefix else None
    after = _split_key(cursor, "cursor") if cursor else (next(iter(SCENARIOS)), "")
    order: list[Scenario] = [wanted[0]] if wanted else list(SCENARIOS)
    if after[0] not in order:
        after = (order[0], "")
    scenario, begin = after
    page = await cache.keys(tenant, scenario, prefix=wanted[1] if wanted else "", cursor=begin, limit=limit)
    items = tuple(
        EntryView(key=f"{scenario}/{each.key}", scenario=scenario, expires_in_s=each.life_ms / 1000, size_bytes=each.size_bytes)
        for each in page.items
    )
    following = order[order.index(scenario) + 1 :]
    next_cursor = f"{scenario}/{page.next_cursor}" if page.next_cursor else f"{following[0]}/" if following else None
    return Page(items=items, next_cursor=next_cursor)


@get("/cache/health", opt=ADMIN, responses=PROBLEMS, summary="Check the cache's health")
async def health(request: ApiRequest) -> CacheHealth:
    """``200`` also when the cache is down: requests are served without it."""
    began_s = time.perf_counter()
    try:
        entries = await request.core.cache.size(request.user.tenant)
    except Unavailable:
        return CacheHealth(status="down")
    return CacheHealth(status="up", round_trip_ms=round((time.perf_counter() - began_s) * 1000, 3), entries=cast("dict[str, int]", entries))


@delete("/cache/keys/{key:path}", opt=ADMIN, responses=PROBLEMS, summary="Invalidate a cache entry")
async def remove(request: ApiRequest, key: FromPath[str]) -> None:
    """By the key that the list shows. ``404`` when there is none; a computation in progress is not stored either."""
    scenario, name = _split_key(key.lstrip("/"), "key")
    there = await request.core.cache.invalidation.key(request.user.tenant, scenario, name)
    await record_audit(request, "cache.invalidate", target=f"{scenario}/{name}", detail={"by": "key"})
    if not there:
        raise Refused("not_found", "there is no such entry")


@post("/cache/invalidate", opt=ADMIN | RUNS_AGAIN, responses=PROBLEMS, status_code=HTTPStatus.OK, summary="Invalidate cache entries")
async def invalidate(request: ApiRequest, data: JSONBody[InvalidateRequest]) -> Response[Invalidated]:
    """By tag, scenario or prefix. Once this returns, no older entry is served."""

    async def make() -> Response[Any]:
        invalidation, tenant = request.core.cache.invalidation, request.user.tenant
        given = {name: value for name in ("scenario", "tag", "prefix") if (value := getattr(data, name)) is not None}
        if len(given) != 1:
            raise invalid_field("scenario", f"{len(given)} of scenario, tag and prefix were given", "exactly one of them")
        ((how, what),) = given.items()
        entries = None
        if how == "tag":
            await invalidation.tags(tenant, (what,))
        elif how == "scenario":
            await invalidation.scenario(tenant, _check_scenario(what, "scenario"))
        else:
            scenario, prefix = _split_key(what, "prefix")
            entries = await invalidation.prefix(tenant, scenario, prefix)
        await record_audit(request, "cache.invalidate", target=what, detail={"by": how})
        return json_response(Invalidated(entries=entries))

    return await run_idempotent(request, make)


@post("/cache/warmup", opt=ADMIN | RUNS_AGAIN, responses=PROBLEMS, status_code=HTTPStatus.ACCEPTED, summary="Start a cache warm-up")
async def warm(request: ApiRequest, data: JSONBody[WarmupRequest]) -> Response[WarmupView]:
    """From a list, or from the requests of the last hour. Its progress is at ``Location``."""

    async def make() -> Response[Any]:
        began = await warmup.begin(request, data)
        await record_audit(request, "cache.warm_up", target=data.scenario)
        return json_response(began, HTTPStatus.ACCEPTED, {"Location": f"/api/v1/cache/warmup/{began.id}"})

    return await run_idempotent(request, make)


@get("/cache/warmup/{warmup_id:str}", opt=ADMIN, responses=PROBLEMS, summary="Get the progress of a warm-up")
async def warmed(request: ApiRequest, warmup_id: FromPath[UUID]) -> WarmupView:
    """Available for an hour."""
    return await warmup.progress(request, str(warmup_id))


def _stats(name: str, counts: Counts, entries: int | None) -> ScenarioStats:
    rate = counts.hit_rate
    return ScenarioStats(
        name=name,
        hit_rate=None if rate is None else round(rate, 4),
        hit=counts.hit,
        miss=counts.miss,
        shared=counts.shared,
        refresh=counts.refresh,
        stored=counts.stored,
        too_large=counts.too_large,
        dropped=counts.dropped,
        entries=entries,
    )


def _check_scenario(name: str, field: str) -> Scenario:
    if name in TABLES:
        raise invalid_field(field, f"{name} is a record table, which its events keep up to date: it has no entries to invalidate")
    if name not in SCENARIOS:
        raise invalid_field(field, f"{name[:40]!r} is not a scenario", "one of " + ", ".join(SCENARIOS))
    return name


def _split_key(text: str, field: str) -> tuple[Scenario, str]:
    """The scenario and the rest of the text."""
    name, slash, rest = text.partition("/")
    if not slash:
        raise invalid_field(field, "does not begin with a scenario and a slash", "such as retrieval/")
    return _check_scenario(name, field), rest


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[stats, scenarios, keys, health, remove, invalidate, warm, warmed], tags=["cache"])
