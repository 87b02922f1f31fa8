"""The caller's notices: what is new, what was read, and which kinds arrive by which channel."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from api.http.gate import PERSON
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS, Cursor, Limit, event_stream
from api.http.request import ApiRequest
from api.http.responses import etag, json_response, map_page, require_match, run_idempotent
from api.http.sse import EventStream
from api.http.watch import watch
from api.notices.ports import NoticePorts
from api.notices.watch import WatchedNotices, view_notice
from domain.notices.notices import notice_key
from domain.notices.texts import DEFAULT_CHANNELS, channels_of
from domain.notices.topics import NOTICE_PREFERENCES_CHANGED, NOTICES_CHANGED
from schemas.bodies.notices import NoticePreferencesPut, NoticePreferencesView, NoticesRead, NoticeView, UnreadCount
from schemas.bodies.pages import Page
from schemas.bodies.streams import NOTICE_EVENTS
from schemas.errors import Refused
from schemas.notices import Language, Notice, NoticeChanged, NoticePreferences, NoticePreferencesChanged
from streams.log.outgoing import Outgoing

READ_BATCH = 200  # notices marked as read in one publish
READ_MAX = 10_000  # of one request

Unread = Annotated[bool, QueryParameter(description="Only those that were not read.")]

EVENTS = event_stream(
    "An event stream: first a `snapshot` (the unread count and the newest notices), then a `notice` for each that is created or read; "
    "another `snapshot` in place of notices that were missed, and after every reconnect.",
    NOTICE_EVENTS,
)


@get("/notices", opt=PERSON, responses=PROBLEMS, summary="List notices, the newest first")
async def list_(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "", unread: Unread = False) -> Page[NoticeView]:  # noqa: FBT002
    """Those of the last 90 days, in the language of the preferences, else of ``Accept-Language``."""
    ports = request.ports(NoticePorts)
    language = await _language(request)
    page = await (ports.unread if unread else ports.notices).list(request.user.account_id, limit=limit, cursor=cursor)
    return map_page(page, lambda notice: view_notice(notice, language))


@get("/notices/unread", opt=PERSON, responses=PROBLEMS, summary="Count unread notices")
async def count_unread(request: ApiRequest) -> UnreadCount:
    """The number for a badge."""
    return UnreadCount(await request.ports(NoticePorts).unread.count(request.user.account_id))


@get("/notices/stream", opt=PERSON, responses={**PROBLEMS, 200: EVENTS}, summary="Follow notices")
async def stream(request: ApiRequest) -> Response[None]:
    """Every notice as it is created, and when it is read elsewhere."""
    ports = request.ports(NoticePorts)
    await request.take_stream()
    watched = WatchedNotices(ports.notices, ports.unread, request.user.account_id, await _language(request))
    return EventStream(watch(ports.watch, watched, request.core.clock, request.http.streams))


@post(
    "/notices/{notice_id:str}/read",
    opt=PERSON | RUNS_AGAIN,
    status_code=HTTPStatus.OK,
    responses=PROBLEMS,
    summary="Mark a notice as read",
)
async def read(request: ApiRequest, notice_id: FromPath[UUID]) -> Response[NoticeView]:
    """A repeat changes nothing."""

    async def make() -> Response[Any]:
        notice = await request.ports(NoticePorts).notices.get(request.user.account_id, str(notice_id))
        if notice is None:
            raise Refused("not_found", f"there is no notice {notice_id}")
        if notice.read_at is None:
            (notice,) = await _mark_read(request, (notice,))
        return json_response(view_notice(notice, await _language(request)))

    return await run_idempotent(request, make)


@post("/notices/read", opt=PERSON | RUNS_AGAIN, status_code=HTTPStatus.OK, responses=PROBLEMS, summary="Mark all notices as read")
async def read_all(request: ApiRequest) -> Response[NoticesRead]:
    """Those that exist when the request arrives, at most 10,000."""

    async def make() -> Response[Any]:
        ports, count = request.ports(NoticePorts), 0
        while count < READ_MAX:
            page = await ports.unread.list(request.user.account_id, limit=READ_BATCH)
            if not page.items:
                break
            count += len(await _mark_read(request, tuple(page.items)))
        return json_response(NoticesRead(count))

    return await run_idempotent(request, make)


@get("/notices/preferences", opt=PERSON, responses=PROBLEMS, summary="Get the preferences of notices")
async def preferences(request: ApiRequest) -> Response[NoticePreferencesView]:
    """With their ETag."""
    return _preferences_response(await _preferences(request))


@put("/notices/preferences", opt=PERSON, responses=PROBLEMS, summary="Set the preferences of notices")
async def set_preferences(request: ApiRequest, data: JSONBody[NoticePreferencesPut]) -> Response[NoticePreferencesView]:
    """Which kinds arrive in the product and by mail, and in which language. They hold for notices that are created from now on."""
    caller = request.user
    async with request.core.records.lease(f"notice-preferences/{caller.account_id}"):
        present = await _preferences(request)
        require_match(request, present.revision)
        channels = {str(kind): tuple(dict.fromkeys(chosen)) for kind, chosen in data.channels.items()}
        changed = msgspec.structs.replace(present, language=data.language, channels=channels, revision=present.revision + 1)
        event = await request.event(NoticePreferencesChanged, changed.id, changed)
        await request.core.records.change(Outgoing(NOTICE_PREFERENCES_CHANGED, event))
    return _preferences_response(changed)


async def _mark_read(request: ApiRequest, notices: tuple[Notice, ...]) -> tuple[Notice, ...]:
    now = request.core.clock.now()
    changed = tuple(msgspec.structs.replace(notice, read_at=now) for notice in notices)
    events = [await request.event(NoticeChanged, notice.id, notice) for notice in changed]
    outgoing = [Outgoing(NOTICES_CHANGED, event, key=notice_key(notice)) for event, notice in zip(events, changed, strict=True)]
    await request.core.records.change(*outgoing)
    return changed


async def _preferences(request: ApiRequest) -> NoticePreferences:
    caller = request.user
    present = await request.ports(NoticePorts).preferences.get(caller.account_id, caller.account_id)
    return present or NoticePreferences(id=caller.account_id, tenant=caller.tenant, revision=0)


async def _language(request: ApiRequest) -> Language:
    """As the account chose, else the first language that the request asks for."""
    chosen = (await _preferences(request)).language
    accepted = request.headers.get("accept-language", "")[:200].strip().lower()
    return chosen or ("zh" if accepted.startswith("zh") else "en")


def _preferences_response(present: NoticePreferences) -> Response[NoticePreferencesView]:
    channels = {str(kind): channels_of(present, kind) for kind in DEFAULT_CHANNELS}
    view = NoticePreferencesView(language=present.language, channels=channels)
    return json_response(view, headers={"ETag": etag(present.revision)})


def router() -> Router:
    """The routes of this module."""
    handlers = [list_, count_unread, stream, read, read_all, preferences, set_preferences]
    return Router("", route_handlers=handlers, tags=["notices"])
