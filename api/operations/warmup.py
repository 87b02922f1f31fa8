"""Cache warm-ups: likely requests are computed in advance, beside other requests, one warm-up of a tenant at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec
import structlog

from api.http.request import ApiRequest
from api.knowledge import index_requests
from api.operations.ports import OperationsPorts
from domain.retrieval import recent_use
from schemas import ids
from schemas.bodies.cache import WARM_ITEMS_MAX, WarmupRequest, WarmupView
from schemas.errors import ClawError, Refused, Unavailable
from schemas.requests import ListChunks, Search

RETENTION_S = 3_600  # how long its progress can be read
RUN_S_MAX = 300.0  # the rest is computed on its first request
SILENT_S_MAX = 30.0  # a running one without a report for so long has died with its process
CONCURRENCY = 4  # leaves room for requests of users
REPORT_EVERY = 10  # items between two reports
PAGE = 20  # of a document's chunks, as the API lists them by default
HOUR_MS = 3_600_000

Item = Callable[[], Awaitable[object]]

log = structlog.get_logger(__name__)


async def begin(request: ApiRequest, data: WarmupRequest) -> WarmupView:
    """Start one; Refused("warmup_running") while another one of the tenant runs, Unavailable while Redis is down."""
    ports, now = request.ports(OperationsPorts), request.core.clock.now()
    warmup_id = await request.new_id("warmup", request.user.tenant, request.user.account_id)
    began = WarmupView(id=warmup_id, scenario=data.scenario, state="running", started_at=now, updated_at=now)
    alone = await ports.core.redis.execute_command("SET", _lock_key(request), warmup_id, "NX", "EX", int(RUN_S_MAX + SILENT_S_MAX))
    if not alone:
        raise Refused("warmup_running")
    await _store_progress(request, began)
    ports.core.background.run(_run(request, data, began))
    return began


async def progress(request: ApiRequest, warmup_id: str) -> WarmupView:
    """The progress; Refused("not_found") for one of another tenant, or one that has expired."""
    raw: bytes | None = await request.core.redis.execute_command("GET", _progress_key(request, warmup_id))
    if raw is None:
        raise Refused("not_found", f"there is no warm-up {warmup_id}")
    view = msgspec.json.decode(raw, type=WarmupView)
    silent_s = (request.core.clock.now() - view.updated_at).total_seconds()
    return msgspec.structs.replace(view, state="failed") if view.state == "running" and silent_s > SILENT_S_MAX else view


async def _run(request: ApiRequest, data: WarmupRequest, view: WarmupView) -> None:
    try:
        async with asyncio.timeout(RUN_S_MAX):
            view = await _warm(request, data, view)
        state = msgspec.structs.replace(view, state="done")
    except (TimeoutError, ClawError) as error:
        log.warning("cache_warmup_failed", tenant=request.user.tenant, scenario=data.scenario, error=str(error))
        state = msgspec.structs.replace(view, state="failed")
    try:
        await _store_progress(request, state)
        await request.core.redis.execute_command("DEL", _lock_key(request))
    except Unavailable:
        return  # both expire


async def _warm(request: ApiRequest, data: WarmupRequest, view: WarmupView) -> WarmupView:
    work = await _work_items(request, data)
    view = msgspec.structs.replace(view, total=len(work))
    await _store_progress(request, view)
    for begin in range(0, len(work), CONCURRENCY):
        outcomes = await asyncio.gather(*(_try_item(item) for item in work[begin : begin + CONCURRENCY]))
        view = msgspec.structs.replace(view, done=view.done + sum(outcomes), failed=view.failed + outcomes.count(False))
        if begin % (REPORT_EVERY * CONCURRENCY) == 0:
            await _store_progress(request, view)
    return view


async def _try_item(item: Item) -> bool:
    try:
        await item()
    except ClawError:
        return False
    return True


async def _work_items(request: ApiRequest, data: WarmupRequest) -> Sequence[Item]:
    kafka, tenant = request.core.settings.kafka, request.user.tenant
    since_ms = int(request.core.clock.now().timestamp() * 1000) - HOUR_MS
    if data.scenario == "retrieval":
        asks = [Search(query=each.query, knowledge_base_ids=each.knowledge_base_ids, limit=each.limit) for each in data.searches]
        asks = asks or await recent_use.searches(kafka, tenant, since_ms, WARM_ITEMS_MAX)
        return [partial(index_requests.find_passages, request, ask) for ask in asks]
    wanted = [(each.knowledge_base_id, each.document_id) for each in data.documents]
    wanted = wanted or await recent_use.documents(kafka, tenant, since_ms, WARM_ITEMS_MAX)
    return [partial(_load_first_page, request, base_id, document_id) for base_id, document_id in wanted]


async def _load_first_page(request: ApiRequest, base_id: str, document_id: str) -> None:
    key = ids.document_key(request.user.tenant, base_id, document_id)
    version = (await request.core.visibility.version_states((key,)))[key].visible_version
    if version is None:
        raise Refused("not_found", f"there is no document {document_id}")
    await index_requests.list_chunks(
        request, ListChunks(knowledge_base_id=base_id, document_id=document_id, version=version, first=0, limit=PAGE)
    )


async def _store_progress(request: ApiRequest, view: WarmupView) -> None:
    reported = msgspec.structs.replace(view, updated_at=request.core.clock.now())
    await request.core.redis.execute_command("SET", _progress_key(request, view.id), msgspec.json.encode(reported), "EX", RETENTION_S)


def _lock_key(request: ApiRequest) -> str:
    return f"{request.core.settings.redis.key_prefix}:cache-warmup:{{{request.user.tenant}}}"


def _progress_key(request: ApiRequest, warmup_id: str) -> str:
    return f"{_lock_key(request)}:{warmup_id}"
