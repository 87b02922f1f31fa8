"""Sessions: their record tables, and the rotation of their refresh tokens as pure functions.

A session has one refresh token at a time, of its generation. Using it makes the next one. The token before the newest is accepted for a few
seconds more and leads to the same successor, as long as that was not used itself: two tabs that refresh at the same moment both go on.
Any other token was used before, so somebody has a copy: the session ends for both.
"""

from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from domain.accounts.topics import SESSIONS_CHANGED
from schemas.sessions import SessionChanged, SessionEnd, SessionKind, SessionRecord
from schemas.settings import AuthSettings
from schemas.settings.auth import SESSION_TTL_S_MAX
from streams.tables.projection import Record, rank_of

USER_AGENT_CHARS_MAX = 120

RefreshVerdict = Literal["rotate", "repeat", "reuse", "expired", "ended"]

SESSIONS = Record(
    table="sessions",
    topic=SESSIONS_CHANGED,
    event=SessionChanged,
    type=SessionRecord,
    scope=lambda event: event.data.id,
    gone=lambda event: event.data.ended_at is not None,
    rank=lambda _event, _offset: 0.0,
    retention_s=SESSION_TTL_S_MAX,
)
ACCOUNT_SESSIONS = Record(
    table="account_sessions",
    topic=SESSIONS_CHANGED,
    event=SessionChanged,
    type=SessionRecord,
    scope=lambda event: event.data.account_id,
    gone=lambda event: event.data.ended_at is not None,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    retention_s=SESSION_TTL_S_MAX,
)


def sessions_lease(account_id: str) -> str:
    """The lease to hold while sessions or the password of an account change: what ends all of them misses none that begins meanwhile."""
    return f"sessions/{account_id}"


def begin_session(
    session_id: str, *, tenant: str, account_id: str, kind: SessionKind, user_agent: str, network: str, now: datetime, auth: AuthSettings
) -> SessionRecord:
    """A session that begins now."""
    return SessionRecord(
        id=session_id,
        tenant=tenant,
        account_id=account_id,
        kind=kind,
        created_at=now,
        expires_at=now + timedelta(seconds=auth.session_ttl_s),
        rotated_at=now,
        user_agent=_shorten(user_agent),
        network=network,
    )


def is_expired(session: SessionRecord, now: datetime, auth: AuthSettings) -> bool:
    """Whether the session is over without anybody having ended it: at its absolute end, or when it was not refreshed for too long."""
    return now >= session.expires_at or now >= session.rotated_at + timedelta(seconds=auth.refresh_ttl_s)


def judge_refresh(session: SessionRecord, generation: int, now: datetime, auth: AuthSettings) -> RefreshVerdict:
    """What becomes of a refresh token of this generation whose signature is right.

    ``rotate``: it makes the next one; ``repeat``: the newest one is given again; ``reuse``: it was used before, or never issued.
    """
    if session.ended_at is not None:
        return "ended"
    if is_expired(session, now, auth):
        return "expired"
    if generation == session.generation:
        return "rotate"
    if generation == session.generation - 1 and now - session.rotated_at <= timedelta(seconds=auth.refresh_grace_s):
        return "repeat"
    return "reuse"


def rotate_session(session: SessionRecord, now: datetime) -> SessionRecord:
    """The session with its next refresh token."""
    return replace(session, generation=session.generation + 1, rotated_at=now, revision=session.revision + 1)


def end_session(session: SessionRecord, reason: SessionEnd, now: datetime) -> SessionRecord:
    """The session as it has ended; who and where it was is of no use any more."""
    return replace(session, ended_at=now, end_reason=reason, user_agent="", network="", revision=session.revision + 1)


def _shorten(user_agent: str) -> str:
    """What is printable of it, up to 120 characters: its owner reads it in a list."""
    return "".join(sign for sign in user_agent[: 4 * USER_AGENT_CHARS_MAX] if sign.isprintable())[:USER_AGENT_CHARS_MAX].strip()
