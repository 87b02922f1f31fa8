"""Refresh tokens: each is used once and leads to the next; see ``domain.accounts.sessions`` for what becomes of one that is used again."""

from datetime import datetime
from http import HTTPStatus

from litestar import Response, Router, post
from litestar.params import JSONBody

from adapters.secrets.session_tokens import PresentedToken, parse_refresh
from api.accounts.ports import AccountPorts
from api.accounts.session_writes import session_response, write_sessions
from api.http.audit import audit_event
from api.http.gate import PUBLIC
from api.http.identity import caller_of
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from domain.accounts.errors import REFRESH_TOKEN_INVALID, SESSION_ENDED, SESSION_REUSED
from domain.accounts.sessions import RefreshVerdict, end_session, judge_refresh, rotate_session, sessions_lease
from schemas.bodies.auth import PageSession, Refresh, Session
from schemas.errors import Refused
from schemas.limits import Rule
from schemas.records import Account
from schemas.sessions import SessionRecord

# Every refresh is an event: clients need one an hour. Only a genuine token spends it, so nobody else can use it up.
REFRESH_PER_SESSION = Rule(name="refresh", rate=30, burst=60, scope="user")


@post("/auth/refresh", opt=PUBLIC | RUNS_AGAIN, responses=PROBLEMS, security=[{}], status_code=HTTPStatus.OK, summary="Refresh a session")
async def refresh(request: ApiRequest, data: JSONBody[Refresh]) -> Response[Session | PageSession]:
    """New tokens of the session. The refresh token that was sent leads to the same successor for a few seconds more; used again after that
    it ends the session: ``401 session_reused``. With ``cookie`` no CSRF token is needed, but a page of a foreign origin is refused.
    """
    token, core = _read_token(request, data), request.core
    session = await _find_session(request, token)
    await request.http.limiting.spend([(REFRESH_PER_SESSION, session.id)])
    async with core.records.lease(sessions_lease(session.account_id)):
        session = await _find_session(request, token)
        if session.kind != ("cookie" if data.cookie else "token"):
            raise Refused(REFRESH_TOKEN_INVALID)  # a token in a cookie never comes into the hands of a script, nor the other way round
        account = await core.read_models.accounts.get(session.account_id, session.account_id)
        if account is None or account.disabled:
            raise Refused("unauthenticated", "this account is not active")
        now = core.clock.now()
        verdict = judge_refresh(session, token.generation, now, core.settings.auth)
        core.metrics.refreshes.labels(verdict).inc()
        session = await _apply_verdict(request, account, session, verdict, now)
    return session_response(request, account, session)


async def _apply_verdict(
    request: ApiRequest, account: Account, session: SessionRecord, verdict: RefreshVerdict, now: datetime
) -> SessionRecord:
    """The session whose newest tokens are issued; raises the refusal."""
    caller = caller_of(account)
    if verdict == "repeat":
        return session
    if verdict == "rotate":
        rotated = rotate_session(session, now)
        await write_sessions(request, caller, rotated)
        return rotated
    if verdict == "reuse":
        entry = await audit_event(request, "session.reuse", outcome="refused", caller=caller, target=session.id)
        await write_sessions(request, caller, end_session(session, "reuse", now), entries=[entry])
        raise Refused(SESSION_REUSED)
    raise Refused(SESSION_ENDED)


def _read_token(request: ApiRequest, data: Refresh) -> PresentedToken:
    """The token of the body or the cookie; Refused for what is none."""
    if data.cookie:
        request.http.pages.check_origin(request.scope)
    token = parse_refresh(request.http.pages.refresh_token(request.scope) if data.cookie else data.refresh_token)
    if token is None:
        raise Refused(REFRESH_TOKEN_INVALID)
    return token


async def _find_session(request: ApiRequest, token: PresentedToken) -> SessionRecord:
    """The session that the token was issued in, as it is now; Refused when it has ended, or the token is not genuine."""
    session = await request.core.read_models.sessions.get(token.session_id, token.session_id)
    if session is None:
        raise Refused(SESSION_ENDED)
    if not request.ports(AccountPorts).session_tokens.is_genuine(token, session.created_at, request.core.clock.now()):
        raise Refused(REFRESH_TOKEN_INVALID)
    return session


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[refresh], tags=["auth"])
