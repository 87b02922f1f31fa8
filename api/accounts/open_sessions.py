"""The sessions of an account: listed, and ended one by one or all at once. What is ended is refused everywhere within a second."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from litestar import Router, delete, get, post
from litestar.params import FromPath, QueryParameter

from api.accounts.session_writes import end_sessions, user_view, write_sessions
from api.http.audit import audit_event
from api.http.gate import PERSON, UNVERIFIED
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from domain.accounts.errors import SESSION_ENDED
from domain.accounts.sessions import end_session, is_expired, sessions_lease
from schemas.bodies.auth import CurrentSession, SessionView
from schemas.bodies.pages import Page
from schemas.errors import Refused
from schemas.sessions import SessionEnd

KeepCurrent = Annotated[bool, QueryParameter(description="Whether the session of this request goes on.")]


@get("/auth/session", opt=PERSON | UNVERIFIED, responses=PROBLEMS, summary="Get the current session")
async def current(request: ApiRequest) -> CurrentSession:
    """The session of the request, and for a page its CSRF token."""
    caller, models = request.user, request.core.read_models
    session = await models.sessions.get(caller.session_id, caller.session_id) if caller.session_id else None
    account = await models.accounts.get(caller.account_id, caller.account_id)
    if session is None or account is None:
        raise Refused(SESSION_ENDED, "this access token is of no session; it ends by itself")
    return CurrentSession(
        session=SessionView.of(session, session.id),
        csrf_token=request.http.pages.csrf_token(session.id) if session.kind == "cookie" else None,
        user=user_view(account),
    )


@get("/auth/sessions", opt=PERSON | UNVERIFIED, responses=PROBLEMS, summary="List sessions, the newest first")
async def list_(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[SessionView]:
    """Those that have neither ended nor expired."""
    caller, core = request.user, request.core
    page = await core.read_models.account_sessions.list(caller.account_id, limit=limit, cursor=cursor)
    now = core.clock.now()
    open_ones = [session for session in page.items if not is_expired(session, now, core.settings.auth)]
    return Page(items=tuple(SessionView.of(each, caller.session_id) for each in open_ones), next_cursor=page.next_cursor or None)


@delete("/auth/sessions/{session_id:str}", opt=PERSON | UNVERIFIED, responses=PROBLEMS, summary="End a session")
async def end(request: ApiRequest, session_id: FromPath[UUID]) -> None:
    """Its tokens are refused everywhere within a second."""
    await _end_one(request, str(session_id), "revoked")


@delete("/auth/sessions", opt=PERSON | UNVERIFIED, responses=PROBLEMS, summary="End all sessions")
async def end_all(request: ApiRequest, *, keep_current: KeepCurrent = False) -> None:
    """Log out everywhere, or everywhere else with ``keep_current``. API keys go on."""
    caller = request.user
    async with request.core.records.lease(sessions_lease(caller.account_id)):
        entry = await audit_event(request, "session.end", target="all", detail={"but": caller.session_id if keep_current else ""})
        await end_sessions(request, caller, "revoked", but=caller.session_id if keep_current else "", entries=[entry])
    if not keep_current:
        request.http.pages.clear_cookies(request.scope)


@post("/auth/logout", opt=PERSON | UNVERIFIED | RUNS_AGAIN, responses=PROBLEMS, status_code=HTTPStatus.NO_CONTENT, summary="Log out")
async def log_out(request: ApiRequest) -> None:
    """End the session of this request."""
    await _end_one(request, request.user.session_id, "logout")
    request.http.pages.clear_cookies(request.scope)


async def _end_one(request: ApiRequest, session_id: str, reason: SessionEnd) -> None:
    caller, core = request.user, request.core
    async with core.records.lease(sessions_lease(caller.account_id)):
        session = await core.read_models.account_sessions.get(caller.account_id, session_id) if session_id else None
        if session is None:
            raise Refused("not_found", f"there is no session {session_id}" if session_id else "this access token is of no session")
        entry = await audit_event(request, "session.end", target=session_id, detail={"reason": reason})
        await write_sessions(request, caller, end_session(session, reason, core.clock.now()), entries=[entry])


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[current, list_, end, end_all, log_out], tags=["auth"])
