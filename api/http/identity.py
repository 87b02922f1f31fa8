"""Authentication: an access token or an API key in the Authorization header, or an access token in the cookie of a page; never in URLs."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from adapters.secrets.tokens import AccessTokens
from api.http.recent import Recent
from domain.accounts.address_ranges import is_within
from domain.accounts.errors import ADDRESS_NOT_ALLOWED, SESSION_ENDED
from domain.accounts.key_text import PREFIX as KEY_PREFIX
from domain.accounts.key_text import key_hash, split_key
from domain.limits.client_address import UNKNOWN
from domain.read_models import ReadModels
from domain.widgets.errors import WIDGET_KEY_NEEDED, WIDGET_KEY_REFUSED, WIDGET_ORIGIN_REFUSED
from schemas import ids
from schemas.errors import Code, Refused, Unavailable
from schemas.records import ROLES, Account, AccountRole, AnswerMode, Credential, Scope, Tier
from schemas.widgets import WidgetAccess
from streams.clock import Clock

FRESH_S = 1.0  # a revoked key, an ended session or a disabled account is refused within this
STALE_S = 900.0  # how long a caller seen here stays authenticated while Redis is down
CALLERS_MAX = 20_000
CREDENTIAL_CHARS_MAX = 4_096  # of the header: our tokens have some 300
ORIGIN_CHARS_MAX = 200  # in a refusal
NOT_VALID = "the API key is unknown or revoked"

SessionState = Literal["open", "ended"]


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind a request. ``scopes`` is None for an access token, which has all rights of the account; ``key_id`` is the id of an
    API key, "" for an access token; ``mode`` is that of the key, None when it has none; ``session_id`` is "" for a key, and for an access
    token of a release without sessions. ``widget``: somebody in front of a page that has a widget's key, and not the account itself.
    """

    account_id: str
    tenant: str
    role: AccountRole
    tier: Tier
    scopes: frozenset[Scope] | None = None
    key_id: str = ""
    expires_at: datetime | None = None  # of the credential; None when it has no end
    mode: AnswerMode | None = None
    session_id: str = ""
    verified: bool = True  # also while Redis is down and nobody can say
    widget: WidgetAccess | None = None

    def has_role(self, role: AccountRole) -> bool:
        """Whether the account has this role or a higher one."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, scope: Scope) -> None:
        """Refused("forbidden") unless the credential has ``scope``."""
        if self.scopes is not None and scope not in self.scopes:
            raise Refused("forbidden", f"this API key lacks the scope {scope}")


class KeyMisused(Refused):
    """A valid API key came from where, or for what, it may not be used: somebody may have a copy of it."""

    def __init__(self, caller: Caller, code: Code, detail: str = "") -> None:
        super().__init__(code, detail)
        self.caller = caller


class Identities:
    """Authenticates an Authorization header as a Caller. ``used`` hears of every use of an API key."""

    def __init__(
        self, tokens: AccessTokens, views: ReadModels, clock: Clock, used: Callable[[Credential], object] = lambda _credential: None
    ) -> None:
        self._tokens, self._used = tokens, used
        self._views = views
        self._clock = clock
        self._keys: Recent[str, Credential] = Recent(CALLERS_MAX)
        self._accounts: Recent[str, Account] = Recent(CALLERS_MAX)
        self._sessions: Recent[str, SessionState] = Recent(CALLERS_MAX)

    async def authenticate(self, authorization: str, address: str = UNKNOWN) -> Caller:
        """The caller, whose client has this ``address``. While Redis is down callers seen lately, and valid access tokens, stay
        authenticated.

        Raises Refused: "unauthenticated", "api_key_malformed", "address_not_allowed" for a key with other address ranges, or
        "widget_key_refused" for the key of a widget, which is no secret.
        """
        caller = await self._identify(authorization, address)
        if caller.widget is not None:
            raise KeyMisused(caller, WIDGET_KEY_REFUSED)
        return caller

    async def authenticate_widget(self, authorization: str, origins: Sequence[str], address: str = UNKNOWN) -> Caller:
        """The caller behind the key of a widget in a page of one of these ``origins``. Raises Refused like ``authenticate``, and
        "widget_key_needed" for every other credential, "widget_origin_refused" for a page of another origin, or of none.
        """
        caller = await self._identify(authorization, address)
        if caller.widget is None:
            raise KeyMisused(caller, WIDGET_KEY_NEEDED)
        if not set(origins) & set(caller.widget.origins):
            said = f"the request came from a page of {origins[0][:ORIGIN_CHARS_MAX]}" if origins else "the request has no Origin header"
            raise KeyMisused(caller, WIDGET_ORIGIN_REFUSED, said)
        return caller

    async def _identify(self, authorization: str, address: str) -> Caller:
        scheme, _, credential = authorization.partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise Refused("unauthenticated", "send `Authorization: Bearer <access token or API key>`")
        if len(credential) > CREDENTIAL_CHARS_MAX:
            raise Refused("unauthenticated")
        if credential.startswith(KEY_PREFIX):
            return await self._by_key(credential, address)
        return await self._by_token(credential)

    def forget(self, credential_id: str) -> None:
        """Drop the entry of a key that was revoked here."""
        self._keys.forget(credential_id)

    def forget_account(self, account_id: str) -> None:
        """Drop the entry of an account that was changed here."""
        self._accounts.forget(account_id)

    def refuse_session(self, session_id: str) -> None:
        """Refuse a session that was ended here, from now on."""
        self._sessions.put(session_id, "ended")

    async def is_active(self, caller: Caller) -> bool:
        """Whether the session, or the key, and the account behind a caller are still accepted; the expiry of a token is not looked at.

        While Redis is down they are, unless their end was seen here.
        """
        try:
            if caller.session_id:
                await self._check_session(caller.session_id)
            if caller.key_id and await self._credential(caller.key_id) is None:
                return False
            await self._account(caller.account_id)
        except Unavailable:
            return True
        except Refused:
            return False
        return True

    async def _by_token(self, token: str) -> Caller:
        claims = self._tokens.read(token, self._clock.now())
        expires_at = datetime.fromtimestamp(claims.exp, UTC)
        if claims.sid:
            await self._check_session(claims.sid)
        try:
            account = await self._account(claims.sub)
        except Unavailable:  # the signature still identifies the account
            return Caller(claims.sub, claims.tenant, claims.role, claims.tier, expires_at=expires_at, session_id=claims.sid)
        return replace(caller_of(account, expires_at), session_id=claims.sid)

    async def _check_session(self, session_id: str) -> None:
        """Refused("session_ended"). While Redis is down a session goes on unless its end was seen here."""
        state = self._sessions.get(session_id, FRESH_S)
        if state is None:
            try:
                state = "ended" if await self._views.sessions.get(session_id, session_id) is None else "open"
            except Unavailable:
                state = self._sessions.get(session_id, STALE_S)
            else:
                self._sessions.put(session_id, state)
        if state == "ended":
            raise Refused(SESSION_ENDED)

    async def _by_key(self, key: str, address: str) -> Caller:
        credential_id, secret = split_key(key)
        credential = await self._credential(credential_id)
        if credential is None or credential.kind != "api_key" or credential.revoked:
            raise Refused("unauthenticated", NOT_VALID)
        now = self._clock.now()
        self._check_secret(credential, secret, now)
        if credential.expires_at is not None and credential.expires_at <= now:
            raise Refused("unauthenticated", "the API key has expired")
        account = await self._account(credential.account_id)
        caller = caller_of(account, credential.expires_at, frozenset(credential.scopes), credential.id)
        if not is_within(address, credential.addresses):
            raise KeyMisused(caller, ADDRESS_NOT_ALLOWED, f"{address} is in none of the key's address ranges")
        self._used(credential)
        return replace(caller, mode=credential.mode, widget=credential.widget)

    def _check_secret(self, credential: Credential, secret: str, now: datetime) -> None:
        """Refused("unauthenticated") unless this is the key's secret, or the one before its rotation while both are accepted."""
        hashed, previous = key_hash(secret), credential.previous
        if hmac.compare_digest(credential.secret_hash, hashed):
            derived_at = credential.secret_at or (credential.created_at if ids.is_derived(credential.id) else None)
        elif previous is not None and hmac.compare_digest(previous.secret_hash, hashed):
            if previous.until <= now:
                raise Refused("unauthenticated", "the API key was rotated, and its previous secret has expired: use the new one")
            derived_at = previous.secret_at or (credential.created_at if ids.is_derived(credential.id) else None)
        else:
            raise Refused("unauthenticated", NOT_VALID)
        if derived_at is not None and not self._tokens.is_key_secret(secret, credential.id, derived_at, now):
            raise Refused("unauthenticated", "the signing secret changed, which ended this API key: create another one")

    async def _credential(self, credential_id: str) -> Credential | None:
        known = self._keys.get(credential_id, FRESH_S)
        if known is not None:
            return known
        try:
            found = await self._views.credentials.get(credential_id, credential_id)
        except Unavailable:
            known = self._keys.get(credential_id, STALE_S)
            if known is None:
                raise
            return known
        if found is None:
            self._keys.forget(credential_id)
        else:
            self._keys.put(credential_id, found)
        return found

    async def _account(self, account_id: str) -> Account:
        """The account, if it exists and is not disabled; Unavailable while Redis is down and the account was not seen here lately."""
        account = self._accounts.get(account_id, FRESH_S)
        if account is None:
            try:
                account = await self._views.accounts.get(account_id, account_id)
            except Unavailable:
                account = self._accounts.get(account_id, STALE_S)
                if account is None:
                    raise
            else:
                if account is not None:
                    self._accounts.put(account_id, account)
        if account is None or account.disabled:
            raise Refused("unauthenticated", "this account is not active")
        return account


def caller_of(account: Account, expires_at: datetime | None = None, scopes: frozenset[Scope] | None = None, key_id: str = "") -> Caller:
    """The account as the caller of a request."""
    verified = account.verified_at is not None
    return Caller(account.id, account.tenant, account.role, account.tier, scopes, key_id, expires_at, verified=verified)
