"""Sessions as the routes write them: begun at a login, rotated, ended; and the responses with their tokens."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from litestar import Response
from msgspec.structs import replace

from api.accounts.ports import AccountPorts
from api.http.audit import audit_event
from api.http.gate import address_of
from api.http.identity import Caller, caller_of
from api.http.request import ApiRequest
from api.http.responses import json_response
from domain.accounts.records import find_password
from domain.accounts.registration import default_base_of
from domain.accounts.sessions import begin_session, end_session, is_expired, sessions_lease
from domain.accounts.topics import SESSIONS_CHANGED
from domain.limits.rules import network_of
from schemas import ids
from schemas.bodies.auth import PageSession, Session, User
from schemas.errors import Refused
from schemas.records import Account, Credential
from schemas.sessions import SessionChanged, SessionEnd, SessionKind, SessionRecord
from streams.log.outgoing import Outgoing
from streams.tables.record_table import PAGE_MAX


async def open_session(request: ApiRequest, account: Account, kind: SessionKind, password: Credential | None) -> SessionRecord:
    """A session of somebody who has proven to be the account's owner by ``password``, None without one.

    A repeat with the same ``Idempotency-Key`` gets the same session while it lasts. Raises Refused("login_failed") when the password was
    changed meanwhile, Unavailable while the log or Redis is down.
    """
    core, models = request.core, request.core.read_models
    async with core.records.lease(sessions_lease(account.id)):
        if await find_password(models, account.id) != password:  # whoever changed it ended every session but this one
            raise Refused("login_failed")
        session_id, now = await request.new_id("session", account.tenant, account.id), core.clock.now()
        if request.idempotency_key is not None:
            present = await models.sessions.get(session_id, session_id)
            if present is not None and present.kind == kind and not is_expired(present, now, core.settings.auth):
                return present
            if present is not None or await models.sessions.is_deleted(session_id, session_id):
                session_id = ids.random_id(core.random_bytes)
        session = begin_session(
            session_id,
            tenant=account.tenant,
            account_id=account.id,
            kind=kind,
            user_agent=request.headers.get("user-agent", ""),
            network=network_of(address_of(request.scope)),
            now=now,
            auth=core.settings.auth,
        )
        surplus = [end_session(each, "replaced", now) for each in await _find_surplus(request, account.id)]
        caller = caller_of(account)
        entry = await audit_event(request, "session.create", caller=caller, target=session.id, detail={"kind": kind})
        await write_sessions(request, caller, session, *surplus, entries=[entry])
    return session


async def end_sessions(request: ApiRequest, caller: Caller, reason: SessionEnd, *, but: str = "", entries: Sequence[Outgoing] = ()) -> None:
    """End every session of the caller's account, except the one with the id ``but``; hold ``sessions_lease``."""
    page = await request.core.read_models.account_sessions.list(caller.account_id, limit=PAGE_MAX)
    now = request.core.clock.now()
    await write_sessions(request, caller, *(end_session(each, reason, now) for each in page.items if each.id != but), entries=entries)


async def write_sessions(request: ApiRequest, caller: Caller, *sessions: SessionRecord, entries: Sequence[Outgoing] = ()) -> None:
    """Publish these states with ``entries`` of the audit log, and make them readable.

    Sessions that have ended are refused here at once, elsewhere within a second.
    """
    await request.core.records.change(*[await session_change(request, caller, each) for each in sessions], *entries)
    for each in sessions:
        if each.ended_at is not None:
            request.http.identities.refuse_session(each.id)


async def session_change(request: ApiRequest, caller: Caller, session: SessionRecord) -> Outgoing:
    """The event of this state of a session."""
    event: Any = await request.event(SessionChanged, session.id, session, caller)
    return Outgoing(SESSIONS_CHANGED, replace(event, id=ids.derive("session", session.id, session.revision)))


def session_response(
    request: ApiRequest, account: Account, session: SessionRecord, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response[Any]:
    """New tokens of the session: in the body, or in the cookies of a page."""
    issued, user = _issue(request, account, session), user_view(account)
    if session.kind == "token":
        body: Session | PageSession = Session(
            access_token=issued.access_token,
            expires_in=issued.access_s,
            refresh_token=issued.refresh_token,
            refresh_expires_in=issued.refresh_s,
            session_id=session.id,
            user=user,
        )
    else:
        request.http.pages.set_cookies(request.scope, **issued._asdict())
        body = PageSession(
            csrf_token=request.http.pages.csrf_token(session.id),
            expires_in=issued.access_s,
            refresh_expires_in=issued.refresh_s,
            session_id=session.id,
            user=user,
        )
    return json_response(body, status, headers)


class IssuedTokens(NamedTuple):
    """The tokens of a session, and the seconds that each is valid for."""

    access_token: str
    access_s: int
    refresh_token: str
    refresh_s: int


def _issue(request: ApiRequest, account: Account, session: SessionRecord) -> IssuedTokens:
    ports, now = request.ports(AccountPorts), request.core.clock.now()
    access_token, access_s = ports.http.tokens.issue(account, now, session)
    refresh_token = ports.session_tokens.refresh(session.id, session.generation, session.created_at)
    refresh_s = max(1, min(ports.core.settings.auth.refresh_ttl_s, int((session.expires_at - now).total_seconds())))
    return IssuedTokens(access_token, access_s, refresh_token, refresh_s)


def set_cookies(request: ApiRequest, account: Account, session: SessionRecord) -> None:
    """New tokens of the session in the cookies of a page."""
    request.http.pages.set_cookies(request.scope, **_issue(request, account, session)._asdict())


def session_kind(request: ApiRequest, *, cookie: bool) -> SessionKind:
    """The kind of session that the request asks for; Refused("origin_refused") for a foreign page that asks for cookies."""
    if not cookie:
        return "token"
    request.http.pages.check_origin(request.scope)  # else a foreign page could log its visitors in as somebody else
    return "cookie"


def user_view(account: Account) -> User:
    """The account as its owner sees it."""
    return User.of(account, default_base_of(account))


async def _find_surplus(request: ApiRequest, account_id: str) -> Sequence[SessionRecord]:
    """The sessions to end so that one more is allowed: those unused for longest."""
    table, most = request.core.read_models.account_sessions, request.core.settings.auth.sessions_max
    if await table.count(account_id) < most:
        return ()
    by_use = sorted((await table.list(account_id, limit=PAGE_MAX)).items, key=lambda session: session.rotated_at)
    return by_use[: max(0, len(by_use) - most + 1)]
