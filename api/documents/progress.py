"""The progress of a knowledge base's documents as an event stream: how things stand, then every step as it happens."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import msgspec
import structlog
from litestar import Response, Router, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from api.chats.replies import check_stream_capacity
from api.documents.watch import ProgressUpdate, Subscriber
from api.http.access import find_knowledge_base
from api.http.gate import KNOWLEDGE_READ
from api.http.identity import Caller
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.sse import EventStream, event_frame
from api.ports import Ports
from domain.chats.relay import HEARTBEAT, ReplyFrame
from schemas.bodies.progress import ProgressSnapshot, ProgressView
from schemas.documents import Progress, State
from schemas.errors import Refused, Unavailable

HEARTBEAT_S = 10.0
STREAM_S_MAX = 3_600.0  # then the client comes back, with a credential that is still good
SNAPSHOT_PAUSE_S = 1.0  # between two snapshots of one stream
SCAN_PAGE, SCAN_MAX = 1_000, 5_000  # documents a snapshot counts, the newest first
OPEN_MAX = 500  # documents a snapshot tells of one by one
FINAL_STATES: frozenset[State] = frozenset({"indexed", "unchanged", "failed", "deleted"})

EVENTS = ResponseSpec(
    data_container=str,
    description=(
        "An event stream: first a `snapshot` (open documents, counts by state), then a `progress` for every step of a document; another "
        "`snapshot` in place of steps that were missed, and after every reconnect. `failed` when the knowledge base is not yours any more."
    ),
    generate_examples=False,
    media_type="text/event-stream",
)

log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


@get(
    "/knowledge/{knowledge_base_id:str}/events",
    opt=KNOWLEDGE_READ,
    responses={**PROBLEMS, 200: EVENTS},
    summary="Follow the progress of documents",
)
async def events(request: ApiRequest, knowledge_base_id: FromPath[UUID]) -> Response[None]:
    """How far every document has come, with percentage and estimated wait, as it happens."""
    check_stream_capacity(request.ports)
    base = await find_knowledge_base(request.ports, request.user, str(knowledge_base_id))
    return EventStream(_watch(request.ports, request.user, base.id))


async def _watch(ports: Ports, caller: Caller, base_id: str) -> AsyncGenerator[ReplyFrame, None]:
    ports.running.streams += 1
    ports.metrics.streams_open.set(ports.running.streams)
    try:
        async with (
            ports.spectators.subscribe(caller.tenant, base_id) as spectator,
            aclosing(_frames(ports, caller, base_id, spectator)) as frames,
        ):
            async for frame in frames:
                yield frame
    except Refused as refusal:  # the head of the response is out: the stream itself has to say it
        yield event_frame("failed", _clock_id(ports), _encode(refusal.problem()))
    finally:
        ports.running.streams -= 1
        ports.metrics.streams_open.set(ports.running.streams)


async def _frames(ports: Ports, caller: Caller, base_id: str, spectator: Subscriber) -> AsyncGenerator[ReplyFrame, None]:
    began_s = looked_s = ports.clock.monotonic_s()
    next_s = began_s  # no snapshot before
    while not spectator.gone and (now_s := ports.clock.monotonic_s()) - began_s < STREAM_S_MAX:
        if now_s - looked_s >= HEARTBEAT_S:
            looked_s = now_s
            await _check_access(ports, caller, base_id)
        if spectator.stale:
            await asyncio.sleep(max(0.0, next_s - now_s))
            next_s = ports.clock.monotonic_s() + SNAPSHOT_PAUSE_S
            yield await _snapshot(ports, caller.tenant, base_id, spectator) or HEARTBEAT
            continue
        news = await spectator.next_updates(HEARTBEAT_S)
        for each in news:
            yield await _step(ports, each)
        if not (news or spectator.stale):
            yield HEARTBEAT


async def _check_access(ports: Ports, caller: Caller, base_id: str) -> None:
    """Raises Refused when sharing has ended or the knowledge base is gone."""
    try:
        await find_knowledge_base(ports, caller, base_id)
    except Unavailable:
        return  # nobody can tell; the next look will


async def _snapshot(ports: Ports, tenant: str, base_id: str, spectator: Subscriber) -> ReplyFrame | None:
    """How things stand; None while Redis cannot say. From here on ``spectator`` is told every step."""
    await ports.spectators.catch_up()
    try:
        known, total = await _documents(ports, tenant, base_id)
    except Unavailable as error:
        log.warning("snapshot_not_made", cause=str(error))
        return None
    complete = total <= len(known)  # of the tables
    ports.spectators.apply_recent(tenant, base_id, known)
    spectator.mark_current()
    present = [progress for progress in known.values() if progress.state != "deleted"]
    pending = sorted((each for each in present if each.state not in FINAL_STATES), key=lambda each: each.version, reverse=True)
    snapshot = ProgressSnapshot(
        knowledge_base_id=base_id,
        documents=len(present) if complete else max(total, len(present)),
        counts=dict(Counter(progress.state for progress in present)),
        complete=complete,
        open=tuple([await _view(ports, progress) for progress in pending[:OPEN_MAX]]),
    )
    return event_frame("snapshot", _clock_id(ports), _encode(snapshot))


async def _documents(ports: Ports, tenant: str, base_id: str) -> tuple[dict[str, Progress], int]:
    """The newest documents as the tables have them, and how many there are."""
    scope, cursor = f"{tenant}/{base_id}", ""
    known: dict[str, Progress] = {}
    total = await ports.views.documents.count(scope)
    while len(known) < SCAN_MAX:
        page = await ports.views.documents.list(scope, limit=SCAN_PAGE, cursor=cursor)
        known.update((progress.document_id, progress) for progress in page.items)
        cursor = page.next_cursor
        if not cursor:
            return known, len(known)
    return known, max(total, len(known) + 1)


async def _step(ports: Ports, news: ProgressUpdate) -> ReplyFrame:
    return event_frame("progress", f"{news.partition}.{news.offset}", _encode(await _view(ports, news.progress)))


async def _view(ports: Ports, progress: Progress) -> ProgressView:
    return ProgressView.of(progress, await ports.estimates.open_document_wait_s(progress.lane, progress.state))


def _clock_id(ports: Ports) -> str:
    """Id of what has no place on the log; whatever a client resumes from, it gets a snapshot."""
    return f"at.{int(ports.clock.now().timestamp() * 1000)}"


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[events], tags=["documents"])
